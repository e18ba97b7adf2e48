"""NIfTI in and out: the only place where RAS exists.

NIfTI stores (i, j, k) with a RAS affine; `CTVolume` holds (k, j, i) with an LPS affine. The array
is only transposed, so voxel (i, j, k) of the file is ``hu[k, j, i]`` and files written for a
NIfTI input have the input's own shape and affine.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from inference.axes import to_canonical
from inference.errors import NotAnalysable, UnreadableInput
from inference.geometry_gate import TILT_TOLERANCE_DEG
from inference.rescale import AIR_HU
from inference.series_choice import MIN_SLICES
from inference.volume import Affine, CTVolume, HUArray, LabelArray, Notice

GRID_TOLERANCE_MM = 0.05
"""Largest distance between the corners of a mask and of the volume it belongs to."""

INTEGER_TOLERANCE = 1e-3
"""Labels stored as floats may deviate this much from a whole number."""

MAX_NIFTI_VOXELS = 2**31
"""Largest accepted image (4 GiB of int16)."""

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_KJI_TO_IJK = np.eye(4)[[2, 1, 0, 3]]
_READ_ERRORS = (
    ImageFileError,
    HeaderDataError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    MemoryError,
    zlib.error,
)
_INT16 = np.iinfo(np.int16)


def load_nifti(path: Path) -> CTVolume:
    """Read a CT in HU.

    Raises
    ------
    UnreadableInput
        If the file is no three-dimensional scalar NIfTI image.
    NotAnalysable
        ``no_geometry`` if neither sform nor qform is set, ``sheared_grid``, ``too_few_slices``.
    """
    image, stored_kji = _read(path)
    affine_lps = _affine_lps(image, path)
    _require_orthogonal(affine_lps)
    if min(stored_kji.shape) < MIN_SLICES:
        raise NotAnalysable(
            "too_few_slices",
            f"the image has {' x '.join(map(str, stored_kji.shape[::-1]))} voxels; at least"
            f" {MIN_SLICES} are needed along each axis",
        )
    hu, nan_count = _to_hu(stored_kji, *_scaling(image))
    warnings: tuple[Notice, ...] = ()
    if nan_count:
        remark = f"{nan_count} voxel(s) that are no number were set to {AIR_HU} HU"
        warnings = (Notice("nan_replaced", remark),)
    return CTVolume(hu=hu, affine_lps=affine_lps, warnings=warnings)


def load_labels(path: Path, volume: CTVolume) -> LabelArray:
    """Read a label mask that lies on a volume's grid, whatever the order of its axes.

    Returns
    -------
    LabelArray
        uint8 (k, j, i) in the axis order of `volume`.

    Raises
    ------
    UnreadableInput
        If the grids differ, or the values are no whole numbers from 0 to 255.
    """
    image, stored_kji = _read(path)
    affine_lps = _affine_lps(image, path)
    labels = _to_labels(stored_kji, *_scaling(image), path)
    if labels.shape == volume.shape_kji and _same_grid(affine_lps, volume.affine_lps, labels.shape):
        return labels
    reordered, mask_affine, _ = to_canonical(labels, affine_lps)
    canonical_hu, volume_affine, order = to_canonical(volume.hu, volume.affine_lps)
    if reordered.shape != canonical_hu.shape:
        raise UnreadableInput(
            f"{path.name}: the mask has {_shape(labels)} voxels, the volume {_shape(volume.hu)}"
        )
    if not _same_grid(mask_affine, volume_affine, reordered.shape):
        distance = _corner_distance(mask_affine, volume_affine, reordered.shape)
        raise UnreadableInput(
            f"{path.name}: the mask lies up to {distance:.2f} mm away from the volume's grid"
        )
    return order.restore(reordered)


def save_labels(path: Path, labels: LabelArray, affine_lps: Affine) -> None:
    """Write labels (k, j, i) as uint8 NIfTI with sform and qform set."""
    _save(path, labels.astype(np.uint8, copy=False), affine_lps)


def save_volume(path: Path, volume: CTVolume) -> None:
    """Write the HU of a volume as int16 NIfTI with sform and qform set."""
    _save(path, volume.hu, volume.affine_lps)


def _save(path: Path, array_kji: npt.NDArray[Any], affine_lps: Affine) -> None:
    affine_ras = _RAS_TO_LPS @ affine_lps @ _KJI_TO_IJK
    image: Any = nib.Nifti1Image(  # type: ignore[no-untyped-call]  # nibabel is partly typed
        array_kji.transpose(2, 1, 0), affine_ras, dtype=array_kji.dtype
    )
    image.set_sform(affine_ras, code="scanner")
    image.set_qform(affine_ras, code="scanner")
    image.header.set_xyzt_units("mm")
    image.to_filename(path)


def _read(path: Path) -> tuple[Any, npt.NDArray[Any]]:
    """Image object, and its stored values (k, j, i) before scl_slope and scl_inter."""
    if not path.is_file():
        raise UnreadableInput(f"{path.name}: no such file")
    try:
        image: Any = nib.load(path)
        if not _is_nifti(image):
            raise UnreadableInput(f"{path.name}: not a NIfTI file")
        shape = image.shape
        if len(shape) < 3 or any(size != 1 for size in shape[3:]):
            raise UnreadableInput(f"{path.name}: {len(shape)}-dimensional; a 3-D image is needed")
        if image.get_data_dtype().kind not in "iuf":
            raise UnreadableInput(f"{path.name}: colour or complex values; a CT has one number")
        if np.prod(shape, dtype=object) > MAX_NIFTI_VOXELS:
            raise NotAnalysable("limits", f"an image of {shape} voxels is too large")
        stored = np.asarray(image.dataobj.get_unscaled())
    except _READ_ERRORS as error:
        raise UnreadableInput(f"{path.name}: damaged NIfTI ({type(error).__name__})") from error
    return image, stored.reshape(shape[:3], order="F").transpose(2, 1, 0)


def _is_nifti(image: object) -> bool:
    return isinstance(image, nib.Nifti1Pair)


def _scaling(image: Any) -> tuple[float, float]:
    return float(image.dataobj.slope), float(image.dataobj.inter)


def _affine_lps(image: Any, path: Path) -> Affine:
    header = image.header
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        raise NotAnalysable(
            "no_geometry",
            "the file does not say how the patient is turned (sform_code and qform_code are 0)",
        )
    if header.get_xyzt_units()[0] not in ("mm", "unknown"):
        unit = header.get_xyzt_units()[0]
        raise NotAnalysable("no_geometry", f"the file gives lengths in {unit}, not mm (xyzt_units)")
    affine_lps = _RAS_TO_LPS @ np.asarray(image.affine, dtype=np.float64) @ _KJI_TO_IJK
    if not np.isfinite(affine_lps).all() or abs(np.linalg.det(affine_lps[:3, :3])) < 1e-9:
        raise UnreadableInput(f"{path.name}: the affine is singular")
    # Negating and reordering leaves negative zeros, which look odd in findings.json.
    return affine_lps + 0.0


def _require_orthogonal(affine_lps: Affine) -> None:
    directions = affine_lps[:3, :3] / np.linalg.norm(affine_lps[:3, :3], axis=0)
    cosines = np.abs(directions.T @ directions - np.eye(3))
    degrees = float(np.rad2deg(np.arcsin(min(1.0, cosines.max()))))
    if degrees > TILT_TOLERANCE_DEG:
        raise NotAnalysable(
            "sheared_grid", f"the axes are {degrees:.1f} degrees off a right angle (gantry tilt)"
        )


def _to_hu(stored_kji: npt.NDArray[Any], slope: float, inter: float) -> tuple[HUArray, int]:
    if stored_kji.dtype.newbyteorder("=") == np.int16 and (slope, inter) == (1.0, 0.0):
        return np.ascontiguousarray(stored_kji, dtype=np.int16), 0
    hu = np.empty(stored_kji.shape, dtype=np.int16)
    nan_count = 0
    for k, plane in enumerate(stored_kji):
        values = plane * slope + inter
        is_nan = np.isnan(values)
        nan_count += int(is_nan.sum())
        values[is_nan] = AIR_HU
        hu[k] = np.clip(np.rint(values), _INT16.min, _INT16.max)
    return hu, nan_count


def _to_labels(stored_kji: npt.NDArray[Any], slope: float, inter: float, path: Path) -> LabelArray:
    labels = np.empty(stored_kji.shape, dtype=np.uint8)
    for k, plane in enumerate(stored_kji):
        values = plane * slope + inter
        whole = np.rint(values)
        is_label = (np.abs(values - whole) <= INTEGER_TOLERANCE) & (whole >= 0) & (whole <= 255)
        if not is_label.all():
            raise UnreadableInput(f"{path.name}: labels must be whole numbers from 0 to 255")
        labels[k] = whole
    return labels


def _corner_distance(one: Affine, other: Affine, shape: tuple[int, ...]) -> float:
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(shape) - 1)
    offset = np.c_[corners, np.ones(8)] @ (one - other).T
    return float(np.linalg.norm(offset[:, :3], axis=1).max())


def _same_grid(one: Affine, other: Affine, shape: tuple[int, ...]) -> bool:
    return _corner_distance(one, other, shape) <= GRID_TOLERANCE_MM


def _shape(array: npt.NDArray[Any]) -> str:
    return " x ".join(map(str, array.shape))
