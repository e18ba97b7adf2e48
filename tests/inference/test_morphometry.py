"""Heights against analytic bodies whose heights are known exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from inference import (
    CTVolume,
    LabelledVertebra,
    ModelIdentity,
    Segmentation,
    VertebraLevel,
    VertebraMeasurement,
)
from inference.morphometry import measure

MODEL = ModelIdentity("test", "1", "0" * 64)
LEVELS = (VertebraLevel.T12, VertebraLevel.L1, VertebraLevel.L2)
GRIDS = {  # rows: directions of the k, j and i axes in LPS
    "axial": ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
    "sagittal": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "coronal": ((0, -1, 0), (0, 0, -1), (1, 0, 0)),
}


@dataclass(frozen=True)
class Spine:
    """Three equal bodies on a straight, tilted axis; the middle one has the given heights."""

    posterior: float = 25.0
    middle: float = 25.0
    anterior: float = 25.0
    tilt_deg: tuple[float, float] = (0.0, 0.0)
    upper_share: float = 0.5
    disc_mm: float = 7.0
    shell_mm: float = 0.8
    shell_hu: float = 550.0
    trabecular_hu: float = 150.0
    depth_mm: float = 32.0
    width_mm: float = 42.0
    shift_mm: float = 0.0

    @property
    def axes(self) -> np.ndarray:
        """Rows anterior, left, cranial in LPS."""
        a, b = np.radians(self.tilt_deg)
        nod = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        bend = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        return np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]) @ (nod @ bend).T

    def plates(self, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        fraction = s / self.depth_mm + 0.5
        h = sum(
            value * np.prod([(fraction - o) / (at - o) for o in (0.15, 0.5, 0.85) if o != at], 0)
            for at, value in ((0.15, self.posterior), (0.5, self.middle), (0.85, self.anterior))
        )
        return -self.posterior / 2 - (1 - self.upper_share) * (h - self.posterior), (
            self.posterior / 2 + self.upper_share * (h - self.posterior)
        )

    def sample(self, points_lps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """HU and label at points (bodies and discs only)."""
        s, x, z = np.moveaxis((points_lps - [0, 0, self.shift_mm]) @ self.axes.T, -1, 0)
        radius = np.sqrt((2 * s / self.depth_mm) ** 2 + (2 * x / self.width_mm) ** 2)
        rim = (1 - radius) * self.depth_mm / 2
        column = radius < 1
        lower, upper = self.plates(s)
        pitch = self.posterior + self.disc_mm
        hu = np.where(column, 80.0, 40.0)
        label = np.zeros(s.shape, dtype=np.uint8)
        # the fractured middle keeps its disc space; neighbours have flat endplates beyond it
        spans = (
            (LEVELS[2], np.full_like(s, -pitch - self.posterior / 2), lower - self.disc_mm),
            (LEVELS[1], lower, upper),
            (LEVELS[0], upper + self.disc_mm, np.full_like(s, pitch + self.posterior / 2)),
        )
        for level, low, high in spans:
            inside = column & (z > low) & (z < high)
            deep = np.minimum(np.minimum(z - low, high - z), rim) > self.shell_mm
            hu = np.where(inside, np.where(deep, self.trabecular_hu, self.shell_hu), hu)
            label[inside] = int(level)
        return hu, label


def render(
    spine: Spine, grid: str, spacing_kji: tuple[float, float, float], noise_hu: float = 0.0
) -> tuple[CTVolume, Segmentation]:
    """Supersampled voxels, hard masks by voxel centre."""
    spacing = np.array(spacing_kji)
    directions = np.array(GRIDS[grid], dtype=float).T
    reach_lps = np.array([29.0, 24.0, 0.95 * spine.posterior + spine.disc_mm + 4])
    shape = np.ceil(2 * (np.abs(directions).T @ reach_lps) / spacing).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    # a fraction of a voxel off centre, so that no face lies on a voxel border by design
    affine[:3, 3] = -affine[:3, :3] @ ((shape - 1) / 2 + [0.17, 0.31, 0.23])
    index = np.moveaxis(np.indices(shape), 0, -1)
    centres = index @ affine[:3, :3].T + affine[:3, 3]
    _, labels = spine.sample(centres)
    fine = np.maximum(2, np.ceil(spacing / 0.65)).astype(int)
    total = np.zeros(tuple(shape))
    for offset in np.ndindex(*fine):
        step = affine[:3, :3] @ ((np.array(offset) + 0.5) / fine - 0.5)
        total += spine.sample(centres + step)[0]
    hu = total / fine.prod()
    hu += np.random.default_rng(7).normal(0.0, 1.0, hu.shape) * noise_hu
    volume = CTVolume(np.round(hu).astype(np.int16), affine)
    found = tuple(LabelledVertebra(level, 1.0, level is LEVELS[1]) for level in LEVELS)
    return volume, Segmentation(labels, labels, found, MODEL)


def errors_mm(spine: Spine, volume: CTVolume, segmentation: Segmentation) -> np.ndarray:
    heights = measure(volume, segmentation)[1].heights_mm
    assert heights is not None
    return np.array(
        [
            heights.anterior - spine.anterior,
            heights.middle - spine.middle,
            heights.posterior - spine.posterior,
        ]
    )


def middle_of_three(volume: CTVolume, masks: Segmentation) -> VertebraMeasurement:
    return measure(volume, masks)[1]


SHAPES = {
    "normal": Spine(25.0, 24.0, 24.5),
    "wedge": Spine(25.0, 21.5, 17.0, tilt_deg=(6.0, 0.0), upper_share=0.8),
    "biconcave": Spine(25.0, 16.5, 23.5, tilt_deg=(-9.0, 5.0)),
    "crush": Spine(15.0, 14.0, 14.0, tilt_deg=(4.0, -12.0)),
    "scoliotic": Spine(24.0, 22.8, 24.0, tilt_deg=(3.0, 22.0)),
}


SHAPES_OF_GRID = {
    "axial": ("normal", "wedge", "crush"),
    "sagittal": ("biconcave", "scoliotic"),
    "coronal": ("wedge", "biconcave"),
}


@pytest.mark.parametrize("grid", GRIDS)
def test_heights_are_right_to_half_a_millimetre_in_thin_slices(grid: str) -> None:
    """Mean absolute error at most 0.5 mm at 1.25 mm slices, over normal and fractured shapes."""
    found = [
        errors_mm(SHAPES[name], *render(SHAPES[name], grid, (1.25, 0.9, 0.9), noise_hu=30.0))
        for name in SHAPES_OF_GRID[grid]
    ]
    assert np.abs(found).mean() <= 0.5
    assert np.abs(found).max() <= 1.0


@pytest.mark.parametrize("grid", GRIDS)
def test_heights_are_right_to_a_millimetre_in_slices_of_3_mm(grid: str) -> None:
    """Mean absolute error at most 1.0 mm at 3 mm slices."""
    found = [
        errors_mm(spine, *render(spine, grid, (3.0, 0.9, 0.9), noise_hu=20.0))
        for spine in SHAPES.values()
    ]
    assert np.abs(found).mean() <= 1.0
    assert np.abs(found).max() <= 1.6


@pytest.fixture(scope="module")
def plain() -> tuple[CTVolume, Segmentation]:
    """A normal body in thick voxels, quick to measure."""
    return render(SHAPES["normal"], "axial", (2.0, 1.5, 1.5))


def test_centre_and_volume_are_those_of_the_body(plain: tuple[CTVolume, Segmentation]) -> None:
    """Volume of an elliptic cylinder within 4 %, centre within half a millimetre."""
    found = middle_of_three(*plain)
    assert found.volume_ml == pytest.approx(np.pi / 4 * 32 * 42 * 24.3 / 1000, rel=0.04)
    assert found.centroid_lps_mm == pytest.approx((0.0, 0.0, 0.0), abs=0.5)
    assert found.complete
    assert found.fracture is not None
    assert found.fracture.grade == 0


def test_a_cut_vertebra_gets_no_heights_and_no_grade(plain: tuple[CTVolume, Segmentation]) -> None:
    for found in (measure(*plain)[0], measure(*plain)[2]):
        assert not found.complete
        assert found.heights_mm is None
        assert found.fracture is None
        assert found.flags == ("cut_by_field_of_view",)
        assert {"heights_mm", "height_loss", "genant", "volume_ml"} <= set(found.unavailable)


def test_a_body_at_the_edge_counts_as_cut_whatever_the_segmenter_says(
    plain: tuple[CTVolume, Segmentation],
) -> None:
    volume, masks = plain
    sure = tuple(replace(v, complete=True) for v in masks.vertebrae)
    found = measure(volume, replace(masks, vertebrae=sure))
    assert [m.complete for m in found] == [False, True, False]


def test_a_level_without_a_body_says_so(plain: tuple[CTVolume, Segmentation]) -> None:
    volume, masks = plain
    bodies = np.where(masks.bodies == LEVELS[1], 0, masks.bodies).astype(np.uint8)
    found = middle_of_three(volume, replace(masks, bodies=bodies))
    assert found.heights_mm is None
    assert found.volume_ml is None
    assert found.flags == ("body_not_separated",)
    assert "no vertebral body" in found.unavailable["heights_mm"]


def test_metal_in_the_body_is_flagged_and_does_not_move_the_endplates(
    plain: tuple[CTVolume, Segmentation],
) -> None:
    volume, masks = plain
    hu = volume.hu.copy()
    k, j, i = (n // 2 for n in hu.shape)
    hu[k - 1 : k + 2, j - 4 : j + 5, i + 4 : i + 7] = 3000
    found = middle_of_three(replace(volume, hu=hu), masks)
    assert "foreign_material" in found.flags
    assert np.abs(errors_mm(SHAPES["normal"], replace(volume, hu=hu), masks)).max() < 1.0


@pytest.fixture(scope="module")
def caged(plain: tuple[CTVolume, Segmentation]) -> CTVolume:
    """Two metal pegs in the disc under the middle body, with a dark and a bright streak."""
    volume, _ = plain
    points = volume.to_lps_mm(np.moveaxis(np.indices(volume.hu.shape), 0, -1))
    in_disc = np.abs(points[..., 2] + 12.5 + 3.5) < 4.0
    pegs = in_disc & (np.abs(np.abs(points[..., 0]) - 9.0) < 4.0) & (np.abs(points[..., 1]) < 10)
    shadow = np.abs(points[..., 2] + 12.5 + 3.0) < 6.5
    hu = np.where(shadow, 60, volume.hu)
    hu = np.where(np.abs(points[..., 2] + 8.0) < 1.5, 700, hu)
    return replace(volume, hu=np.where(pegs, 3000, hu).astype(np.int16))


def test_beside_metal_a_mask_that_somebody_drew_is_believed_more_than_the_image(
    plain: tuple[CTVolume, Segmentation], caged: CTVolume
) -> None:
    _, masks = plain
    assert "foreign_material" in middle_of_three(caged, masks).flags
    assert np.abs(errors_mm(SHAPES["normal"], caged, masks)).max() < 0.8


def test_beside_metal_the_mask_of_a_network_gives_no_heights(
    plain: tuple[CTVolume, Segmentation], caged: CTVolume
) -> None:
    """Networks lose millimetres of bone there: a fracture would be made up."""
    _, masks = plain
    found_by_one = replace(masks, model=replace(MODEL, surface_sd_mm=1.0))
    found = middle_of_three(caged, found_by_one)
    assert found.heights_mm is None
    assert found.fracture is None
    assert found.unavailable["heights_mm"] == "metal or cement hides the endplates"


def test_noise_alone_leaves_the_height_of_the_mask(plain: tuple[CTVolume, Segmentation]) -> None:
    """Without any edge in the image the mask speaks, with the larger uncertainty that it has."""
    volume, masks = plain
    empty = np.random.default_rng(1).normal(60, 40, volume.hu.shape).astype(np.int16)
    found = middle_of_three(replace(volume, hu=empty), masks)
    assert found.heights_mm is not None
    assert found.heights_mm.posterior == pytest.approx(25.0, abs=2.5)
    clear = middle_of_three(volume, masks).height_uncertainty_mm
    assert clear is not None
    assert found.height_uncertainty_mm is not None
    assert found.height_uncertainty_mm > 2 * clear


def test_order_of_the_given_vertebrae_does_not_matter(
    plain: tuple[CTVolume, Segmentation],
) -> None:
    volume, masks = plain
    turned = measure(volume, replace(masks, vertebrae=masks.vertebrae[::-1]))
    assert [m.level for m in turned] == list(LEVELS)


def test_masks_of_another_grid_are_refused(plain: tuple[CTVolume, Segmentation]) -> None:
    volume, masks = plain
    with pytest.raises(ValueError, match="masks"):
        measure(replace(volume, hu=volume.hu[:-1]), masks)


@pytest.mark.parametrize("flip", [(0,), (1,), (2,), (0, 1, 2)])
def test_heights_do_not_depend_on_the_direction_of_the_axes(
    plain: tuple[CTVolume, Segmentation], flip: tuple[int, ...]
) -> None:
    """Either slice order, mirrored storage: the same patient, the same heights."""
    volume, masks = plain
    affine = volume.affine_lps.copy()
    for axis in flip:
        affine[:3, 3] += affine[:3, axis] * (volume.hu.shape[axis] - 1)
        affine[:3, axis] *= -1
    turned = replace(volume, hu=np.flip(volume.hu, flip), affine_lps=affine)
    labels = np.ascontiguousarray(np.flip(masks.labels, flip))
    there = middle_of_three(turned, replace(masks, labels=labels, bodies=labels)).heights_mm
    here = middle_of_three(volume, masks).heights_mm
    assert here is not None
    assert there is not None
    assert vars(there) == pytest.approx(vars(here), abs=0.02)


def test_a_cavity_in_a_mask_is_no_endplate(plain: tuple[CTVolume, Segmentation]) -> None:
    """A hole under the upper endplate, open to the front as networks leave it."""
    volume, masks = plain
    where = np.argwhere(masks.bodies == LEVELS[1])
    centres = volume.to_lps_mm(where)
    hole = (np.abs(centres[:, 0]) < 9) & (centres[:, 1] < -6) & (np.abs(centres[:, 2] - 6) < 3)
    bodies, labels = masks.bodies.copy(), masks.labels.copy()
    bodies[tuple(where[hole].T)] = labels[tuple(where[hole].T)] = 0
    found = middle_of_three(volume, replace(masks, bodies=bodies, labels=labels))
    whole = middle_of_three(volume, masks)
    assert hole.any()
    assert found.heights_mm is not None
    assert whole.heights_mm is not None
    assert found.heights_mm.anterior == pytest.approx(whole.heights_mm.anterior, abs=0.5)
