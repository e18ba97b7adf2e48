"""A mask that closes the bowl of a collapsed endplate is opened; masks that follow it stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from inference import CTVolume, LabelledVertebra, ModelIdentity, Segmentation, VertebraLevel
from inference.bridged_hollows import CODE, without_bridged_hollows
from inference.morphometry import measure
from inference.smooth_surface import smooth_surface
from inference.supplied_mask import segmentation_from_labels

HEIGHT_MM = 25.0
DISC_HU, BONE_HU, SHELL_HU = 80.0, 190.0, 600.0
AFFINE = np.array([[0, 0, 1.0, -24], [0, 1.0, 0, -20], [1.0, 0, 0, -24], [0, 0, 0, 1.0]])


@dataclass(frozen=True)
class Body:
    """One body (L1): the CT, and its masks with and without the hollow of the upper endplate."""

    volume: CTVolume
    true: npt.NDArray[np.bool_]
    bridged: npt.NDArray[np.bool_]


def body(hollow_mm: float, shell_hu: float = SHELL_HU, radius_mm: float = 12.0) -> Body:
    z, y, x = np.meshgrid(
        np.arange(-24, 25.0), np.arange(-20, 21.0), np.arange(-24, 25.0), indexing="ij"
    )
    round_about = (x / 20) ** 2 + (y / 16) ** 2 < 1
    bowl = hollow_mm * np.clip(1 - (np.hypot(x, y) / radius_mm) ** 2, 0, None)
    bridged = round_about & (np.abs(z) < HEIGHT_MM / 2)
    true = bridged & (z < HEIGHT_MM / 2 - bowl)
    hu = np.where(true, BONE_HU, DISC_HU)
    hu[true & ~ndimage.binary_erosion(true)] = shell_hu
    hu = ndimage.gaussian_filter(hu, 0.5) + np.random.default_rng(3).normal(0, 15, hu.shape)
    return Body(CTVolume(np.rint(hu).astype(np.int16), AFFINE), true, bridged)


def masks(mask: npt.NDArray[np.bool_]) -> Segmentation:
    labels = np.where(mask, VertebraLevel.L1, 0).astype(np.uint8)
    found = (LabelledVertebra(VertebraLevel.L1, 1.0, complete=True),)
    return Segmentation(labels, labels, found, ModelIdentity("test", "1", "0" * 64))


@pytest.mark.parametrize("hollow_mm", [7.0, 11.0])
def test_a_bridged_hollow_is_taken_out_of_the_masks_and_said(hollow_mm: float) -> None:
    case = body(hollow_mm)
    opened = without_bridged_hollows(case.volume, masks(case.bridged))
    wrong = (opened.bodies > 0) != case.true
    assert wrong.sum() < 0.33 * (case.bridged & ~case.true).sum()
    assert np.array_equal(opened.labels, opened.bodies)
    (notice,) = opened.warnings
    assert notice.code == CODE
    assert "L1, the upper endplate" in notice.text


def test_the_middle_height_is_read_in_the_opened_hollow() -> None:
    case = body(hollow_mm=11.0)
    (closed,) = measure(case.volume, masks(case.bridged))
    (found,) = measure(case.volume, without_bridged_hollows(case.volume, masks(case.bridged)))
    assert closed.heights_mm is not None
    assert found.heights_mm is not None
    assert closed.heights_mm.middle > HEIGHT_MM - 5.0
    assert found.heights_mm.middle == pytest.approx(HEIGHT_MM - 11.0, abs=1.0)


@pytest.mark.parametrize(
    ("hollow_mm", "shell_hu"), [(0.0, SHELL_HU), (0.0, BONE_HU), (9.0, SHELL_HU)]
)
def test_masks_that_follow_the_endplates_stay_as_they_are(
    hollow_mm: float, shell_hu: float
) -> None:
    case = body(hollow_mm, shell_hu)
    given_masks = masks(case.true)
    assert without_bridged_hollows(case.volume, given_masks) is given_masks


def test_a_mask_that_somebody_gave_is_not_changed() -> None:
    case = body(hollow_mm=11.0)
    labels = masks(case.bridged).labels
    assert np.array_equal(segmentation_from_labels(case.volume, labels).labels, labels)


def test_an_image_without_endplates_changes_no_mask() -> None:
    """Empty, and noise alone."""
    mask = masks(body(0.0).bridged)
    noise = np.random.default_rng(4).normal(40, 40, mask.labels.shape)
    for hu in (np.zeros(mask.labels.shape), noise):
        volume = CTVolume(np.rint(hu).astype(np.int16), AFFINE)
        assert without_bridged_hollows(volume, mask) is mask


def test_a_soft_spot_under_a_sound_endplate_is_no_hollow() -> None:
    """A cyst or metastasis as soft as disc: the endplate above it is where the mask says."""
    case = body(0.0)
    hu = case.volume.hu.copy()
    hu[28:35, 13:28, 16:33] = int(DISC_HU)
    given_masks = masks(case.bridged)
    assert without_bridged_hollows(CTVolume(hu, AFFINE), given_masks) is given_masks


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_surface_follows_a_wall_and_passes_over_lone_columns(seed: int) -> None:
    """A step of five depths across half the grid is kept, one column that says otherwise is not."""
    rng = np.random.default_rng(seed)
    true = np.where(np.arange(12)[:, None] < 6, 2, 7) * np.ones((1, 8), dtype=int)
    told = true.copy()
    told[rng.integers(1, 3), rng.integers(1, 7)] = 9
    cost = np.minimum(np.abs(np.arange(11) - told[..., None]), 3) + rng.uniform(0, 0.1, (12, 8, 11))
    assert np.array_equal(smooth_surface(cost, step_penalty=0.5), true)
    assert np.array_equal(smooth_surface(cost, step_penalty=0.0), told)
