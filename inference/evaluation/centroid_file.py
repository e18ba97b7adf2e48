"""VerSe centroid files: voxel coordinates of the image turned to the named directions.

The file is a list: ``{"direction": ["P", "I", "R"]}`` first, then one
``{"label": n, "X": x, "Y": y, "Z": z}`` per vertebra. X, Y and Z count along the three named
directions in voxels of the reoriented image, 0 at the centre of its first voxel. Files whose name
holds ``iso-ctd`` (the challenge's form) count in steps of 1 mm instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.anatomy import SACRUM_LABEL, VertebraLevel
from inference.axes import canonical_order
from inference.errors import UnreadableInput
from inference.evaluation.json_file import number, read_json
from inference.volume import CTVolume

Point = npt.NDArray[np.float64]
Centroids = dict[VertebraLevel, Point]

COCCYX_LABEL = 27
OUTSIDE_TOLERANCE_VOXELS = 1.0
"""A centroid may lie this far outside the image: VerSe rounds, and counts some axes from 1."""

_IGNORED_LABELS = frozenset({SACRUM_LABEL, COCCYX_LABEL})
_CANONICAL_AXIS = {"S": 0, "I": 0, "P": 1, "A": 1, "L": 2, "R": 2}
_AGAINST_CANONICAL = frozenset("IAR")


def read_centroids(path: Path, volume: CTVolume) -> Centroids:
    """Centroids in LPS mm, shape (3,), of the vertebrae in a VerSe centroid file.

    Raises
    ------
    UnreadableInput
        If the file has another form, or a centroid lies outside the image.
    """
    content = read_json(path)
    try:
        directions = _directions(content)
        rows = [row for row in content if isinstance(row, dict) and "label" in row]
        located = {
            int(row["label"]): [number(row[name]) for name in "XYZ"]
            for row in rows
            if int(row["label"]) not in _IGNORED_LABELS and not _is_blank(row)
        }
        levels = {VertebraLevel(label): xyz for label, xyz in located.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableInput(f"{path.name}: no VerSe centroid file ({error})") from error
    in_mm = path.name.endswith("iso-ctd.json")
    return {
        level: _to_lps_mm(np.asarray(xyz), directions, volume, in_mm, f"{path.name}: {level.name}")
        for level, xyz in levels.items()
    }


def _directions(content: Any) -> tuple[str, str, str]:
    if not isinstance(content, list):
        raise TypeError("the content is no list")
    named = [row["direction"] for row in content if isinstance(row, dict) and "direction" in row]
    if not named:
        raise ValueError("no direction is given")
    first, second, third = (str(letter).upper() for letter in named[0])
    if {_CANONICAL_AXIS[letter] for letter in (first, second, third)} != {0, 1, 2}:
        raise ValueError(f"direction {first}{second}{third} names an axis twice")
    return first, second, third


def _is_blank(row: dict[str, Any]) -> bool:
    """VerSe writes NaN for a vertebra that was not located."""
    values = [row.get(name) for name in "XYZ"]
    return any(isinstance(value, float) and np.isnan(value) for value in values)


def _to_lps_mm(
    xyz: Point, directions: tuple[str, str, str], volume: CTVolume, in_mm: bool, where: str
) -> Point:
    order = canonical_order(volume.affine_lps)
    affine = order.apply_affine(volume.affine_lps, volume.shape_kji)
    shape = np.array(volume.shape_kji)[list(order.source_axis)]
    spacing_mm = np.array(volume.spacing_kji_mm)[list(order.source_axis)]
    index = np.empty(3)
    for value, letter in zip(xyz, directions, strict=True):
        axis = _CANONICAL_AXIS[letter]
        steps = value / spacing_mm[axis] if in_mm else value
        index[axis] = shape[axis] - 1 - steps if letter in _AGAINST_CANONICAL else steps
    if (index < -OUTSIDE_TOLERANCE_VOXELS - 0.5).any() or (
        index > shape + OUTSIDE_TOLERANCE_VOXELS - 0.5
    ).any():
        unit = "mm" if in_mm else "voxels"
        raise UnreadableInput(
            f"{where} lies outside the image when X, Y, Z are read as {unit} along"
            f" {''.join(directions)}"
        )
    return np.asarray(affine[:3, :3] @ index + affine[:3, 3])
