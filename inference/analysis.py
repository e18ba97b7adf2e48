"""The whole science of one volume: masks, levels, measurements, findings."""

from __future__ import annotations

from functools import lru_cache

from inference.foreign_material import find_foreign_material
from inference.morphometry import measure
from inference.plausibility import check_acquisition
from inference.report import Segmentation, SpineReport
from inference.segmenter import Segmenter, TorchSegmenter, load_segmenter
from inference.supplied_mask import segmentation_from_labels
from inference.volume import CTVolume, LabelArray
from inference.window_search import Progress

__all__ = [
    "analyse_volume",
    "measure_segmentation",
    "released_segmenter",
    "segmentation_from_labels",
    "without_foreign_material",
]


def analyse_volume(
    volume: CTVolume,
    labels: LabelArray | None = None,
    segmenter: Segmenter | None = None,
    progress: Progress | None = None,
) -> SpineReport:
    """Segment, name and measure the vertebrae of one CT.

    Parameters
    ----------
    labels
        uint8 (k, j, i) VerSe labels on the grid of `volume`; if given, no network runs.
    segmenter
        None takes the released model, loaded once per process.
    progress
        Called with the finished fraction of the segmentation.

    Raises
    ------
    NotAnalysable
        If no safe answer exists, with a coded reason.
    UnreadableInput
        If `labels` do not fit the volume.
    ModelUnavailable
        If the released weights cannot be used.
    """
    if labels is not None:
        segmentation = segmentation_from_labels(volume, labels)
    else:
        segmentation = (segmenter or released_segmenter()).segment(volume, progress)
    return measure_segmentation(volume, segmentation)


def measure_segmentation(volume: CTVolume, segmentation: Segmentation) -> SpineReport:
    """Measure and grade the vertebrae of masks that exist already.

    Metal and cement are taken out of the masks of the answer, not out of those that are measured:
    a hole would draw the endplates into it.
    """
    foreign = find_foreign_material(volume, segmentation.labels)
    cleaned = foreign.removed_from(segmentation)
    return SpineReport(
        segmentation=cleaned,
        vertebrae=measure(volume, segmentation, foreign),
        warnings=(*volume.warnings, *cleaned.warnings, *check_acquisition(volume)),
    )


def without_foreign_material(volume: CTVolume, segmentation: Segmentation) -> Segmentation:
    """The masks as `measure_segmentation` answers them."""
    return find_foreign_material(volume, segmentation.labels).removed_from(segmentation)


@lru_cache(maxsize=1)
def released_segmenter() -> TorchSegmenter:
    """Load the shipped model on the best device."""
    return load_segmenter()
