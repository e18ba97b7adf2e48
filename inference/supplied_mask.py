"""A `Segmentation` from a mask somebody else made, in VerSe labels on the volume's grid."""

from __future__ import annotations

import hashlib

import numpy as np

from inference.anatomy import SACRUM_LABEL, VertebraLevel
from inference.axes import to_canonical
from inference.bodies import separate_bodies
from inference.completeness import cut_by_view
from inference.errors import NotAnalysable, UnreadableInput
from inference.preprocess import without_blank_slices
from inference.report import LabelledVertebra, ModelIdentity, Segmentation
from inference.volume import CTVolume, LabelArray, Notice

MODEL_NAME = "supplied mask"

_LEVEL_LABELS = frozenset(int(level) for level in VertebraLevel)


def segmentation_from_labels(volume: CTVolume, labels: LabelArray) -> Segmentation:
    """Take the level names of a mask as they are and separate the bodies.

    The voxels stay as given: only a network's masks are corrected by the image.

    Parameters
    ----------
    labels
        uint8 (k, j, i), VerSe labels on the grid of `volume`; 26 is the sacrum.

    Raises
    ------
    UnreadableInput
        If the mask has another shape than the volume or is no integer array.
    NotAnalysable
        ``no_vertebra`` if the mask holds no vertebra.
    """
    _check_grid(volume, labels)
    kept, ignored = _known_labels(labels)
    canonical, _, order = to_canonical(kept, volume.affine_lps)
    hu, _, _ = to_canonical(volume.hu, volume.affine_lps)
    seen = without_blank_slices(hu, 0, len(hu))
    spacing = np.asarray(volume.spacing_kji_mm)[list(order.source_axis)]
    z, y, x = (float(s) for s in spacing)
    affine = order.apply_affine(volume.affine_lps, volume.shape_kji)
    bodies = separate_bodies(canonical, (z, y, x), affine)
    present = set(np.unique(kept).tolist())
    levels = [level for level in VertebraLevel.ordered() if int(level) in present]
    if not levels:
        raise NotAnalysable("no_vertebra", "The supplied mask holds no vertebra.")
    digest = hashlib.sha256(np.ascontiguousarray(labels).tobytes()).hexdigest()
    return Segmentation(
        labels=kept,
        bodies=order.restore(bodies),
        vertebrae=tuple(
            LabelledVertebra(level, 1.0, _complete(canonical, bodies, level, seen))
            for level in levels
        ),
        model=ModelIdentity(MODEL_NAME, "1", digest),
        warnings=_ignored_notice(ignored),
    )


def _check_grid(volume: CTVolume, labels: LabelArray) -> None:
    if labels.shape != volume.hu.shape:
        raise UnreadableInput(
            f"the supplied mask has shape {labels.shape}, the CT has {volume.hu.shape}"
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise UnreadableInput(f"the supplied mask has type {labels.dtype}, expected integers")


def _known_labels(labels: LabelArray) -> tuple[LabelArray, list[int]]:
    present = {int(value) for value in np.unique(labels)} - {0}
    ignored = sorted(present - _LEVEL_LABELS - {SACRUM_LABEL})
    kept = (
        labels.astype(np.uint8)
        if not ignored
        else np.where(np.isin(labels, ignored), 0, labels).astype(np.uint8)
    )
    return kept, ignored


def _complete(
    canonical: LabelArray, bodies: LabelArray, level: VertebraLevel, seen: tuple[int, int]
) -> bool:
    """Judge by the body; a vertebra without a separable body by its whole mask."""
    judged = bodies if (bodies == int(level)).any() else canonical
    return not cut_by_view(judged, int(level), seen)


def _ignored_notice(ignored: list[int]) -> tuple[Notice, ...]:
    if not ignored:
        return ()
    names = ", ".join(str(value) for value in ignored)
    return (
        Notice("unknown_labels", f"Labels {names} of the supplied mask are no vertebrae: ignored."),
    )
