"""QIDO-RS as user agent: an archive asked over HTTP (PS3.18 Section 10.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from node.header import UID_TEXT
from node.query import Answers, FoundInstance, FoundSeries, FoundStudy, StudyKeys
from node.settings import WebDestination
from node.web import TIMEOUT_SECONDS, Parameters, WebReader

PAGE = 100
"""Asked for at once; a service may give fewer, so a list ends only with a page of nothing new."""
MOST_PAGES = 1000

SOP_CLASS_UID = "00080016"
SOP_INSTANCE_UID = "00080018"
STUDY_DATE = "00080020"
ACCESSION_NUMBER = "00080050"
MODALITY = "00080060"
MODALITIES_IN_STUDY = "00080061"
STUDY_DESCRIPTION = "00081030"
SERIES_DESCRIPTION = "0008103E"
BODY_PART_EXAMINED = "00180015"
STUDY_INSTANCE_UID = "0020000D"
SERIES_INSTANCE_UID = "0020000E"
SERIES_NUMBER = "00200011"
IMAGES_IN_SERIES = "00201209"

Found = TypeVar("Found", FoundStudy, FoundSeries, FoundInstance)
Item = dict[str, Any]


class QidoQuery:
    """Asks one DICOMweb service. Satisfies `node.query.ArchiveQuery`. Not thread-safe."""

    def __init__(self, peer: WebDestination, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._name = peer.name
        self._reader = WebReader(peer, timeout_seconds)

    def close(self) -> None:
        """Close the connection; the next question opens another one."""
        self._reader.close()

    def studies(self, keys: StudyKeys) -> Answers[FoundStudy]:
        """See `node.query.ArchiveQuery`."""
        wanted = {
            "StudyInstanceUID": keys.StudyInstanceUID,
            "AccessionNumber": keys.AccessionNumber,
            "ModalitiesInStudy": keys.ModalitiesInStudy,
            "StudyDate": "" if keys.window is None else keys.window.date_text(),
            "StudyTime": "" if keys.window is None else keys.window.time_range_text(),
        }
        parameters = [(keyword, value) for keyword, value in wanted.items() if value]
        returned = (MODALITIES_IN_STUDY, STUDY_DESCRIPTION, ACCESSION_NUMBER, STUDY_DATE)
        parameters += [("includefield", tag) for tag in returned]
        answers = self._all("/studies", parameters, _study)
        return Answers(
            tuple(study for study in answers.items if study.matches(keys)), answers.shortfall
        )

    def series(self, study_instance_uid: str) -> Answers[FoundSeries]:
        """See `node.query.ArchiveQuery`."""
        return self._series(study_instance_uid, [])

    def instances(
        self, study_instance_uid: str, series_instance_uid: str
    ) -> Answers[FoundInstance]:
        """See `node.query.ArchiveQuery`."""
        path = f"/studies/{study_instance_uid}/series/{series_instance_uid}/instances"
        return self._all(path, [("includefield", SOP_CLASS_UID)], _instance)

    def count(self, study_instance_uid: str, series_instance_uid: str) -> int | None:
        """See `node.query.ArchiveQuery`."""
        keys = [("SeriesInstanceUID", series_instance_uid)]
        for series in self._series(study_instance_uid, keys).items:
            if series.SeriesInstanceUID == series_instance_uid:
                return series.images
        return None

    def _series(self, study_instance_uid: str, keys: list[tuple[str, str]]) -> Answers[FoundSeries]:
        returned = (SERIES_DESCRIPTION, BODY_PART_EXAMINED, SERIES_NUMBER, IMAGES_IN_SERIES)
        parameters = [*keys, *(("includefield", tag) for tag in returned)]

        def read(item: Item) -> FoundSeries:
            return _one_series(study_instance_uid, item)

        return self._all(f"/studies/{study_instance_uid}/series", parameters, read)

    def _all(
        self, path: str, parameters: Parameters, read: Callable[[Item], Found]
    ) -> Answers[Found]:
        """Ask page by page until a page brings nothing new."""
        found: dict[str, Found] = {}
        unread = taken = 0
        for _ in range(MOST_PAGES):
            where: Parameters = [("limit", str(PAGE)), ("offset", str(taken))]
            items = self._reader.json(path, [*parameters, *where])
            before = len(found)
            for item in items:
                try:
                    each = read(item)
                except (ValueError, TypeError, LookupError):
                    unread += 1
                else:
                    found[_identity(each)] = each
            taken += len(items)
            if len(found) == before:
                break
        else:
            return Answers(tuple(found.values()), f"{self._name} has more than {taken} answers")
        shortfall = f"{unread} answers of {self._name} were unreadable" if unread else ""
        return Answers(tuple(found.values()), shortfall)


def _identity(found: FoundStudy | FoundSeries | FoundInstance) -> str:
    if isinstance(found, FoundStudy):
        return found.StudyInstanceUID
    return found.SeriesInstanceUID if isinstance(found, FoundSeries) else found.SOPInstanceUID


def _study(item: Item) -> FoundStudy:
    return FoundStudy(
        StudyInstanceUID=_uid(item, STUDY_INSTANCE_UID),
        AccessionNumber=_text(item, ACCESSION_NUMBER),
        StudyDate=_text(item, STUDY_DATE),
        ModalitiesInStudy=tuple(str(value) for value in _values(item, MODALITIES_IN_STUDY)),
        StudyDescription=_text(item, STUDY_DESCRIPTION),
    )


def _one_series(study_instance_uid: str, item: Item) -> FoundSeries:
    images = _text(item, IMAGES_IN_SERIES)
    return FoundSeries(
        StudyInstanceUID=study_instance_uid,
        SeriesInstanceUID=_uid(item, SERIES_INSTANCE_UID),
        Modality=_text(item, MODALITY),
        SeriesDescription=_text(item, SERIES_DESCRIPTION),
        SeriesNumber=_text(item, SERIES_NUMBER),
        BodyPartExamined=_text(item, BODY_PART_EXAMINED),
        images=int(images) if images else None,
    )


def _instance(item: Item) -> FoundInstance:
    return FoundInstance(_uid(item, SOP_INSTANCE_UID), _text(item, SOP_CLASS_UID))


def _values(item: Item, tag: str) -> list[Any]:
    value = item.get(tag, {}).get("Value", [])
    return value if isinstance(value, list) else []


def _text(item: Item, tag: str) -> str:
    values = _values(item, tag)
    return "" if not values or values[0] is None else str(values[0]).strip()


def _uid(item: Item, tag: str) -> str:
    """Return a UID that is safe to write into a URL."""
    value = _text(item, tag)
    if UID_TEXT.fullmatch(value) is None:
        raise ValueError("not a UID")
    return value
