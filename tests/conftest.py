"""An archive that can be asked and fetched from, over real DICOM associations on loopback."""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (
    CTImageStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

RETURNED = {
    "STUDY": ("StudyInstanceUID", "AccessionNumber", "StudyDate", "StudyTime", "StudyDescription"),
    "SERIES": (
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "Modality",
        "SeriesDescription",
        "SeriesNumber",
        "BodyPartExamined",
    ),
    "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"),
}
UNIQUE = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}


@dataclass
class QueryRetrieveArchive:
    """Study Root C-FIND, C-MOVE and C-GET over data sets in memory, with the faults of real ones.

    Attributes
    ----------
    limit
        Most answers to one query, and the status that ends a cut list.
    withheld
        Instances it announces, never sends, and does not count as failed either.
    broken
        Instances it announces and cannot send.
    destinations
        Host and port by AE title, for C-MOVE.
    """

    instances: list[Dataset] = field(default_factory=list)
    limit: int | None = None
    cut_status: int = 0x0000
    withheld: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    destinations: dict[str, tuple[str, int]] = field(default_factory=dict)
    ae_title: str = "PACS"
    port: int = 0
    queries: list[Dataset] = field(default_factory=list)
    retrieved: list[str] = field(default_factory=list)
    before_retrieval: Callable[[Event], object] = lambda _event: None

    def start(self) -> QueryRetrieveArchive:
        ae = AE(ae_title=self.ae_title)
        ae.add_supported_context(Verification)
        for model in (
            StudyRootQueryRetrieveInformationModelFind,
            StudyRootQueryRetrieveInformationModelMove,
            StudyRootQueryRetrieveInformationModelGet,
        ):
            ae.add_supported_context(model)
        for sop_class in (CTImageStorage, SecondaryCaptureImageStorage):
            ae.add_supported_context(sop_class, scu_role=True, scp_role=True)
            ae.add_requested_context(sop_class)
        handlers = [
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_C_MOVE, self._move),
            (evt.EVT_C_GET, self._get),
        ]
        self._lock = threading.Lock()
        self._ae = ae
        server = ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        self.port = int(server.server_address[1])
        return self

    def stop(self) -> None:
        self._ae.shutdown()

    def add(self, instances: Iterable[Dataset]) -> None:
        self.instances += instances

    def _find(self, event):
        asked = event.identifier
        with self._lock:
            self.queries.append(asked)
        level = asked.QueryRetrieveLevel
        seen: set[str] = set()
        for instance in self._matching(asked, level):
            uid = instance[UNIQUE[level]].value
            if uid in seen:
                continue
            if self.limit is not None and len(seen) >= self.limit:
                if self.cut_status:
                    yield self.cut_status, None
                return
            seen.add(uid)
            yield 0xFF00, self._described(instance, level)

    def _described(self, instance: Dataset, level: str) -> Dataset:
        answer = Dataset()
        answer.QueryRetrieveLevel = level
        for keyword in RETURNED[level]:
            setattr(answer, keyword, instance.get(keyword, ""))
        if level == "STUDY":
            uid = instance.StudyInstanceUID
            same = [i for i in self.instances if i.StudyInstanceUID == uid]
            answer.ModalitiesInStudy = sorted({i.Modality for i in same})
        if level == "SERIES":
            uid = instance.SeriesInstanceUID
            same = [i for i in self.instances if i.SeriesInstanceUID == uid]
            answer.NumberOfSeriesRelatedInstances = len(same)
        return answer

    def _matching(self, asked: Dataset, level: str) -> list[Dataset]:
        keys = [e for e in asked if e.keyword not in ("QueryRetrieveLevel", "ModalitiesInStudy")]
        modality = asked.get("ModalitiesInStudy")
        return [
            instance
            for instance in list(self.instances)
            if all(_key_matches(element, instance) for element in keys)
            and (not modality or instance.Modality == modality or level != "STUDY")
        ]

    def _retrieved(self, event) -> list[Dataset]:
        self.before_retrieval(event)
        asked = event.identifier
        self.retrieved.append(asked.SeriesInstanceUID)
        return self._matching(asked, "IMAGE")

    def _move(self, event):
        address = self.destinations.get(event.move_destination)
        if address is None:
            yield None, None
            return
        found = self._retrieved(event)
        yield address
        yield len(found)
        for instance in found:
            yield 0xFF00, self._sent(instance)

    def _get(self, event):
        found = self._retrieved(event)
        yield len(found)
        for instance in found:
            yield 0xFF00, self._sent(instance)

    def _sent(self, instance: Dataset) -> Dataset | None:
        if instance.SOPInstanceUID in self.withheld:
            return None
        if instance.SOPInstanceUID not in self.broken:
            return instance
        unknown = Dataset()
        unknown.SOPClassUID = MRImageStorage
        unknown.SOPInstanceUID = instance.SOPInstanceUID
        return unknown


def _key_matches(element, instance: Dataset) -> bool:
    wanted = "" if element.value is None else str(element.value)
    if not wanted:
        return True
    held = str(instance.get(element.keyword, ""))
    if element.VR in ("DA", "TM") and "-" in wanted:
        first, _, last = wanted.partition("-")
        return (not first or held >= first) and (not last or held <= last)
    if element.VR == "UI":
        return held in ([element.value] if element.VM == 1 else list(element.value))
    return fnmatch.fnmatchcase(held, wanted.replace("[", "[[]"))


@pytest.fixture
def query_archive() -> Iterator[QueryRetrieveArchive]:
    archive = QueryRetrieveArchive().start()
    yield archive
    archive.stop()
