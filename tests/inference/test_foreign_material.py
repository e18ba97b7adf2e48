"""Metal and cement are found, cortex and streaks are not taken for them."""

from __future__ import annotations

import numpy as np
import pytest

from inference import CTVolume, LabelledVertebra, ModelIdentity, Segmentation, VertebraLevel
from inference.analysis import measure_segmentation
from inference.foreign_material import find_foreign_material

V = VertebraLevel


def scene(spacing_k: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU, labels and affine: L1 above L2, each a block with a dense shell."""
    hu = np.full((70, 50, 50), 40, dtype=np.int16)
    labels = np.zeros(hu.shape, dtype=np.uint8)
    for level, low in ((V.L2, 5), (V.L1, 40)):
        block = (slice(low, low + 25), slice(10, 40), slice(10, 40))
        hu[block] = 900
        hu[low + 1 : low + 24, 11:39, 11:39] = 180
        labels[block] = level
    step = max(1, round(spacing_k))
    affine = np.diag([1.0, 1.0, 1.0, 1.0])[:, [2, 1, 0, 3]]
    affine[:, 0] *= step
    return hu[::step], labels[::step], affine


@pytest.mark.parametrize("spacing_k", [1.0, 3.0])
def test_a_screw_is_found_at_its_level_only(spacing_k: float) -> None:
    hu, labels, affine = scene(spacing_k)
    middle = int(np.argwhere(labels == V.L1)[:, 0].mean())
    hu[middle - 1 : middle + 2, 12:48, 20:25] = 3000
    found = find_foreign_material(CTVolume(hu, affine), labels)
    assert set(found.volume_ml) == {V.L1}
    assert found.mask[(hu == 3000) & (labels > 0)].all()


def test_cement_is_found_though_softer_than_metal() -> None:
    hu, labels, affine = scene()
    k, j, i = np.indices(hu.shape)
    blob = (k - 16) ** 2 + (j - 25) ** 2 + (i - 25) ** 2 < 7**2
    hu[blob] = 1500
    found = find_foreign_material(CTVolume(hu, affine), labels)
    assert set(found.volume_ml) == {V.L2}
    assert found.volume_ml[V.L2] == pytest.approx(blob.sum() / 1000.0, rel=0.01)


def test_cement_that_leaks_is_followed_out_of_its_vertebra() -> None:
    """Neighbours may not take it for their endplate; they hold no material themselves."""
    hu, labels, affine = scene()
    hu[12:36, 20:30, 20:30] = 1500
    found = find_foreign_material(CTVolume(hu, affine), labels)
    assert set(found.volume_ml) == {V.L2}
    assert found.mask[35, 25, 25]
    assert not found.core[35, 25, 25]


@pytest.mark.parametrize(("hu_of_it", "spoiled"), [(1500, False), (3000, True)])
def test_streaks_surround_metal_and_not_cement(hu_of_it: int, spoiled: bool) -> None:
    hu, labels, affine = scene()
    hu[12:21, 20:29, 20:29] = hu_of_it
    found = find_foreign_material(CTVolume(hu, affine), labels)
    assert found.mask[22, 25, 25]
    assert found.mask[28, 25, 25] == spoiled


def test_dense_cortex_is_bone() -> None:
    """A 2 mm shell of 1600 HU (young cortex, endplate sclerosis) is no cement."""
    hu, labels, affine = scene()
    shell = labels > 0
    shell[42:63, 12:38, 12:38] = False
    shell[7:28, 12:38, 12:38] = False
    hu[shell] = 1600
    assert find_foreign_material(CTVolume(hu, affine), labels).volume_ml == {}


def test_streaks_of_metal_elsewhere_flag_nothing() -> None:
    """Thin bright lines that cross a vertebra come from metal outside it."""
    hu, labels, affine = scene()
    hu[50, 10:40, 10:12] = 2600
    hu[51, 10:40, 20] = 1900
    hu[45, 30:31, 10:40] = 1500
    assert find_foreign_material(CTVolume(hu, affine), labels).volume_ml == {}


def test_metal_far_from_the_spine_is_not_the_spines() -> None:
    hu, labels, affine = scene()
    hu[:, 0:4, 0:4] = 3000
    found = find_foreign_material(CTVolume(hu, affine), labels)
    assert found.volume_ml == {}
    assert not found.mask.any()


def test_the_material_leaves_the_masks_that_are_given_out_and_the_level_is_flagged() -> None:
    hu, labels, affine = scene()
    k, j, i = np.indices(hu.shape)
    blob = (k - 16) ** 2 + (j - 25) ** 2 + (i - 25) ** 2 < 7**2
    hu[blob] = 1500
    found = tuple(LabelledVertebra(v, 1.0, True) for v in (V.L1, V.L2))
    masks = Segmentation(labels, labels, found, ModelIdentity("test", "1", "0" * 64))
    report = measure_segmentation(CTVolume(hu, affine), masks)
    assert not report.segmentation.labels[blob].any()
    assert not report.segmentation.bodies[blob].any()
    assert (report.segmentation.labels[~blob] == labels[~blob]).all()
    assert ["foreign_material" in m.flags for m in report.vertebrae] == [False, True]
    assert "foreign_material" in {notice.code for notice in report.warnings}


def test_without_material_the_masks_are_the_same_object() -> None:
    hu, labels, affine = scene()
    masks = Segmentation(labels, labels, (), ModelIdentity("test", "1", "0" * 64))
    assert find_foreign_material(CTVolume(hu, affine), labels).removed_from(masks) is masks
