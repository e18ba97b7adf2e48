"""A CT volume in patient coordinates, and where it came from.

Coordinates: DICOM's patient frame LPS (x to the patient's left, y to the back, z to the head),
in mm. Arrays are indexed ``[k, j, i]`` = slice, row, column. `affine_lps` maps an index to the
**centre** of its voxel: ``affine_lps @ (k, j, i, 1) = (x, y, z, 1)``. RAS exists only inside the
NIfTI readers and writers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

HUArray = npt.NDArray[np.int16]
LabelArray = npt.NDArray[np.uint8]
Affine = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Notice:
    """A coded remark: a warning, or a reason why something is not available."""

    code: str
    text: str


@dataclass(frozen=True)
class SourceFrame:
    """One CT slice as it was received."""

    path: Path
    SOPInstanceUID: str
    frame_number: int | None = None
    """1-based, for multi-frame objects; None for single-frame objects."""
    ImagePositionPatient: tuple[float, float, float] | None = None
    """As the source states it, in LPS mm; None where only the grid is known."""


@dataclass(frozen=True)
class Acquisition:
    """Acquisition attributes that say how far the numbers can be trusted; None where absent."""

    Manufacturer: str | None = None
    ManufacturerModelName: str | None = None
    KVP: float | None = None
    ConvolutionKernel: str | None = None
    SliceThickness: float | None = None
    ContrastBolusAgent: str | None = None
    GantryDetectorTilt: float | None = None


@dataclass(frozen=True)
class SourceSeries:
    """The series a volume was read from; UIDs are None for NIfTI input.

    `frames[k]` is the source of ``hu[k]``; empty for NIfTI input.
    """

    StudyInstanceUID: str | None = None
    SeriesInstanceUID: str | None = None
    SOPClassUID: str | None = None
    FrameOfReferenceUID: str | None = None
    frames: tuple[SourceFrame, ...] = ()
    acquisition: Acquisition = field(default_factory=Acquisition)


@dataclass(frozen=True)
class CTVolume:
    """HU on a regular, possibly oblique grid.

    Attributes
    ----------
    hu
        int16, shape (k, j, i), Hounsfield units.
    affine_lps
        float64, 4x4, index (k, j, i, 1) to LPS mm of the voxel's centre.
    source
        Where the volume came from.
    warnings
        What the geometry gate noticed and accepted.
    """

    hu: HUArray
    affine_lps: Affine
    source: SourceSeries = field(default_factory=SourceSeries)
    warnings: tuple[Notice, ...] = ()

    @property
    def shape_kji(self) -> tuple[int, int, int]:
        """Number of voxels along k, j and i."""
        k, j, i = self.hu.shape
        return k, j, i

    @property
    def spacing_kji_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along k, j and i, in mm."""
        k, j, i = np.linalg.norm(self.affine_lps[:3, :3], axis=0)
        return float(k), float(j), float(i)

    def to_lps_mm(self, index_kji: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Patient coordinates (..., 3) in mm of (fractional) indices (..., 3)."""
        index = np.asarray(index_kji, dtype=np.float64)
        point: npt.NDArray[np.float64] = index @ self.affine_lps[:3, :3].T + self.affine_lps[:3, 3]
        return point

    def to_index_kji(self, point_lps_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Fractional indices (..., 3) of patient coordinates (..., 3) in mm."""
        inverse = np.linalg.inv(self.affine_lps)
        point = np.asarray(point_lps_mm, dtype=np.float64)
        index: npt.NDArray[np.float64] = point @ inverse[:3, :3].T + inverse[:3, 3]
        return index

    @staticmethod
    def from_dicom(folder: str | Path) -> CTVolume:
        """Read one CT series, or one multi-frame file, and pass it through the geometry gate.

        Raises
        ------
        UnreadableInput
            If no CT can be read from the files.
        NotAnalysable
            If the series has no single regular geometry (`inference.loading`).
        """
        from inference.loading import load_dicom  # noqa: PLC0415 - loading imports this module

        return load_dicom(Path(folder))

    @staticmethod
    def from_nifti(path: str | Path) -> CTVolume:
        """Read a CT NIfTI file (HU).

        Raises
        ------
        UnreadableInput
            If the file is no three-dimensional NIfTI image.
        """
        from inference.nifti import load_nifti  # noqa: PLC0415 - nifti imports this module

        return load_nifti(Path(path))
