"""The answers to C-MOVE and C-GET: pending counts, then how it ended (PS3.4 Section C.4.2.1)."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset

from node.errors import Permanent, Retryable
from node.retrieve import Progress, Retrieval

SUCCESS = 0x0000
SOME_FAILED = 0xB000
PENDING = (0xFF00, 0xFF01)
MOVE_DESTINATION_UNKNOWN = 0xA801
# PS3.7 Annex C: not authorised, SOP class not supported; PS3.4: identifier does not match.
REFUSED_FOR_GOOD = (0x0124, 0x0122, 0xA900)


def retrieve_identifier(
    study_instance_uid: str, series_instance_uid: str, sop_instance_uids: Sequence[str] = ()
) -> Dataset:
    """Return the identifier that retrieves one series, or only some instances of it."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE" if sop_instance_uids else "SERIES"
    identifier.StudyInstanceUID = study_instance_uid
    identifier.SeriesInstanceUID = series_instance_uid
    if sop_instance_uids:
        identifier.SOPInstanceUID = list(sop_instance_uids)
    return identifier


class SubOperations:
    """Follows the answers to one request.

    Parameters
    ----------
    name, to
        The archive, and where it sends, for error texts.
    """

    def __init__(self, name: str, to: str, progress: Progress) -> None:
        self._name = name
        self._to = to
        self._progress = progress
        self._last = Dataset()
        self._announced = 0

    def answered(self, status: Dataset) -> None:
        """Take one answer; an empty one means that there was none."""
        self._last = status
        if status.get("Status") in PENDING:
            done = self._arrived(status) + _count(status, "NumberOfFailedSuboperations")
            self._announced = done + _count(status, "NumberOfRemainingSuboperations")
            self._progress(self._arrived(status), self._announced)

    def result(self) -> Retrieval:
        """Return the counts of the final answer.

        Raises
        ------
        Retryable, Permanent
            The request failed as a whole.
        """
        status = self._last.get("Status")
        if status is None or status in PENDING:
            raise Retryable(f"{self._name} ended the association during a retrieval")
        arrived = self._arrived(self._last)
        if status == SUCCESS and "NumberOfCompletedSuboperations" not in self._last:
            # Success means that every sub-operation succeeded; the count in it is optional.
            arrived = self._announced
        failed = _count(self._last, "NumberOfFailedSuboperations")
        if status in (SUCCESS, SOME_FAILED):
            comment = f"{self._name} could not send {failed} images" if failed else ""
            return Retrieval(arrived, failed, comment)
        if status == MOVE_DESTINATION_UNKNOWN:
            raise Permanent(
                f"{self._name} does not know {self._to}, or cannot reach it (0x{status:04X})"
            )
        if status in REFUSED_FOR_GOOD:
            raise Permanent(f"{self._name} refuses the retrieval (0x{status:04X})")
        raise Retryable(f"{self._name} answered the retrieval with 0x{status:04X}")

    @staticmethod
    def _arrived(status: Dataset) -> int:
        warned = _count(status, "NumberOfWarningSuboperations")
        return _count(status, "NumberOfCompletedSuboperations") + warned


def _count(status: Dataset, keyword: str) -> int:
    """Return a count; the fields are optional."""
    return int(status.get(keyword) or 0)
