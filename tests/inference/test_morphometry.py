"""Heights against analytic bodies whose heights are known exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from inference import (
    CTVolume,
    LabelledVertebra,
    ModelIdentity,
    Segmentation,
    VertebraLevel,
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


SHAPES = {
    "normal": Spine(25.0, 24.0, 24.5),
    "wedge": Spine(25.0, 21.5, 17.0, tilt_deg=(6.0, 0.0), upper_share=0.8),
    "biconcave": Spine(25.0, 16.5, 23.5, tilt_deg=(-9.0, 5.0)),
    "crush": Spine(15.0, 14.0, 14.0, tilt_deg=(4.0, -12.0)),
    "scoliotic": Spine(24.0, 22.8, 24.0, tilt_deg=(3.0, 22.0)),
}


@pytest.mark.parametrize("grid", GRIDS)
def test_heights_are_right_to_half_a_millimetre_in_thin_slices(grid: str) -> None:
    """Mean absolute error at most 0.5 mm at 1.25 mm slices, over normal and fractured shapes."""
    found = [
        errors_mm(spine, *render(spine, grid, (1.25, 0.8, 0.8), noise_hu=30.0))
        for spine in SHAPES.values()
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
