"""Synthetic CT series whose HU are a function of the patient coordinate.

`field_hu` differs in every direction, so a mirrored, shifted or transposed volume cannot equal it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    generate_uid,
)
from scipy.spatial.transform import Rotation

_OBLIQUE = Rotation.from_euler("xyz", (17, -11, 23), degrees=True).as_matrix()

ORIENTATIONS = {
    "axial": (1, 0, 0, 0, 1, 0),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "coronal": (1, 0, 0, 0, 0, -1),
    "prone": (-1, 0, 0, 0, -1, 0),
    "coronal_from_behind": (-1, 0, 0, 0, 0, 1),
    "oblique": (*_OBLIQUE[:, 0], *_OBLIQUE[:, 1]),
}


def field_hu(lps_mm: np.ndarray) -> np.ndarray:
    """HU at patient coordinates (..., 3): different slopes along x, y and z, and one corner."""
    x, y, z = np.moveaxis(np.asarray(lps_mm, dtype=float), -1, 0)
    hu = 300 + 11.0 * (x + 12) - 17.0 * (y - 30) + 5.0 * (z - 200) + 0.4 * (x + 12) * (z - 200)
    return np.clip(np.rint(hu), -1024, 3071).astype(np.int16)


def lps_grid(affine_lps: np.ndarray, shape_kji: tuple[int, int, int]) -> np.ndarray:
    """LPS coordinates (k, j, i, 3) of every voxel."""
    index = np.moveaxis(np.indices(shape_kji), 0, -1)
    return index @ affine_lps[:3, :3].T + affine_lps[:3, 3]


@dataclass
class SyntheticCT:
    """Truth, and the datasets that describe it; tests edit datasets before writing them."""

    hu: np.ndarray
    affine_lps: np.ndarray
    datasets: list[FileDataset]
    syntax: str = ExplicitVRLittleEndian

    def write(self, folder: Path, order: Any = None) -> list[Path]:
        """Write one file per dataset, named in `order` (random by default)."""
        folder.mkdir(parents=True, exist_ok=True)
        if order is None:
            order = np.random.default_rng(5).permutation(len(self.datasets))
        paths = []
        for name, index in enumerate(order):
            path = folder / f"IM{name:04d}.dcm"
            save(self.datasets[index], path, self.syntax)
            paths.append(path)
        return paths


@dataclass(frozen=True)
class Recipe:
    """What the series looks like in the file; the truth is always `field_hu`."""

    orientation: str = "axial"
    shape_kji: tuple[int, int, int] = (10, 12, 14)
    spacing_kji_mm: tuple[float, float, float] = (2.5, 0.8, 0.7)
    origin_lps_mm: tuple[float, float, float] = (-12.0, 30.0, 200.0)
    slopes: tuple[float, ...] = (1.0,)
    intercepts: tuple[float, ...] = (-1024.0,)
    bits_allocated: int = 16
    bits_stored: int = 16
    high_bit: int | None = None
    signed: bool = False
    syntax: str = ExplicitVRLittleEndian
    extra: dict[str, Any] = field(default_factory=dict)

    def per_slice(self, k: int) -> tuple[float, float]:
        return self.slopes[k % len(self.slopes)], self.intercepts[k % len(self.intercepts)]


def truth_affine(recipe: Recipe) -> np.ndarray:
    cosines = np.array(ORIENTATIONS[recipe.orientation], dtype=float)
    row, column = cosines[:3], cosines[3:]
    dk, dj, di = recipe.spacing_kji_mm
    affine = np.eye(4)
    affine[:3, 0] = np.cross(row, column) * dk
    affine[:3, 1] = column * dj
    affine[:3, 2] = row * di
    affine[:3, 3] = recipe.origin_lps_mm
    return affine


def stored_values(hu: np.ndarray, recipe: Recipe, k: int) -> np.ndarray:
    slope, intercept = recipe.per_slice(k)
    values = np.rint((hu.astype(float) - intercept) / slope).astype(np.int64)
    shift = 0 if recipe.high_bit is None else recipe.high_bit + 1 - recipe.bits_stored
    values &= (1 << recipe.bits_stored) - 1
    return (values << shift).astype(f"u{recipe.bits_allocated // 8}")


def synthetic_ct(recipe: Recipe) -> SyntheticCT:
    """Single-frame CT series."""
    affine = truth_affine(recipe)
    hu = field_hu(lps_grid(affine, recipe.shape_kji))
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    datasets = []
    for k in range(recipe.shape_kji[0]):
        ds = _blank(CTImageStorage, recipe)
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
        ds.InstanceNumber = k + 1
        _plane(ds, ds, ds, recipe, affine, k)
        slope, intercept = recipe.per_slice(k)
        ds.RescaleSlope, ds.RescaleIntercept = repr(slope)[:16], repr(intercept)[:16]
        set_pixels(ds, [stored_values(hu[k], recipe, k)], recipe)
        for keyword, value in recipe.extra.items():
            setattr(ds, keyword, value)
        datasets.append(ds)
    return SyntheticCT(hu, affine, datasets, recipe.syntax)


def synthetic_enhanced_ct(recipe: Recipe, frame_order: Any = None) -> SyntheticCT:
    """One Enhanced CT object; measures and orientation are shared, the rest is per frame."""
    affine = truth_affine(recipe)
    hu = field_hu(lps_grid(affine, recipe.shape_kji))
    count = recipe.shape_kji[0]
    order = range(count) if frame_order is None else frame_order
    ds = _blank(EnhancedCTImageStorage, recipe)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.FrameOfReferenceUID = generate_uid()
    ds.NumberOfFrames = count
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientation])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    items = []
    for k in order:
        item, position, content, transformation = Dataset(), Dataset(), Dataset(), Dataset()
        _plane(position, orientation, measures, recipe, affine, k)
        slope, intercept = recipe.per_slice(k)
        transformation.RescaleSlope, transformation.RescaleIntercept = slope, intercept
        transformation.RescaleType = "HU"
        content.StackID = "1"
        content.InStackPositionNumber = int(k) + 1
        item.PlanePositionSequence = Sequence([position])
        item.FrameContentSequence = Sequence([content])
        item.PixelValueTransformationSequence = Sequence([transformation])
        items.append(item)
    ds.PerFrameFunctionalGroupsSequence = Sequence(items)
    set_pixels(ds, [stored_values(hu[k], recipe, k) for k in order], recipe)
    return SyntheticCT(hu, affine, [ds], recipe.syntax)


def _blank(sop_class: str, recipe: Recipe) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = recipe.syntax
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    ds.Modality = "CT"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = recipe.shape_kji[1:]
    ds.BitsAllocated, ds.BitsStored = recipe.bits_allocated, recipe.bits_stored
    ds.HighBit = recipe.bits_stored - 1 if recipe.high_bit is None else recipe.high_bit
    ds.PixelRepresentation = int(recipe.signed)
    return ds


def _plane(position, orientation, measures, recipe: Recipe, affine: np.ndarray, k: int) -> None:
    origin = affine[:3, 3] + k * affine[:3, 0]
    position.ImagePositionPatient = [f"{value:.9g}" for value in origin]
    orientation.ImageOrientationPatient = [
        f"{value:.9g}" for value in ORIENTATIONS[recipe.orientation]
    ]
    measures.PixelSpacing = list(recipe.spacing_kji_mm[1:])
    measures.SliceThickness = recipe.spacing_kji_mm[0]


def set_pixels(ds: FileDataset, frames: list[np.ndarray], recipe: Recipe) -> None:
    """Encode frames in the recipe's syntax; `ds` needs no further change before saving."""
    encoders = {
        JPEGLossless: lambda a: imagecodecs.ljpeg_encode(a, bitspersample=recipe.bits_stored),
        JPEGLosslessSV1: lambda a: imagecodecs.ljpeg_encode(a, bitspersample=recipe.bits_stored),
        JPEGLSLossless: imagecodecs.jpegls_encode,
        JPEG2000Lossless: lambda a: imagecodecs.jpeg2k_encode(
            a.view(f"i{a.itemsize}") if recipe.signed else a,
            codecformat="j2k",
            reversible=True,
            bitspersample=recipe.bits_stored,
        ),
    }
    if recipe.syntax in encoders:
        ds.PixelData = encapsulate([encoders[recipe.syntax](frame) for frame in frames])
        ds["PixelData"].VR = "OB"
        return
    order = ">" if recipe.syntax == ExplicitVRBigEndian else "<"
    data = b"".join(frame.astype(frame.dtype.newbyteorder(order)).tobytes() for frame in frames)
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OB" if recipe.bits_allocated == 8 else "OW"


def save(ds: FileDataset, path: Path, syntax: str) -> None:
    ds.file_meta.TransferSyntaxUID = syntax
    ds.set_original_encoding(
        is_implicit_vr=syntax == ImplicitVRLittleEndian,
        is_little_endian=syntax != ExplicitVRBigEndian,
    )
    ds.save_as(path, enforce_file_format=True)


class SeriesWorkshop:
    """What tests use: recipes in, synthetic series out."""

    Recipe = Recipe
    orientations = tuple(ORIENTATIONS)
    single = staticmethod(synthetic_ct)
    enhanced = staticmethod(synthetic_enhanced_ct)
    field_hu = staticmethod(field_hu)
    lps_grid = staticmethod(lps_grid)
    truth_affine = staticmethod(truth_affine)
    save = staticmethod(save)

    @staticmethod
    def axial(**changes: Any) -> SyntheticCT:
        return synthetic_ct(replace(Recipe(), **changes))


@pytest.fixture(scope="session")
def ct_series() -> SeriesWorkshop:
    return SeriesWorkshop()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real, de-identified data beside the repository."""
    folder = Path(__file__).parents[2].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real data beside the repository")
    return folder
