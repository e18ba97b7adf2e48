"""The objects of one job on their way to one archive, with what goes instead of the refused ones.

An object is offered as it was written, then in Implicit VR Little Endian. What an archive takes in
no form is replaced by what says the same in another way: a segmentation by its picture, the
measurements by the report in words. Key images go last: they name only what has arrived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from node import DeliveryResult, Outcome
from service.errors import RetryableError
from service.object_forms import in_implicit_vr, of_slices_only
from service.refusals import Encoding
from sr_writer import WrittenObject

INSTEAD = {
    "seg": ("overview", "pdf"),
    "sr": ("narrative", "pdf", "overview"),
    "narrative": ("pdf", "overview"),
    "overview": ("pdf",),
    "pdf": ("overview",),
    "key_images": ("overview",),
}
"""What goes instead of a refused object, the best first."""
AS_WRITTEN = str(ExplicitVRLittleEndian)
SYNTAXES = (AS_WRITTEN, str(ImplicitVRLittleEndian))
_CLASS_NOT_SUPPORTED = 0x0122


class Archive(Protocol):
    """One archive as the dispatch needs it."""

    @property
    def syntaxes(self) -> tuple[str, ...]:
        """Transfer syntaxes in which objects are offered."""

    def has(self, written: WrittenObject) -> bool:
        """Whether it has an object."""

    def refusals(self) -> dict[Encoding, str]:
        """What it refused lately, and its words."""

    def remember(self, encoding: Encoding, comment: str) -> None:
        """It refused everything of this kind."""

    def send(self, objects: Sequence[WrittenObject]) -> Sequence[DeliveryResult]:
        """Send; one result per object, in order."""


@dataclass(frozen=True)
class Refused:
    """One object that the archive takes in no form; `instead` is the kind that it has instead.

    `named_by` is the kind of an object that the archive has and that refers to the refused one.
    The same object under the same UID is the same everywhere, so it is sent as it is; that the
    reference leads nowhere here is said with the delivery.
    """

    written: WrittenObject
    why: str
    instead: str
    named_by: str = ""


class Dispatch:
    """One delivery.

    Parameters
    ----------
    workspace
        Folder of the job.
    written
        Every object of the job.
    """

    def __init__(self, workspace: Path, written: Sequence[WrittenObject], archive: Archive) -> None:
        self._workspace = workspace
        self._written = written
        self._archive = archive

    def run(self, wanted: Sequence[WrittenObject]) -> tuple[Refused, ...]:
        """Send what is wanted; return what was refused.

        Raises
        ------
        RetryableError
            If something may arrive at a later attempt.
        """
        key_images = [each for each in wanted if each.kind == "key_images"]
        refused = self._offer([each for each in wanted if each not in key_images])
        replaced = self._replace_all(refused)
        refused = self._offer([self._selection(each) for each in key_images])
        return replaced + self._replace_all(refused)

    def _selection(self, key_images: WrittenObject) -> WrittenObject:
        close_ups = [each for each in self._written if each.kind == "closeup"]
        if self._archive.has(key_images) or all(map(self._archive.has, close_ups)):
            return key_images
        return of_slices_only(key_images, self._workspace)

    def _replace_all(self, refused: Mapping[WrittenObject, str]) -> tuple[Refused, ...]:
        return tuple(
            Refused(each, why, self._replace(each), self._named_by(each))
            for each, why in refused.items()
        )

    def _named_by(self, refused: WrittenObject) -> str:
        """The measurement report names the segments that it measured."""
        reports = [each for each in self._written if each.kind == "sr"]
        return "sr" if refused.kind == "seg" and any(map(self._archive.has, reports)) else ""

    def _replace(self, refused: WrittenObject) -> str:
        """Send what says the same in another way; return its kind, or an empty text."""
        for kind in INSTEAD.get(refused.kind, ()):
            others = [each for each in self._written if each.kind == kind]
            self._offer(others)
            if any(map(self._archive.has, others)):
                return kind
        return ""

    def _offer(self, objects: Sequence[WrittenObject]) -> dict[WrittenObject, str]:
        """Send in the first form that is taken; return what is refused, and why."""
        left = [each for each in objects if not self._archive.has(each)]
        refused: dict[WrittenObject, str] = {}
        for syntax in self._archive.syntaxes:
            known = self._archive.refusals()
            asked = [each for each in left if _encoding(each, syntax) not in known]
            answers = self._send(syntax, asked)
            left = [each for each in left if each not in answers or _of_the_class(answers[each])]
            for each in asked:
                if answers[each].outcome is Outcome.REFUSED:
                    refused[each] = _words(answers[each])
            for each in left:
                refused.setdefault(each, known.get(_encoding(each, syntax), ""))
        arrived = [each for each in refused if self._archive.has(each)]
        return {each: why for each, why in refused.items() if each not in arrived}

    def _send(
        self, syntax: str, objects: Sequence[WrittenObject]
    ) -> dict[WrittenObject, DeliveryResult]:
        if not objects:
            return {}
        results = self._archive.send([self._in_form(syntax, each) for each in objects])
        answers = dict(zip(objects, results, strict=True))
        for each, result in answers.items():
            if _of_the_class(result):
                self._archive.remember(_encoding(each, syntax), _words(result))
        failed = [result for result in results if result.outcome is Outcome.FAILED]
        if failed:
            raise RetryableError(
                f"{len(failed)} of {len(results)} objects not stored: {_words(failed[0])}"
            )
        return answers

    def _in_form(self, syntax: str, written: WrittenObject) -> WrittenObject:
        return written if syntax == AS_WRITTEN else in_implicit_vr(written, self._workspace)


def comment_on(refused: Sequence[Refused]) -> str:
    """What people are told of a delivery that had to make do."""
    return "; ".join(
        f"{each.written.kind} refused ({each.why}), "
        + (f"{each.instead} sent instead" if each.instead else "nothing instead")
        + (f"; the {each.named_by} still refers to it" if each.named_by else "")
        for each in refused
    )


def _encoding(written: WrittenObject, syntax: str) -> Encoding:
    return Encoding(written.SOPClassUID, syntax)


def _of_the_class(result: DeliveryResult) -> bool:
    """Whether every object of the class would be refused in this form."""
    negotiated_away = result.status is None or result.status == _CLASS_NOT_SUPPORTED
    return result.outcome is Outcome.REFUSED and negotiated_away and bool(result.SOPClassUID)


def _words(result: DeliveryResult) -> str:
    status = "" if result.status is None else f"status 0x{result.status:04X}"
    return ", ".join(filter(None, (status, result.comment))) or "no answer"
