"""Storage commitment messages: who takes responsibility for which instance (PS3.4 Annex J)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset

from node.errors import STATUS_CANNOT_UNDERSTAND, NotAcceptable

STORAGE_COMMITMENT_PUSH_MODEL: Final = "1.2.840.10008.1.20.1"
# The well-known instance every commitment message is about (PS3.4 J.3.5).
PUSH_MODEL_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
REQUEST_COMMITMENT: Final = 1
ALL_COMMITTED, SOME_FAILED = 1, 2
REASON_PROCESSING_FAILURE: Final = 0x0110
REASON_NO_SUCH_INSTANCE: Final = 0x0112
REASON_CLASS_CONFLICT: Final = 0x0119


@dataclass(frozen=True)
class CommitmentRequest:
    """Instances (SOPClassUID, SOPInstanceUID) that somebody asks to be committed."""

    transaction_uid: str
    instances: tuple[tuple[str, str], ...]

    def to_dataset(self) -> Dataset:
        """Return the Action Information of the N-ACTION (PS3.4 Table J.3-1)."""
        dataset = Dataset()
        dataset.TransactionUID = self.transaction_uid
        dataset.ReferencedSOPSequence = [_item(*each) for each in self.instances]
        return dataset


@dataclass(frozen=True)
class CommitmentReport:
    """What was committed, and what was not with its FailureReason.

    Items are (SOPClassUID, SOPInstanceUID) and (SOPClassUID, SOPInstanceUID, FailureReason).
    """

    transaction_uid: str
    committed: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str, int], ...]

    @property
    def event_type(self) -> int:
        """Event Type ID of the N-EVENT-REPORT."""
        return SOME_FAILED if self.failed else ALL_COMMITTED

    def to_dataset(self) -> Dataset:
        """Return the Event Information of the N-EVENT-REPORT (PS3.4 Table J.3-2)."""
        dataset = Dataset()
        dataset.TransactionUID = self.transaction_uid
        if self.committed:
            dataset.ReferencedSOPSequence = [_item(*each) for each in self.committed]
        if self.failed:
            dataset.FailedSOPSequence = [_item(*each[:2]) for each in self.failed]
            for item, (_, _, reason) in zip(dataset.FailedSOPSequence, self.failed, strict=True):
                item.FailureReason = reason
        return dataset


def parse_request(action_information: Dataset) -> CommitmentRequest:
    """Read an N-ACTION.

    Raises
    ------
    NotAcceptable
        No transaction UID, or no readable instance.
    """
    instances = tuple(_references(action_information, "ReferencedSOPSequence"))
    if not instances:
        raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "ReferencedSOPSequence is missing or empty")
    return CommitmentRequest(_transaction(action_information), instances)


def parse_report(event_information: Dataset) -> CommitmentReport:
    """Read an N-EVENT-REPORT.

    Raises
    ------
    NotAcceptable
        No transaction UID.
    """
    failed = tuple(
        (*uids, int(item.get("FailureReason") or REASON_PROCESSING_FAILURE))
        for item in event_information.get("FailedSOPSequence") or ()
        for uids in (_uids(item),)
    )
    committed = tuple(_references(event_information, "ReferencedSOPSequence"))
    return CommitmentReport(_transaction(event_information), committed, failed)


def _transaction(dataset: Dataset) -> str:
    transaction_uid = str(dataset.get("TransactionUID") or "")
    if not transaction_uid:
        raise NotAcceptable(STATUS_CANNOT_UNDERSTAND, "TransactionUID is missing or empty")
    return transaction_uid


def _references(dataset: Dataset, keyword: str) -> Iterable[tuple[str, str]]:
    return [_uids(item) for item in dataset.get(keyword) or ()]


def _uids(item: Dataset) -> tuple[str, str]:
    return str(item.get("ReferencedSOPClassUID", "")), str(item.get("ReferencedSOPInstanceUID", ""))


def _item(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item
