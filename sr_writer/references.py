"""References from results to source images and to each other (PS3.3 10.3, C.17.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.dataset import Dataset

from inference.volume import SourceSeries


@dataclass(frozen=True)
class InstanceReference:
    """One referenced instance and the series it lives in."""

    StudyInstanceUID: str
    SeriesInstanceUID: str
    SOPClassUID: str
    SOPInstanceUID: str


def sop_reference(SOPClassUID: str, SOPInstanceUID: str) -> Dataset:
    """Item of a Referenced SOP Sequence."""
    ds = Dataset()
    ds.ReferencedSOPClassUID = SOPClassUID
    ds.ReferencedSOPInstanceUID = SOPInstanceUID
    return ds


def slice_reference(source: SourceSeries, k: int) -> Dataset:
    """Reference to the image, or the frame of it, that slice `k` came from."""
    frame = source.frames[k]
    ds = sop_reference(source.SOPClassUID or "", frame.SOPInstanceUID)
    if frame.frame_number is not None:
        ds.ReferencedFrameNumber = frame.frame_number
    return ds


def slice_instance(source: SourceSeries, k: int) -> InstanceReference:
    """Instance that slice `k` came from."""
    return InstanceReference(
        source.StudyInstanceUID or "",
        source.SeriesInstanceUID or "",
        source.SOPClassUID or "",
        source.frames[k].SOPInstanceUID,
    )


def instance_reference(ds: Dataset) -> InstanceReference:
    """Reference to a result object."""
    return InstanceReference(
        str(ds.StudyInstanceUID),
        str(ds.SeriesInstanceUID),
        str(ds.SOPClassUID),
        str(ds.SOPInstanceUID),
    )


def evidence_sequence(references: Iterable[InstanceReference]) -> list[Dataset]:
    """Items by study and series, each instance once, in the order given."""
    studies: dict[str, dict[str, dict[str, str]]] = {}
    for reference in references:
        series = studies.setdefault(reference.StudyInstanceUID, {})
        instances = series.setdefault(reference.SeriesInstanceUID, {})
        instances[reference.SOPInstanceUID] = reference.SOPClassUID
    return [_study_item(study, series) for study, series in studies.items()]


def _study_item(study: str, series: dict[str, dict[str, str]]) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID = study
    item.ReferencedSeriesSequence = [_series_item(uid, sops) for uid, sops in series.items()]
    return item


def _series_item(uid: str, instances: dict[str, str]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = uid
    item.ReferencedSOPSequence = [sop_reference(sop, sop_uid) for sop_uid, sop in instances.items()]
    return item
