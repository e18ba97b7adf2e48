"""Synthetic spine CTs: procedural anatomy, rendering to HU, exact truth, a DICOM series.

::

    sizes ─> body, posterior ─> anatomy ─> geometry ─> render ─> dicom
                                   └──────────────────> truth ──┘
"""
