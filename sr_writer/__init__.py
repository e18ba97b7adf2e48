"""From findings to the files and DICOM objects that a PACS and its users receive."""

from sr_writer.errors import (
    FindingsInvalid,
    SettingsInvalid,
    SourceUnreadable,
    VerificationFailed,
    WriterError,
)
from sr_writer.files import WrittenObject, write_findings
from sr_writer.findings import Findings, assemble, not_analysable
from sr_writer.refusal import write_not_analysable
from sr_writer.settings import OUTPUTS, PredecessorObject, SoftwareIdentity, WriterSettings
from sr_writer.verify import verify_outputs
from sr_writer.writer import write_outputs

__all__ = [
    "OUTPUTS",
    "Findings",
    "FindingsInvalid",
    "PredecessorObject",
    "SettingsInvalid",
    "SoftwareIdentity",
    "SourceUnreadable",
    "VerificationFailed",
    "WriterError",
    "WriterSettings",
    "WrittenObject",
    "assemble",
    "not_analysable",
    "verify_outputs",
    "write_findings",
    "write_not_analysable",
    "write_outputs",
]
