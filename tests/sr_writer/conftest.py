"""A tiny synthetic CT: DICOM files of any geometry, a spine of boxes, and its findings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from source_files import write_enhanced, write_series

from inference.anatomy import VertebraLevel
from inference.report import (
    BodyGeometry,
    FractureFinding,
    Heights,
    LabelledVertebra,
    Measured,
    ModelIdentity,
    Segmentation,
    SpineReport,
    VertebraMeasurement,
)
from inference.volume import CTVolume, Notice
from sr_writer import WrittenObject, write_outputs
from sr_writer.findings import Findings, assemble
from sr_writer.settings import SoftwareIdentity, WriterSettings
from texture.report import (
    HUStatistics,
    PresetIdentity,
    SpineDensity,
    TextureReport,
    VertebraTexture,
)

SOFTWARE = SoftwareIdentity("spinenode", "0.1.0")
CREATED = datetime(2026, 11, 21, 9, 30, 15, tzinfo=UTC)
MODEL = ModelIdentity("spinenode-ct", "1", "ab" * 32)


@dataclass(frozen=True)
class Case:
    """One analysed study on disk."""

    volume: CTVolume
    segmentation: Segmentation
    findings: Findings
    folder: Path


def axial_affine(shape, spacing=(3.0, 1.0, 1.0), angle_deg=0.0):
    """(k, j, i) to LPS: k to the head, j to the back, i to the left, turned about x."""
    c, s = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    axes = turn @ np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(spacing)
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2 + (3.0, -20.0, 40.0)
    return affine


def sagittal_affine(shape, spacing=(2.0, 1.0, 1.0)):
    """k to the left, j (rows) to the feet, i (columns) to the back."""
    axes = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=float)
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(spacing)
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
    return affine


def _unchanged(ds: Dataset) -> None:
    del ds


def spine_labels(shape, affine, levels):
    """Boxes of bone from head to foot, each with a spinous process behind and a rib to the left.

    Built in patient coordinates, so that the same spine appears in any orientation.
    """
    index = np.indices(shape).reshape(3, -1).T
    points = index @ affine[:3, :3].T + affine[:3, 3]
    low, high = points.min(0), points.max(0)
    centre = (low + high) / 2
    pitch = (high[2] - low[2]) / max(len(levels), 1)
    labels = np.zeros(len(points), np.uint8)
    bodies = np.zeros(len(points), np.uint8)
    centroids = []
    for n, level in enumerate(levels):
        middle = np.array([centre[0], centre[1] - 6, high[2] - (n + 0.5) * pitch])
        d = points - middle
        body = (abs(d[:, 0]) < 9) & (abs(d[:, 1]) < 8) & (abs(d[:, 2]) < 0.36 * pitch)
        process = (abs(d[:, 0]) < 3) & (d[:, 1] >= 8) & (d[:, 1] < 20) & (abs(d[:, 2]) < 3)
        rib = (d[:, 0] >= 9) & (d[:, 0] < 16) & (abs(d[:, 1]) < 3) & (abs(d[:, 2]) < 3)
        labels[body | process | rib] = int(level)
        bodies[body] = int(level)
        centroids.append(points[body].mean(0) if body.any() else middle)
    return labels.reshape(shape), bodies.reshape(shape), np.array(centroids).reshape(-1, 3)


def shape_of(n) -> BodyGeometry:
    return BodyGeometry(
        Heights(0.311 + n, 0.322, 0.333),
        Measured(24.136 + n, 0.414), Measured(25.278 - n, 0.423),
        Measured(4.26 + n, 1.37), Measured(-2.14 - n, 1.18),
    )  # fmt: skip


def findings_of(volume, segmentation, centroids, fractured=()) -> Findings:
    measured, textured = [], []
    for n, vertebra in enumerate(segmentation.vertebrae):
        loss = 0.31 + 0.01 * n if vertebra.level in fractured else 0.05 + 0.001 * n
        grade = 2 if vertebra.level in fractured else 0
        measured.append(
            VertebraMeasurement(
                vertebra.level, 0.97, True, tuple(centroids[n]), 20.123 + n,
                Heights(25.111 * (1 - loss), 24.5, 25.111 + n),
                FractureFinding(loss, grade, "wedge" if grade else "none", 25.1, "posterior",
                                f"{vertebra.level.name}: anterior height lowered by {loss:.0%}.",
                                0.9123 + 0.01 * n),
                height_uncertainty_mm=0.317,
                geometry=shape_of(n),
                volume_sd_ml=0.8712 + n,
            )
        )  # fmt: skip
        values = (46.2 + n, 0.65, 2.04e-5 * (n + 1), 16.19, 0.996, 1.015, 0.99, 0.995)
        keys = ("variance", "skewness", "energy", "entropy", "sre", "lre", "rln", "rp")
        textured.append(
            VertebraTexture(
                vertebra.level, HUStatistics(141.26 + n, 139.04, 55.55), 118.26 - n,
                dict(zip(keys, values, strict=True)),
            )
        )  # fmt: skip
    levels = tuple(v.level for v in segmentation.vertebrae[:3])
    texture = TextureReport(
        PresetIdentity("goller2023", 1.0, 1000, 64),
        tuple(textured),
        SpineDensity(117.3, levels, "osteopenia", "generic line for 120 kVp", "none"),
        (Notice("contrast_unknown", "The contrast phase is not stated."),),
    )
    report = SpineReport(segmentation, tuple(measured))
    return assemble(volume, report, texture, SOFTWARE)


def segmentation_of(labels, bodies, levels) -> Segmentation:
    vertebrae = tuple(LabelledVertebra(level, 0.97, True) for level in levels)
    return Segmentation(labels, bodies, vertebrae, MODEL)


def ct_of(labels):
    rng = np.random.default_rng(7)
    hu = rng.normal(40, 15, labels.shape)
    hu[labels > 0] += 260
    return hu.astype(np.int16)


LUMBAR = (VertebraLevel.T12, VertebraLevel.L1, VertebraLevel.L2)


@pytest.fixture
def settings() -> WriterSettings:
    return WriterSettings(created=CREATED)


class Affines:
    """Grids a test may choose from."""

    axial = staticmethod(axial_affine)
    sagittal = staticmethod(sagittal_affine)


@pytest.fixture
def affines() -> type[Affines]:
    return Affines


def build_case(
    folder: Path,
    *,
    levels=LUMBAR,
    shape=(24, 64, 56),
    affine=None,
    enhanced=None,
    fractured=(VertebraLevel.L1,),
    change=_unchanged,
) -> Case:
    affine = axial_affine(shape) if affine is None else affine
    labels, bodies, centroids = spine_labels(shape, affine, levels)
    hu = ct_of(labels)
    if enhanced is None:
        source = write_series(folder, hu, affine, change)
    else:
        source = write_enhanced(folder, hu, affine, enhanced)
    volume = CTVolume(hu, affine, source)
    segmentation = segmentation_of(labels, bodies, levels)
    findings = findings_of(volume, segmentation, centroids, fractured)
    return Case(volume, segmentation, findings, folder)


@pytest.fixture
def make_case(tmp_path):
    """Write a study and return it: ``make_case(levels=, affine=, shape=, enhanced=, change=)``."""
    return partial(build_case, tmp_path / "source")


@dataclass(frozen=True)
class FullResult:
    """A case with every output, written once for all tests that only read it."""

    case: Case
    out: Path
    written: tuple[WrittenObject, ...]


@pytest.fixture(scope="session")
def full_result(tmp_path_factory) -> FullResult:
    folder = tmp_path_factory.mktemp("full")
    case = build_case(folder / "source")
    written = write_outputs(
        case.findings, case.volume, case.segmentation, folder / "out",
        WriterSettings(created=CREATED),
    )  # fmt: skip
    return FullResult(case, folder / "out", written)
