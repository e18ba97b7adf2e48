"""What the folders of the jobs say: request, findings, pictures. Nothing here names a patient."""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from service.request import Request, read_request
from service.workspace import Workspace
from sr_writer import Findings, WrittenObject
from sr_writer.errors import FindingsInvalid
from sr_writer.wording import conclusion

_Kept = TypeVar("_Kept")
_REMEMBERED = 20_000
_CLOSEUP = re.compile(r"closeup-[A-Z][0-9]{1,2}\.png")
_JOB_ID = re.compile(r"[0-9a-zA-Z_-]{1,64}")


@dataclass(frozen=True)
class RequestFacts:
    """Of the request of a job."""

    instances: int
    StudyInstanceUID: str
    SeriesInstanceUID: str


@dataclass(frozen=True)
class Ties:
    """How a job stands to other series and jobs; each empty where there is nothing to say.

    Attributes
    ----------
    choice
        Why this series of its study was chosen before others.
    supersedes
        Earlier jobs of the same series, the latest first.
    superseded_by
        The later job of the same series.
    withheld
        Why the results are not sent.
    """

    choice: str = ""
    supersedes: tuple[str, ...] = ()
    superseded_by: str = ""
    withheld: str = ""


@dataclass(frozen=True)
class Outcome:
    """The findings of a job in a few words; `flagged`: ``L2 wedge, grade 2`` by level.

    `brief` is for a line of a table, where `sentence` would be cut off.
    """

    sentence: str
    brief: str
    flagged: tuple[str, ...]


class Records:
    """Reads the folders of jobs; what cannot change any more is remembered.

    Parameters
    ----------
    folder
        Holds one folder per job.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._facts: OrderedDict[str, RequestFacts] = OrderedDict()
        self._outcomes: OrderedDict[str, tuple[int, Outcome]] = OrderedDict()

    def request(self, job_id: str) -> Request | None:
        """What was asked for, or None where the folder is gone."""
        with suppress(OSError, ValueError):
            return read_request(self._of(job_id))
        return None

    def facts(self, job_id: str) -> RequestFacts | None:
        """Number of images and UIDs."""
        with self._lock:
            known = self._facts.get(job_id)
        if known is not None:
            return known
        request = self.request(job_id)
        if request is None:
            return None
        facts = RequestFacts(
            len(request.files), request.StudyInstanceUID or "", request.SeriesInstanceUID or ""
        )
        self._remember(self._facts, job_id, facts)
        return facts

    def ties(self, job_id: str) -> Ties:
        """What the folder says about other jobs; these may come while the page is open."""
        request = self.request(job_id)
        if request is None:
            return Ties()
        folder = Workspace(self._of(job_id))
        with suppress(OSError, ValueError):
            return Ties(
                choice=request.choice,
                supersedes=request.supersedes,
                superseded_by=folder.superseded_by(),
                withheld=folder.withheld(),
            )
        return Ties()

    def written(self, job_id: str) -> tuple[WrittenObject, ...]:
        """The DICOM objects that the job wrote."""
        folder = self._of(job_id)
        with suppress(OSError, ValueError):
            return Workspace(folder).written() if folder.is_dir() else ()
        return ()

    def delivery_note(self, job_id: str, destination: str) -> str:
        """What is to be said about a delivery beyond its state."""
        folder = self._of(job_id)
        with suppress(OSError, ValueError):
            return Workspace(folder).delivery_note(destination) if folder.is_dir() else ""
        return ""

    def uids(self, job_id: str) -> tuple[str, ...]:
        """Study and series UID."""
        facts = self.facts(job_id)
        return () if facts is None else (facts.StudyInstanceUID, facts.SeriesInstanceUID)

    def findings(self, job_id: str) -> Findings | None:
        """What the result files say, if there are any."""
        path = self.result_file(job_id, "findings.json")
        if path is None:
            return None
        with suppress(OSError, ValueError, FindingsInvalid):
            return Findings.from_json(json.loads(path.read_bytes()))
        return None

    def outcome(self, job_id: str) -> Outcome | None:
        """The findings in a few words."""
        path = self.result_file(job_id, "findings.json")
        if path is None:
            return None
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return None
        with self._lock:
            known = self._outcomes.get(job_id)
        if known is not None and known[0] == changed:
            return known[1]
        findings = self.findings(job_id)
        if findings is None:
            return None
        flagged = tuple(
            f"{v.label} {v.genant.type}, grade {v.genant.grade}" for v in findings.flagged
        )
        outcome = Outcome(conclusion(findings), _brief(findings), flagged)
        self._remember(self._outcomes, job_id, (changed, outcome))
        return outcome

    def closeups(self, job_id: str) -> tuple[str, ...]:
        """File names of the pictures of flagged vertebrae."""
        folder = self._of(job_id) / "results"
        names = (path.name for path in folder.glob("closeup-*.png"))
        return tuple(sorted(name for name in names if _CLOSEUP.fullmatch(name)))

    def result_file(self, job_id: str, name: str) -> Path | None:
        """One of the result files by name, if it is there."""
        path = self._of(job_id) / "results" / name
        return path if path.is_file() else None

    def picture(self, job_id: str, name: str) -> Path | None:
        """A picture that the pages show; they carry no patient identity."""
        if name != "overview.png" and not _CLOSEUP.fullmatch(name):
            return None
        return self.result_file(job_id, name)

    def _of(self, job_id: str) -> Path:
        # Ids come from addresses: nothing that leads out of the folder may pass.
        return self._folder / (job_id if _JOB_ID.fullmatch(job_id) else "-")

    def _remember(self, where: OrderedDict[str, _Kept], job_id: str, value: _Kept) -> None:
        with self._lock:
            where[job_id] = value
            while len(where) > _REMEMBERED:
                where.popitem(last=False)


def _brief(findings: Findings) -> str:
    if not findings.analysed:
        return "; ".join(reason.text for reason in findings.reasons)
    judged = sum(1 for v in findings.vertebrae if v.fractured is not None)
    if not judged:
        return conclusion(findings)
    return f"{judged} {'vertebra' if judged == 1 else 'vertebrae'} judged, none flagged"
