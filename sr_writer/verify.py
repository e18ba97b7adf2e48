"""The last gate before sending: every object is read again from its bytes and compared.

Writers do not share code with this check where it matters: voxels are unpacked and placed by the
standard's formulas, not by the library that packed them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from inference.report import Segmentation
from inference.volume import CTVolume
from sr_writer.errors import VerificationFailed
from sr_writer.files import WrittenObject
from sr_writer.findings_schema import Findings
from sr_writer.headers import read_header
from sr_writer.secondary_capture import close_up_comment
from sr_writer.stored_items import StoredItem, stored_items
from sr_writer.verify_seg import verify_seg
from sr_writer.verify_sr import verify_sr


def verify_outputs(
    written: tuple[WrittenObject, ...],
    findings: Findings,
    volume: CTVolume,
    segmentation: Segmentation,
) -> None:
    """Re-read what was written and compare it with what was found.

    Parameters
    ----------
    written
        From `write_outputs`; also a subset of it.

    Raises
    ------
    VerificationFailed
        At the first difference: the objects must not be sent.
    """
    read = [(item, _read(item)) for item in written]
    if not written:
        return
    patient = read_header(volume.source.frames[0].path)
    for item, ds in read:
        with _complete(item.kind):
            _verify_identity(ds, item, volume)
            _verify_patient(ds, item.kind, patient)
    close_ups = [ds for item, ds in read if item.kind == "closeup"]
    with _complete("closeup"):
        _verify_close_ups(close_ups, findings)
    objects = {item.kind: ds for item, ds in read if item.kind != "closeup"}
    _verify_contents(objects, findings, volume, segmentation)
    known = {frame.SOPInstanceUID for frame in volume.source.frames}
    known |= {item.SOPInstanceUID for item in written}
    for item, ds in read:
        with _complete(item.kind):
            _verify_references(item.kind, ds, known)


def _verify_contents(
    objects: dict[str, Dataset], findings: Findings, volume: CTVolume, segmentation: Segmentation
) -> None:
    segments = None
    if "seg" in objects:
        with _complete("seg"):
            segments = verify_seg(objects["seg"], findings, volume, segmentation.labels)
    if "sr" in objects:
        with _complete("sr"):
            verify_sr(objects["sr"], findings, volume, segments)
    if "overview" in objects:
        with _complete("overview"):
            _verify_picture(objects["overview"], "overview")
    if "pdf" in objects:
        with _complete("pdf"):
            _verify_pdf(objects["pdf"])
    if "key_images" in objects and not findings.flagged:
        raise VerificationFailed("key_images", "written although no level is flagged")


@contextmanager
def _complete(kind: str) -> Iterator[None]:
    """Turn the absence of an attribute into a failed verification."""
    try:
        yield
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise VerificationFailed(kind, f"is incomplete or damaged: {error!r}") from error


def _read(item: WrittenObject) -> Dataset:
    try:
        return pydicom.dcmread(item.path)
    except (OSError, InvalidDicomError) as error:
        raise VerificationFailed(item.kind, f"cannot be read back: {error!r}") from error


def _verify_identity(ds: Dataset, item: WrittenObject, volume: CTVolume) -> None:
    expected = {
        "SOPClassUID": item.SOPClassUID,
        "SOPInstanceUID": item.SOPInstanceUID,
        "SeriesInstanceUID": item.SeriesInstanceUID,
        "StudyInstanceUID": volume.source.StudyInstanceUID,
    }
    for keyword, value in expected.items():
        if str(ds.get(keyword)) != str(value):
            raise VerificationFailed(item.kind, f"{keyword} is not the one expected")
    if str(ds.SeriesInstanceUID) == volume.source.SeriesInstanceUID:
        raise VerificationFailed(item.kind, "would be stored in the source series")


def _verify_patient(ds: Dataset, kind: str, source: Dataset) -> None:
    for keyword in ("PatientID", "PatientName", "AccessionNumber"):
        if str(ds.get(keyword) or "") != str(source.get(keyword) or ""):
            raise VerificationFailed(kind, f"{keyword} is not that of the source")


def _verify_picture(ds: Dataset, kind: str) -> None:
    expected = int(ds.Rows) * int(ds.Columns) * 3
    if len(ds.PixelData) not in (expected, expected + expected % 2):
        raise VerificationFailed(kind, f"{len(ds.PixelData)} bytes of pixels, expected {expected}")


def _verify_close_ups(close_ups: list[Dataset], findings: Findings) -> None:
    """Each is of another flagged level and says that level's own finding."""
    open_comments = [close_up_comment(vertebra) for vertebra in findings.flagged]
    for ds in close_ups:
        _verify_picture(ds, "closeup")
        if str(ds.ImageComments) not in open_comments:
            raise VerificationFailed("closeup", "shows a level or finding that is not flagged")
        open_comments.remove(str(ds.ImageComments))


def _verify_pdf(ds: Dataset) -> None:
    document = ds.EncapsulatedDocument[: int(ds.EncapsulatedDocumentLength)]
    if not (document.startswith(b"%PDF-") and document.rstrip().endswith(b"%%EOF")):
        raise VerificationFailed("pdf", "the encapsulated document is no complete PDF")


def _verify_references(kind: str, ds: Dataset, known: set[str]) -> None:
    """Every instance an object refers to exists; in SR and KO it is also listed as evidence."""
    content = set(_referenced(stored_items(ds, "ContentSequence")))
    evidence = set(_referenced(stored_items(ds, "CurrentRequestedProcedureEvidenceSequence")))
    # the source image of every frame of a SEG has been compared by `verify_seg`
    sources = set(_referenced(stored_items(ds, "ReferencedSeriesSequence")))
    unknown = (content | evidence | sources) - known
    if unknown:
        raise VerificationFailed(kind, f"refers to {len(unknown)} instances that do not exist")
    if content - evidence:
        raise VerificationFailed(kind, "refers to an instance that is not listed as evidence")


def _referenced(items: Iterable[StoredItem]) -> Iterator[str]:
    for item in items:
        if "ReferencedSOPInstanceUID" in item:
            yield str(item.ReferencedSOPInstanceUID)
        for children in item.sequences():
            yield from _referenced(children)
