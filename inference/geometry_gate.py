"""The geometry gate: slices form one regular, untilted, gapless grid, or there is no answer.

Positions are compared with the regular grid that best fits them, so that rounded header values
pass and a shifted, missing or repeated slice does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from highdicom.spatial import create_affine_matrix_from_attributes, get_normal_vector

from inference.errors import NotAnalysable
from inference.headers import FrameHeader
from inference.series_choice import MIN_SLICES
from inference.volume import Affine, Notice

ORIENTATION_TOLERANCE = 2e-3
"""Largest difference of a direction cosine between slices of one volume (0.1 degree)."""

UNIT_TOLERANCE = 1e-2
"""Largest deviation of ImageOrientationPatient from two orthogonal unit vectors."""

PIXEL_SPACING_TOLERANCE_MM = 1e-4
"""Largest difference of PixelSpacing between slices of one volume."""

PIXEL_SPACING_RANGE_MM = (0.05, 10.0)
"""Accepted PixelSpacing."""

SAME_POSITION_MM = 1e-3
"""Slices closer than this along the normal occupy the same position."""

POSITION_TOLERANCE_MM = 0.1
"""Largest distance of a slice from its place on the regular grid; headers round to 0.1 mm."""

POSITION_TOLERANCE_SLICES = 0.25
"""The same in units of the spacing: the smaller of the two counts."""

GAP_TOLERANCE = 0.1
"""Largest deviation of a gap from a whole number of spacings for "slices are missing"."""

TILT_TOLERANCE_DEG = 0.25
"""Largest angle between the stacking direction and the slice normal."""

FloatArray = npt.NDArray[np.float64]
SamePixels = Callable[[FrameHeader, FrameHeader], bool]


@dataclass(frozen=True)
class Stack:
    """Frames in the order of k, and the grid they lie on."""

    frames: tuple[FrameHeader, ...]
    affine_lps: Affine
    notices: tuple[Notice, ...]


def pass_gate(frames: Sequence[FrameHeader], same_pixels: SamePixels) -> Stack:
    """Sort frames along their normal and check that they form a regular grid.

    Parameters
    ----------
    frames
        Slices of one series, localizers already left out.
    same_pixels
        Whether two frames hold the same HU; asked only for frames at one position.

    Returns
    -------
    Stack
        k ascends along the cross product of the row and the column direction cosines.

    Raises
    ------
    NotAnalysable
        ``no_geometry``, ``mixed_sizes``, ``mixed_orientations``, ``mixed_frames_of_reference``,
        ``duplicate_slice``, ``too_few_slices``, ``gantry_tilt``, ``shifted_slices``,
        ``missing_slice``, ``irregular_spacing`` or ``limits``.
    """
    _require_geometry(frames)
    _require_one_matrix(frames)
    orientation = _common_orientation(frames)
    normal = np.asarray(get_normal_vector(orientation.tolist()), dtype=np.float64)
    distances = np.array([np.dot(_position(frame), normal) for frame in frames])
    order = np.argsort(distances, kind="stable")
    ordered = [frames[n] for n in order]
    unique, notices = _without_duplicates(ordered, distances[order], same_pixels)
    if len(unique) < MIN_SLICES:
        raise NotAnalysable(
            "too_few_slices", f"{len(unique)} slice(s); at least {MIN_SLICES} are needed"
        )
    positions = np.array([_position(frame) for frame in unique])
    _require_no_tilt(positions, normal)
    _require_regular(positions @ normal)
    _require_straight(positions)
    step = (positions[-1] - positions[0]) / (len(unique) - 1)
    affine = _affine(unique[0], orientation, step)
    return Stack(tuple(unique), affine, tuple(notices))


def _position(frame: FrameHeader) -> FloatArray:
    return np.asarray(frame.plane.ImagePositionPatient, dtype=np.float64)


def _require_geometry(frames: Sequence[FrameHeader]) -> None:
    unsaid = {
        "ImagePositionPatient": "where they lie in the patient",
        "ImageOrientationPatient": "how they are turned",
        "PixelSpacing": "how large their pixels are",
    }
    for keyword, what in unsaid.items():
        absent = sum(getattr(frame.plane, keyword) is None for frame in frames)
        if absent:
            raise NotAnalysable(
                "no_geometry",
                f"{absent} of {len(frames)} slice(s) do not say {what} ({keyword})",
            )


def _require_one_matrix(frames: Sequence[FrameHeader]) -> None:
    sizes = {(frame.pixel_format.rows, frame.pixel_format.columns) for frame in frames}
    if len(sizes) > 1:
        named = " and ".join(f"{rows} x {columns}" for rows, columns in sorted(sizes))
        raise NotAnalysable("mixed_sizes", f"slices of different size: {named} (Rows x Columns)")
    spacings = np.array([frame.plane.PixelSpacing for frame in frames])
    low, high = spacings.min(axis=0), spacings.max(axis=0)
    if (high - low > PIXEL_SPACING_TOLERANCE_MM).any():
        raise NotAnalysable(
            "mixed_sizes",
            f"the pixel size varies from {_mm(low)} to {_mm(high)} mm (PixelSpacing)",
        )
    smallest, largest = PIXEL_SPACING_RANGE_MM
    if low.min() < smallest or high.max() > largest:
        raise NotAnalysable(
            "limits",
            f"the pixels are {_mm(low)} mm large, not {smallest} to {largest} mm (PixelSpacing)",
        )
    references = {frame.FrameOfReferenceUID for frame in frames}
    if len(references) > 1:
        raise NotAnalysable(
            "mixed_frames_of_reference",
            f"the slices lie in {len(references)} different coordinate systems"
            " (FrameOfReferenceUID)",
        )


def _common_orientation(frames: Sequence[FrameHeader]) -> FloatArray:
    cosines = np.array([frame.plane.ImageOrientationPatient for frame in frames])
    spread = float((cosines.max(axis=0) - cosines.min(axis=0)).max())
    if spread > ORIENTATION_TOLERANCE:
        count = len(np.unique(np.round(cosines, 2), axis=0))
        raise NotAnalysable(
            "mixed_orientations",
            f"the slices are turned in {count} different ways; their direction cosines differ by"
            f" up to {spread:.3f} (ImageOrientationPatient)",
        )
    row, column = np.median(cosines, axis=0).reshape(2, 3)
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(row @ column)) > UNIT_TOLERANCE:
        raise NotAnalysable(
            "no_geometry",
            "the rows and columns of the slices are not at right angles, or not unit vectors"
            " (ImageOrientationPatient)",
        )
    row = row / lengths[0]
    column = column - (column @ row) * row
    return np.concatenate([row, column / np.linalg.norm(column)])


def _without_duplicates(
    ordered: Sequence[FrameHeader], distances: FloatArray, same_pixels: SamePixels
) -> tuple[list[FrameHeader], list[Notice]]:
    unique = [ordered[0]]
    last = distances[0]
    dropped = 0
    for frame, distance in zip(ordered[1:], distances[1:], strict=True):
        if distance - last > SAME_POSITION_MM:
            unique.append(frame)
            last = distance
            continue
        shift = float(np.linalg.norm(_position(frame) - _position(unique[-1])))
        if shift > SAME_POSITION_MM or not same_pixels(unique[-1], frame):
            raise NotAnalysable(
                "duplicate_slice",
                f"two slices with different content lie at {distance:.2f} mm along the slice"
                f" normal ({len(ordered)} slices received)",
            )
        dropped += 1
    if not dropped:
        return unique, []
    return unique, [
        Notice("duplicate_slice_dropped", f"{dropped} identical repeated slice(s) were left out")
    ]


def _require_no_tilt(positions: FloatArray, normal: FloatArray) -> None:
    span = positions[-1] - positions[0]
    along = float(span @ normal)
    across = float(np.linalg.norm(span - along * normal))
    tilt = float(np.rad2deg(np.arctan2(across, along)))
    if tilt > TILT_TOLERANCE_DEG:
        raise NotAnalysable(
            "gantry_tilt",
            f"slices are stacked at {tilt:.1f} degrees to their normal (gantry tilt); at most"
            f" {TILT_TOLERANCE_DEG} degrees are accepted",
        )


def _require_regular(distances: FloatArray) -> None:
    gaps = np.diff(distances)
    spacing = float(np.median(gaps))
    count = len(distances)
    grid = np.linspace(distances[0], distances[-1], count)
    tolerance = min(POSITION_TOLERANCE_MM, POSITION_TOLERANCE_SLICES * spacing)
    if np.abs(distances - grid).max() <= tolerance:
        return
    steps = np.round(gaps / spacing)
    off = np.abs(gaps / spacing - steps)
    wide = np.flatnonzero(steps > 1)
    if len(wide) and steps.min() >= 1 and off.max() <= GAP_TOLERANCE:
        missing = int(steps.sum()) - (count - 1)
        first = int(wide[0])
        raise NotAnalysable(
            "missing_slice",
            f"{missing} slice(s) missing in {len(wide)} gap(s); the first gap is between"
            f" {distances[first]:.2f} and {distances[first + 1]:.2f} mm along the slice normal"
            f" (slices {first + 1} and {first + 2} of {count})",
        )
    raise NotAnalysable(
        "irregular_spacing",
        f"distances between slices vary from {gaps.min():.3f} to {gaps.max():.3f} mm",
    )


def _require_straight(positions: FloatArray) -> None:
    line = np.linspace(positions[0], positions[-1], len(positions))
    shift = np.linalg.norm(positions - line, axis=1)
    if shift.max() > 2 * POSITION_TOLERANCE_MM:
        worst = int(shift.argmax())
        raise NotAnalysable(
            "shifted_slices",
            f"slice {worst + 1} of {len(positions)} is shifted by {shift[worst]:.2f} mm against"
            " the line through the first and last slice",
        )


def _affine(first: FrameHeader, orientation: FloatArray, step: FloatArray) -> Affine:
    position, spacing = first.plane.ImagePositionPatient, first.plane.PixelSpacing
    if position is None or spacing is None:
        raise AssertionError("the gate lets no slice without position and spacing pass")
    affine = create_affine_matrix_from_attributes(
        image_position=position,
        image_orientation=orientation.tolist(),
        pixel_spacing=spacing,
        spacing_between_slices=float(np.linalg.norm(step)),
        index_convention="DR",
        slices_first=True,
        handedness="LEFT_HANDED",
    )
    # The measured step, not the normal: a tolerated fraction of a degree adds up over a spine.
    affine[:3, 0] = step
    # Products with 0 leave negative zeros, which look odd in findings.json.
    return np.asarray(affine, dtype=np.float64) + 0.0


def _mm(values: FloatArray) -> str:
    return " x ".join(f"{value:.4g}" for value in values)
