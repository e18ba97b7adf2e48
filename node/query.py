"""What an archive is asked about its content, and what it answers: C-FIND and QIDO-RS alike.

No attribute of the patient is ever asked for: studies are found by accession number,
StudyInstanceUID or date (Study Root, PS3.4 Section C.6.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Generic, Protocol, TypeVar

from node.errors import Permanent
from node.header import UID_TEXT

MINUTES_PER_DAY = 24 * 60
# A backslash separates values; control characters end the query of some archives.
LONGEST_ACCESSION_NUMBER = 64

Found = TypeVar("Found")


@dataclass(frozen=True)
class StudyWindow:
    """One day, and the part of it in minutes after midnight: from `start` up to and with `end`."""

    day: date
    start: int = 0
    end: int = MINUTES_PER_DAY

    @property
    def is_whole_day(self) -> bool:
        """Whether the time of the study does not matter."""
        return (self.start, self.end) == (0, MINUTES_PER_DAY)

    def halves(self) -> tuple[StudyWindow, StudyWindow]:
        """Both halves; they share their common minute, so that no fraction of a second is lost."""
        middle = (self.start + self.end) // 2
        return StudyWindow(self.day, self.start, middle), StudyWindow(self.day, middle, self.end)

    def date_text(self) -> str:
        """Value of StudyDate (DA)."""
        return self.day.strftime("%Y%m%d")

    def time_range_text(self) -> str:
        """Value of StudyTime for range matching (PS3.4 Section C.2.2.2.5); empty: any."""
        if self.is_whole_day:
            return ""
        first = "" if self.start == 0 else _time_text(self.start)
        last = "" if self.end == MINUTES_PER_DAY else _time_text(self.end)
        return f"{first}-{last}"


def _time_text(minutes: int) -> str:
    return f"{minutes // 60:02d}{minutes % 60:02d}00"


@dataclass(frozen=True)
class StudyKeys:
    """What a study must match; empty and None match everything.

    Raises
    ------
    Permanent
        A value that cannot be a key of a query.
    """

    AccessionNumber: str = ""
    StudyInstanceUID: str = ""
    ModalitiesInStudy: str = ""
    window: StudyWindow | None = None

    def __post_init__(self) -> None:
        number = self.AccessionNumber
        if "\\" in number or len(number) > LONGEST_ACCESSION_NUMBER or not number.isprintable():
            raise Permanent("an accession number holds characters that no query can carry")
        if self.StudyInstanceUID and UID_TEXT.fullmatch(self.StudyInstanceUID) is None:
            raise Permanent("a StudyInstanceUID is no UID")


@dataclass(frozen=True)
class FoundStudy:
    """A study as the archive describes it; empty where it does not say."""

    StudyInstanceUID: str
    AccessionNumber: str = ""
    StudyDate: str = ""
    ModalitiesInStudy: tuple[str, ...] = ()
    StudyDescription: str = ""

    def matches(self, keys: StudyKeys) -> bool:
        """Whether this is what was asked for.

        DICOM has no escape for the wildcards ``*`` and ``?`` in a key, and archives may ignore
        keys they do not support: so every answer is compared literally. What the archive leaves
        empty cannot be compared, except the accession number that was asked for.
        """
        if keys.AccessionNumber and keys.AccessionNumber.strip() != self.AccessionNumber.strip():
            return False
        if keys.StudyInstanceUID and keys.StudyInstanceUID != self.StudyInstanceUID:
            return False
        if keys.window and self.StudyDate and self.StudyDate != keys.window.date_text():
            return False
        modalities = self.ModalitiesInStudy
        return not (keys.ModalitiesInStudy and modalities) or keys.ModalitiesInStudy in modalities


@dataclass(frozen=True)
class FoundSeries:
    """A series as the archive describes it; `images` is None where it does not count."""

    StudyInstanceUID: str
    SeriesInstanceUID: str
    Modality: str = ""
    SeriesDescription: str = ""
    SeriesNumber: str = ""
    BodyPartExamined: str = ""
    images: int | None = None


@dataclass(frozen=True)
class FoundInstance:
    """An instance as the archive describes it."""

    SOPInstanceUID: str
    SOPClassUID: str = ""


@dataclass(frozen=True)
class Answers(Generic[Found]):
    """What was found, and why it may not be all; empty `shortfall`: the archive claims it is."""

    items: tuple[Found, ...]
    shortfall: str = ""


class ArchiveQuery(Protocol):
    """An archive that can be asked.

    Every method raises `Retryable` (not reachable, busy, association ended) or `Permanent`
    (the archive does not know us, or does not offer queries).
    """

    def studies(self, keys: StudyKeys) -> Answers[FoundStudy]:
        """Studies that match; see `FoundStudy.matches`."""

    def series(self, study_instance_uid: str) -> Answers[FoundSeries]:
        """Every series of a study."""

    def instances(
        self, study_instance_uid: str, series_instance_uid: str
    ) -> Answers[FoundInstance]:
        """Every instance of a series."""

    def count(self, study_instance_uid: str, series_instance_uid: str) -> int | None:
        """Number of instances of a series; None if the archive does not say."""

    def close(self) -> None:
        """Release the connection; the next question opens another one."""
