"""Audit messages (DICOM PS3.15 A.5) to a file per day, or to a repository by syslog over TLS."""

from service.audit.asking import AuditedQuery
from service.audit.assembly import SILENT, make_recorder
from service.audit.events import Peer
from service.audit.pages import PageAuditor
from service.audit.recorder import Recorder
from service.audit.transfer import Transfer, peer_of

__all__ = [
    "SILENT",
    "AuditedQuery",
    "PageAuditor",
    "Peer",
    "Recorder",
    "Transfer",
    "make_recorder",
    "peer_of",
]
