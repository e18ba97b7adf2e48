"""The names of the steps of one analysis, in order (what each does: `service.pipeline`)."""

STEPS = ("assemble", "segment", "measure", "texture", "write", "verify")
