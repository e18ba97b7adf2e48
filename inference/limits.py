"""How large an input may claim to be: checked in the headers, before memory is taken for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.dicom_files import DicomHeader
from inference.errors import NotAnalysable
from inference.headers import number


@dataclass(frozen=True)
class InputLimits:
    """Largest accepted sizes; beyond them a series is not analysable (code ``limits``).

    Attributes
    ----------
    rows, columns
        Rows (0028,0010) and Columns (0028,0011); CT scanners write 512 to 2048.
    frames
        NumberOfFrames (0028,0008) of one object; a whole-body CT at 0.3 mm has about 6 000.
    voxels
        Of all images of a series together; 2**31 are 4 GiB of int16.
    inflated_bytes
        Of one deflated data set (Part 5, A.5) once it is inflated.
    """

    rows: int = 4096
    columns: int = 4096
    frames: int = 20_000
    voxels: int = 2**31
    inflated_bytes: int = 2**31


DEFAULT_LIMITS = InputLimits()


def require_sizes(headers: Sequence[DicomHeader], limits: InputLimits) -> None:
    """Refuse a series whose headers claim more than `limits`; absent elements are left to others.

    Raises
    ------
    NotAnalysable
        ``limits``, naming the element, its value and the limit.
    """
    voxels = 0
    for header in headers:
        size = 1
        for keyword, most in (
            ("Rows", limits.rows),
            ("Columns", limits.columns),
            ("NumberOfFrames", limits.frames),
        ):
            value = int(number(header.dataset, keyword) or 1)
            if value > most:
                raise NotAnalysable("limits", f"{keyword} is {value}, more than {most}")
            size *= max(value, 1)
        voxels += size
    if voxels > limits.voxels:
        raise NotAnalysable(
            "limits", f"{voxels} voxels in {len(headers)} object(s), more than {limits.voxels}"
        )
