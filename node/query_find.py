"""C-FIND as SCU: an archive asked over DIMSE (PS3.4 Annex C, Study Root)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import TypeVar

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.association import Association

from node.errors import Permanent, Retryable
from node.header import UID_TEXT
from node.query import Answers, FoundInstance, FoundSeries, FoundStudy, StudyKeys
from node.scu import LONG_WAIT, Negotiation, Patience, associated
from node.settings import Destination

LOG = logging.getLogger(__name__)
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
CONTEXTS = [(STUDY_ROOT_FIND, [ImplicitVRLittleEndian, ExplicitVRLittleEndian])]
PENDING = (0xFF00, 0xFF01)
SUCCESS = 0x0000
CANCELLED = 0xFE00
OUT_OF_RESOURCES = 0xA700
# PS3.4 Table C.4-1: the identifier does not match the SOP class, or the class is not offered.
REFUSED_FOR_GOOD = (0xA900, 0x0122)

Found = TypeVar("Found")


class FindQuery:
    """Asks one archive over one association, opened at the first question and kept.

    Satisfies `node.query.ArchiveQuery`. Not thread-safe.
    """

    def __init__(self, peer: Destination, patience: Patience = LONG_WAIT) -> None:
        self._peer = peer
        self._patience = patience
        self._open = ExitStack()
        self._association: Association | None = None

    def close(self) -> None:
        """Release the association; the next question opens another one."""
        self._association = None
        self._open.close()

    def studies(self, keys: StudyKeys) -> Answers[FoundStudy]:
        """See `node.query.ArchiveQuery`."""
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "STUDY"
        identifier.StudyInstanceUID = keys.StudyInstanceUID
        identifier.AccessionNumber = keys.AccessionNumber
        identifier.ModalitiesInStudy = keys.ModalitiesInStudy
        identifier.StudyDate = "" if keys.window is None else keys.window.date_text()
        identifier.StudyTime = "" if keys.window is None else keys.window.time_range_text()
        identifier.StudyDescription = ""
        answers = self._ask(identifier, _study)
        return Answers(
            tuple(study for study in answers.items if study.matches(keys)), answers.shortfall
        )

    def series(self, study_instance_uid: str) -> Answers[FoundSeries]:
        """See `node.query.ArchiveQuery`."""
        read = partial(_series, study_instance_uid)
        answers = self._ask(_series_identifier(study_instance_uid, ""), read)
        found = tuple(s for s in answers.items if s.StudyInstanceUID == study_instance_uid)
        return Answers(found, answers.shortfall)

    def instances(
        self, study_instance_uid: str, series_instance_uid: str
    ) -> Answers[FoundInstance]:
        """See `node.query.ArchiveQuery`."""
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "IMAGE"
        identifier.StudyInstanceUID = study_instance_uid
        identifier.SeriesInstanceUID = series_instance_uid
        identifier.SOPInstanceUID = ""
        identifier.SOPClassUID = ""
        return self._ask(identifier, _instance)

    def count(self, study_instance_uid: str, series_instance_uid: str) -> int | None:
        """See `node.query.ArchiveQuery`."""
        identifier = _series_identifier(study_instance_uid, series_instance_uid)
        for series in self._ask(identifier, partial(_series, study_instance_uid)).items:
            if series.SeriesInstanceUID == series_instance_uid:
                return series.images
        return None

    def _ask(self, identifier: Dataset, read: Callable[[Dataset], Found]) -> Answers[Found]:
        """Ask, on a new association if the kept one has ended meanwhile."""
        kept = self._association is not None
        try:
            return self._ask_once(identifier, read)
        except Retryable:
            self.close()
            if not kept:
                raise
        return self._ask_once(identifier, read)

    def _ask_once(self, identifier: Dataset, read: Callable[[Dataset], Found]) -> Answers[Found]:
        found: list[Found] = []
        unread = 0
        for status, answer in self._responses(identifier):
            if status in PENDING:
                item = None if answer is None else _readable(answer, read)
                unread += item is None
                found += [] if item is None else [item]
                continue
            shortfall = _shortfall(self._peer.name, status, len(found))
            if unread:
                shortfall = shortfall or f"{unread} answers of {self._peer.name} were unreadable"
            return Answers(tuple(found), shortfall)
        raise Retryable(f"{self._peer.name} ended the association during a query")

    def _responses(self, identifier: Dataset) -> Iterator[tuple[int | None, Dataset | None]]:
        for status, answer in self._established().send_c_find(identifier, STUDY_ROOT_FIND):
            if "Status" not in status:
                return
            yield int(status.Status), answer

    def _established(self) -> Association:
        association = self._association
        if association is not None and association.is_established:
            return association
        self.close()
        negotiation = Negotiation(CONTEXTS, patience=self._patience)
        association = self._open.enter_context(associated(self._peer, negotiation))
        if not association.is_established:
            raise Permanent(f"{self._peer.name} does not offer C-FIND (Study Root)")
        self._association = association
        return association


def _series_identifier(study_instance_uid: str, series_instance_uid: str) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "SERIES"
    identifier.StudyInstanceUID = study_instance_uid
    identifier.SeriesInstanceUID = series_instance_uid
    identifier.Modality = ""
    identifier.SeriesDescription = ""
    identifier.SeriesNumber = None
    identifier.BodyPartExamined = ""
    identifier.NumberOfSeriesRelatedInstances = None
    return identifier


def _shortfall(name: str, status: int | None, found: int) -> str:
    """Say why the list may not be whole; empty after success.

    Raises
    ------
    Permanent, Retryable
        Nothing was found because of the failure.
    """
    if status == SUCCESS:
        return ""
    # Orthanc ends a list at its limit with "cancelled"; others say that they ran out of resources.
    if status in (CANCELLED, OUT_OF_RESOURCES) or found:
        return f"{name} ended its list after {found} answers (0x{status or 0:04X})"
    if status in REFUSED_FOR_GOOD:
        raise Permanent(f"{name} refuses the query (0x{status:04X})")
    raise Retryable(f"{name} answered the query with 0x{status or 0:04X}")


def _readable(answer: Dataset, read: Callable[[Dataset], Found]) -> Found | None:
    try:
        return read(answer)
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        LOG.warning("an answer to a query cannot be read: %s", type(error).__name__)
        return None


def _study(answer: Dataset) -> FoundStudy:
    modalities = answer.get("ModalitiesInStudy") or ()
    if not isinstance(modalities, (MultiValue, list)):
        modalities = (modalities,) if modalities else ()
    return FoundStudy(
        StudyInstanceUID=_uid(answer, "StudyInstanceUID"),
        AccessionNumber=_text(answer, "AccessionNumber"),
        StudyDate=_text(answer, "StudyDate"),
        ModalitiesInStudy=tuple(str(modality) for modality in modalities),
        StudyDescription=_text(answer, "StudyDescription"),
    )


def _series(study_instance_uid: str, answer: Dataset) -> FoundSeries:
    """Read one series; some archives do not repeat the study they were asked about."""
    images = _text(answer, "NumberOfSeriesRelatedInstances")
    return FoundSeries(
        StudyInstanceUID=_text(answer, "StudyInstanceUID") or study_instance_uid,
        SeriesInstanceUID=_uid(answer, "SeriesInstanceUID"),
        Modality=_text(answer, "Modality"),
        SeriesDescription=_text(answer, "SeriesDescription"),
        SeriesNumber=_text(answer, "SeriesNumber"),
        BodyPartExamined=_text(answer, "BodyPartExamined"),
        images=int(images) if images else None,
    )


def _instance(answer: Dataset) -> FoundInstance:
    return FoundInstance(_uid(answer, "SOPInstanceUID"), _text(answer, "SOPClassUID"))


def _text(answer: Dataset, keyword: str) -> str:
    value = answer.get(keyword)
    return "" if value is None else str(value).strip("\0 ")


def _uid(answer: Dataset, keyword: str) -> str:
    """Return a UID that is safe to log and to ask for."""
    value = _text(answer, keyword)
    if UID_TEXT.fullmatch(value) is None:
        raise ValueError(f"{keyword} is missing or no UID")
    return value
