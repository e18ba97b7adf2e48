"""Synthetic spine CTs: procedural anatomy, rendering to HU, exact truth, a DICOM series.

::

    sizes, options ─> body, posterior, thorax, pelvis ─> anatomy ─> bones, torso
                                                            │            │
                                                            └─> truth    └─> geometry, render
                                                                  └──> dicom <────────┘
"""
