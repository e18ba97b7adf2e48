"""Density of phantoms built with a known one, measured with their own calibration."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest

import texture
from inference import CTVolume, LabelledVertebra, ModelIdentity, Segmentation, VertebraLevel
from inference.morphometry import measure
from inference.phantom.layout import field_of_view, phantom_anatomy
from inference.phantom.materials import HU_AT_ZERO_BMD, HU_PER_MG_CM3
from inference.phantom.render import render
from inference.phantom.spec import PhantomSpec, parse_levels
from inference.phantom.truth import truth
from texture.calibration import Calibration
from texture.density import bmd_class
from texture.report import TextureReport

TRUE_LINE = Calibration("phantom", HU_PER_MG_CM3, HU_AT_ZERO_BMD)
LARGEST_ERROR = 5.0
CLASSES = ("osteoporosis", "osteopenia", "normal")
SPACINGS = ((0.7, 0.7, 0.7), (0.9, 0.9, 1.25), (0.8, 0.8, 2.0), (0.9, 0.9, 3.0), (0.9, 0.9, 5.0))
DENSITIES = (40.0, 79.0, 100.0, 121.0, 200.0)


def measured(bmd: float, spacing_xyz_mm: tuple[float, float, float], seed: int) -> TextureReport:
    """Density of L1-L3 with the phantom's own masks and calibration."""
    spec = PhantomSpec(
        seed=seed,
        levels=parse_levels("L1-L3"),
        bmd_mg_cm3=bmd,
        spacing_xyz_mm=spacing_xyz_mm,
        noise_hu=22.0,
        field_of_view_mm=90.0,
    )
    anatomy = phantom_anatomy(spec)
    affine, shape = field_of_view(spec, anatomy)
    rows = truth(spec, anatomy, affine, shape)["vertebrae"]
    rendered = render(spec, anatomy, affine, shape)
    found = tuple(
        LabelledVertebra(VertebraLevel(row["verse_label"]), 1.0, row["complete"]) for row in rows
    )
    masks = Segmentation(
        rendered.labels, rendered.bodies, found, ModelIdentity("phantom truth", "1", "0" * 64)
    )
    volume = CTVolume(rendered.hu, affine)
    return texture.extract(volume, masks, measure(volume, masks), calibration=TRUE_LINE)


def check(report: TextureReport, bmd: float) -> float:
    """Largest error of the levels and of the mean; asserts it, and the class."""
    values = [v.bmd_mg_cm3 for v in report.vertebrae if v.bmd_mg_cm3 is not None]
    assert report.spine.bmd_mg_cm3 is not None
    assert len(values) >= 3
    error = float(np.abs(np.array([*values, report.spine.bmd_mg_cm3]) - bmd).max())
    assert error <= LARGEST_ERROR
    assert report.spine.bmd_class is not None
    off = CLASSES.index(report.spine.bmd_class) - CLASSES.index(bmd_class(bmd))
    assert abs(off) <= 1
    return error


@pytest.mark.parametrize(
    ("bmd", "spacing"), [(40.0, SPACINGS[1]), (100.0, SPACINGS[4]), (200.0, SPACINGS[3])]
)
def test_a_built_density_is_measured(bmd: float, spacing: tuple[float, float, float]) -> None:
    check(measured(bmd, spacing, seed=4), bmd)


@pytest.mark.slow
def test_every_density_at_every_spacing_is_measured() -> None:
    """Prints the largest error per spacing."""
    largest: dict[tuple[float, float, float], float] = {}
    for n, (spacing, bmd) in enumerate(itertools.product(SPACINGS, DENSITIES)):
        error = check(measured(bmd, spacing, seed=100 + n), bmd)
        largest[spacing] = max(error, largest.get(spacing, 0.0))
    for spacing, error in largest.items():
        sys.stdout.write(f"BMD, slices of {spacing[2]:g} mm: largest error {error:.1f} mg/cm3\n")
