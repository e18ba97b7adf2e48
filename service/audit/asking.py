"""Questions to an archive, each recorded before it is asked (DICOM PS3.15 A.5.3.10)."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.dsutils import encode

from node.query import (
    Answers,
    ArchiveQuery,
    FoundInstance,
    FoundSeries,
    FoundStudy,
    StudyKeys,
)
from service.audit.events import Peer
from service.audit.recorder import Recorder

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
"""Also named for QIDO-RS, whose questions are the same (PS3.18 Section 10.6)."""


class AuditedQuery:
    """An `ArchiveQuery` that records what it asks.

    An accession number is recorded only where messages may name patients.
    """

    def __init__(self, query: ArchiveQuery, peer: Peer, recorder: Recorder) -> None:
        self._query = query
        self._peer = peer
        self._recorder = recorder

    def close(self) -> None:
        """See `ArchiveQuery`."""
        self._query.close()

    def studies(self, keys: StudyKeys) -> Answers[FoundStudy]:
        """See `ArchiveQuery`."""
        named = self._recorder.names_patients
        self._record(
            QueryRetrieveLevel="STUDY",
            StudyInstanceUID=keys.StudyInstanceUID,
            AccessionNumber=keys.AccessionNumber if named else "",
            ModalitiesInStudy=keys.ModalitiesInStudy,
            StudyDate=keys.window.date_text() if keys.window else "",
        )
        return self._query.studies(keys)

    def series(self, study_instance_uid: str) -> Answers[FoundSeries]:
        """See `ArchiveQuery`."""
        self._record(QueryRetrieveLevel="SERIES", StudyInstanceUID=study_instance_uid)
        return self._query.series(study_instance_uid)

    def instances(
        self, study_instance_uid: str, series_instance_uid: str
    ) -> Answers[FoundInstance]:
        """See `ArchiveQuery`."""
        self._record(
            QueryRetrieveLevel="IMAGE",
            StudyInstanceUID=study_instance_uid,
            SeriesInstanceUID=series_instance_uid,
        )
        return self._query.instances(study_instance_uid, series_instance_uid)

    def count(self, study_instance_uid: str, series_instance_uid: str) -> int | None:
        """See `ArchiveQuery`."""
        self._record(
            QueryRetrieveLevel="SERIES",
            StudyInstanceUID=study_instance_uid,
            SeriesInstanceUID=series_instance_uid,
        )
        return self._query.count(study_instance_uid, series_instance_uid)

    def _record(self, **keys: str) -> None:
        identifier = Dataset()
        for keyword, value in keys.items():
            setattr(identifier, keyword, value)
        encoded = encode(identifier, is_implicit_vr=False, is_little_endian=True) or b""
        self._recorder.queried(self._peer, STUDY_ROOT_FIND, encoded, ExplicitVRLittleEndian)
