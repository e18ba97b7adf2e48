"""From stored values to Hounsfield units (Part 3, C.11.1.1.2: HU = slope * stored + intercept)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from inference.errors import NotAnalysable
from inference.headers import FrameHeader, ModalityRescale, PixelFormat
from inference.volume import HUArray, Notice

AIR_HU = -1024
"""HU given to padding: nothing was imaged there."""

PADDING_TISSUE_HU = (-500.0, 3071.0)
"""Padding whose HU lies in this range is not told apart from tissue, so it is left as it is."""

StoredArray = npt.NDArray[np.integer]

_INT16 = np.iinfo(np.int16)
_HOUNSFIELD_TYPES = (None, "HU", "US")


def require_hounsfield(frames: Sequence[FrameHeader]) -> list[Notice]:
    """Check that every frame says how its values become HU.

    Raises
    ------
    NotAnalysable
        ``missing_rescale`` if slope or intercept is absent or slope is 0; ``not_hounsfield`` if
        RescaleType names another unit.
    """
    for keyword in ("slope", "intercept"):
        absent = sum(getattr(frame.rescale, keyword) is None for frame in frames)
        if absent:
            name = f"Rescale{keyword.capitalize()}"
            raise NotAnalysable(
                "missing_rescale",
                f"{absent} of {len(frames)} slice(s) do not say how their grey values become HU"
                f" ({name})",
            )
    if any(frame.rescale.slope == 0 for frame in frames):
        raise NotAnalysable(
            "missing_rescale", "the slices give every grey value the same HU (RescaleSlope 0)"
        )
    units = {frame.rescale.type for frame in frames}
    foreign = sorted(str(unit) for unit in units if unit not in _HOUNSFIELD_TYPES)
    if foreign:
        raise NotAnalysable(
            "not_hounsfield",
            f"the grey values are in {foreign[0][:16]}, not in Hounsfield units (RescaleType)",
        )
    if "US" in units:
        return [
            Notice(
                "rescale_type_unspecified", "The unit of the values is not stated: HU are assumed."
            )
        ]
    return []


def padding_notices(frames: Sequence[FrameHeader]) -> list[Notice]:
    """Warn where PixelPaddingValue cannot be told apart from tissue."""
    ignored = sum(
        frame.rescale.padding_value is not None and not _is_padding_usable(frame)
        for frame in frames
    )
    if not ignored:
        return []
    return [
        Notice(
            "padding_value_ignored",
            f"The padding value of {ignored} slice(s) is one of tissue and was not used.",
        )
    ]


def write_hu(stored: StoredArray, frame: FrameHeader, out: HUArray) -> None:
    """Rescale one frame into `out`, rounded and clipped to int16; padding becomes `AIR_HU`.

    Parameters
    ----------
    stored
        Stored values (j, i) as `inference.pixels` yields them.
    frame
        Header with RescaleSlope and RescaleIntercept.
    out
        int16 (j, i).
    """
    slope, intercept = _factors(frame.rescale)
    if slope == 1 and intercept.is_integer() and abs(intercept) < 2**24:
        _add(stored, int(intercept), out)
    else:
        hu = stored * slope
        hu += intercept
        np.rint(hu, out=hu)
        np.clip(hu, _INT16.min, _INT16.max, out=hu)
        out[...] = hu
    if frame.rescale.padding_value is not None and _is_padding_usable(frame):
        out[_is_padding(stored, frame)] = AIR_HU


def _add(stored: StoredArray, intercept: int, out: HUArray) -> None:
    low, high = int(stored.min()) + intercept, int(stored.max()) + intercept
    if _INT16.min <= low and high <= _INT16.max:
        # Modulo 2**16 the sum is exact whenever the result fits.
        np.add(stored.astype(np.int16, copy=False), _wrapped(intercept), out=out)
        return
    hu = stored.astype(np.int64)
    hu += intercept
    np.clip(hu, _INT16.min, _INT16.max, out=hu)
    out[...] = hu


def _wrapped(value: int) -> np.int16:
    return np.uint16(value & 0xFFFF).astype(np.int16)


def _factors(rescale: ModalityRescale) -> tuple[float, float]:
    if rescale.slope is None or rescale.intercept is None:
        raise NotAnalysable("missing_rescale", "RescaleSlope or RescaleIntercept is absent")
    return rescale.slope, rescale.intercept


def _padding_range(frame: FrameHeader) -> tuple[int, int]:
    value = frame.rescale.padding_value or 0
    limit = frame.rescale.padding_range_limit
    ends = [_as_stored(v, frame.pixel_format) for v in (value, value if limit is None else limit)]
    return min(ends), max(ends)


def _as_stored(value: int, pixel_format: PixelFormat) -> int:
    """Value in the range of PixelRepresentation: US and SS are mixed up in many headers."""
    value &= (1 << pixel_format.bits_allocated) - 1
    sign_bit = 1 << (pixel_format.bits_allocated - 1)
    return value - 2 * sign_bit if pixel_format.is_signed and value & sign_bit else value


def _is_padding_usable(frame: FrameHeader) -> bool:
    slope, intercept = _factors(frame.rescale)
    low, high = PADDING_TISSUE_HU
    return not any(low < end * slope + intercept < high for end in _padding_range(frame))


def _is_padding(stored: StoredArray, frame: FrameHeader) -> npt.NDArray[np.bool_]:
    low, high = _padding_range(frame)
    padding: npt.NDArray[np.bool_] = (stored >= low) & (stored <= high)
    return padding
