"""The DICOM conformance statement of a configuration (PS3.2 Annex N)."""

from service.conformance.statement import statement

__all__ = ["statement"]
