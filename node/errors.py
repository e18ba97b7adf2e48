"""What can go wrong while moving DICOM.

::

    NodeError
    ├── NotAcceptable       what the peer sent cannot be stored; carries the C-STORE status
    ├── Retryable           may succeed later: connection, disk space, busy peer
    │   └── OutOfResources  no room in the spool (0xA700)
    └── Permanent           will not succeed unchanged: peer refuses us, setting is wrong
"""

from __future__ import annotations

STATUS_SUCCESS = 0x0000
STATUS_OUT_OF_RESOURCES = 0xA700
STATUS_DATA_SET_MISMATCH = 0xA900
STATUS_CANNOT_UNDERSTAND = 0xC000


class NodeError(Exception):
    """Base of every error this package raises on purpose."""


class NotAcceptable(NodeError):
    """A received object that cannot be stored.

    Parameters
    ----------
    status
        C-STORE status to answer (PS3.4 Table B.2-1).
    comment
        What is wrong, at most 64 characters, answered as ErrorComment; no patient data.
    """

    def __init__(self, status: int, comment: str) -> None:
        super().__init__(comment)
        self.status = status
        self.comment = comment[:64]


class Retryable(NodeError):
    """Failed now, and the same attempt may succeed later."""


class OutOfResources(Retryable):
    """The spool has no room; answered as 0xA700."""

    status = STATUS_OUT_OF_RESOURCES


class Permanent(NodeError):
    """Repeating the same attempt cannot succeed before somebody changes something."""
