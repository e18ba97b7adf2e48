"""The commands of the command line, one per file; heavy imports wait until a command runs."""
