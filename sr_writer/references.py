"""References from results to source images and to each other (PS3.3 10.3, C.17.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.dataset import Dataset

from inference.volume import SourceSeries
from sr_writer.explicit_vr import data_set, element, sequence, sequence_value


@dataclass(frozen=True)
class InstanceReference:
    """One referenced instance and the series it lives in."""

    StudyInstanceUID: str
    SeriesInstanceUID: str
    SOPClassUID: str
    SOPInstanceUID: str


def can_be_named(source: SourceSeries) -> bool:
    """Whether results can name the study, the series and every image that they come from."""
    named = (source.StudyInstanceUID, source.SeriesInstanceUID, source.SOPClassUID)
    images = {(frame.SOPInstanceUID, frame.frame_number) for frame in source.frames}
    distinct = len(images) == len(source.frames) > 0
    return distinct and all(named) and all(frame.SOPInstanceUID for frame in source.frames)


def sop_reference(SOPClassUID: str, SOPInstanceUID: str, *further: bytes) -> bytes:
    """Item of a Referenced SOP Sequence, encoded; `further` are more elements of it."""
    return data_set(
        element("ReferencedSOPClassUID", SOPClassUID),
        element("ReferencedSOPInstanceUID", SOPInstanceUID),
        *further,
    )


def slice_reference(source: SourceSeries, k: int, *further: bytes) -> bytes:
    """Reference to the image, or the frame of it, that slice `k` came from."""
    frame = source.frames[k]
    if frame.frame_number is not None:
        further = (element("ReferencedFrameNumber", frame.frame_number), *further)
    return sop_reference(source.SOPClassUID or "", frame.SOPInstanceUID, *further)


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


def evidence(references: Iterable[InstanceReference]) -> bytes:
    """Value of a sequence by study and series, each instance once, in the order given."""
    studies: dict[str, dict[str, dict[str, str]]] = {}
    for reference in references:
        series = studies.setdefault(reference.StudyInstanceUID, {})
        instances = series.setdefault(reference.SeriesInstanceUID, {})
        instances[reference.SOPInstanceUID] = reference.SOPClassUID
    return sequence_value(_study_item(study, series) for study, series in studies.items())


def _study_item(study: str, series: dict[str, dict[str, str]]) -> bytes:
    items = [_series_item(uid, sops) for uid, sops in series.items()]
    return data_set(element("StudyInstanceUID", study), sequence("ReferencedSeriesSequence", items))


def _series_item(uid: str, instances: dict[str, str]) -> bytes:
    items = [sop_reference(sop, sop_uid) for sop_uid, sop in instances.items()]
    return data_set(element("SeriesInstanceUID", uid), sequence("ReferencedSOPSequence", items))
