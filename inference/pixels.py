"""Stored pixel values of frames, decoded one by one.

Native syntaxes are read from their offset; JPEG lossless, JPEG-LS and JPEG 2000 go through
imagecodecs; whatever else pydicom can decode goes through its pylibjpeg plugin.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from inference.deflated import deflated_offset, inflated_start
from inference.dicom_files import PARSE_ERRORS, PixelElement, of_the_system
from inference.encapsulated import require_size, require_sizes, require_whole_items
from inference.errors import InputUnavailable, UnreadableInput
from inference.headers import FrameHeader, PixelFormat
from inference.rescale import StoredArray

NATIVE_SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)

_IMAGECODECS: dict[UID, Callable[[bytes], npt.NDArray[Any]]] = {
    JPEGLossless: imagecodecs.ljpeg_decode,
    JPEGLosslessSV1: imagecodecs.ljpeg_decode,
    JPEGLSLossless: imagecodecs.jpegls_decode,
    JPEGLSNearLossless: imagecodecs.jpegls_decode,
    JPEG2000: imagecodecs.jpeg2k_decode,
    JPEG2000Lossless: imagecodecs.jpeg2k_decode,
}
_PLUGIN = "pylibjpeg"
"""Never left to pydicom: its gdcm plugin aborts the whole process on a damaged JPEG 2000 stream."""
_PANIC = "PanicException"
"""What a decoder written in Rust raises where it gives up; no `Exception`, and in no module."""

_CODEC_ERRORS = (RuntimeError, *PARSE_ERRORS)


def stored_frames(frames: Sequence[FrameHeader]) -> Iterator[tuple[int, StoredArray]]:
    """Decode frames file by file.

    Parameters
    ----------
    frames
        Any frames, in any order.

    Yields
    ------
    tuple
        Index into `frames`, and stored values (j, i): BitsStored bits, sign-extended if
        PixelRepresentation is 1. The array is valid until the next one is asked for.

    Raises
    ------
    UnreadableInput
        If PixelData is shorter than the header says or cannot be decoded; `InputUnavailable` if
        a file cannot be reached.
    """
    by_path: dict[Path, list[int]] = {}
    for index, frame in enumerate(frames):
        by_path.setdefault(frame.path, []).append(index)
    for number, (path, indices) in enumerate(by_path.items(), start=1):
        wanted = {frames[index].location.frame_index: index for index in indices}
        where = f"{path.name} (file {number} of {len(by_path)} along the slice normal)"
        yield from _frames_of_file(frames[indices[0]], wanted, where)


def _frames_of_file(
    first: FrameHeader, wanted: dict[int, int], where: str
) -> Iterator[tuple[int, StoredArray]]:
    location, pixel_format = first.location, first.pixel_format
    element = location.element
    try:
        if element is not None and location.transfer_syntax in NATIVE_SYNTAXES:
            source = _native(first, element, sorted(wanted), where)
        elif element is not None and location.transfer_syntax in _IMAGECODECS:
            source = _encapsulated(first, element, sorted(wanted), where)
        elif element is not None and location.transfer_syntax == DeflatedExplicitVRLittleEndian:
            source = _deflated(first, element, sorted(wanted), where)
        else:
            source = _by_pydicom(first, sorted(wanted), where)
        for frame_index, values in source:
            yield wanted[frame_index], _interpreted(values, pixel_format)
    except OSError as error:
        raise _unreached(where, error) from error


def _native(
    first: FrameHeader, element: PixelElement, indices: Sequence[int], where: str
) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    pixel_format = first.pixel_format
    if element.length is None:
        raise UnreadableInput(f"{where}: PixelData of a native syntax has no length")
    order = ">" if first.location.transfer_syntax == ExplicitVRBigEndian else "<"
    dtype = np.dtype(f"{order}u{pixel_format.bits_allocated // 8}")
    needed = pixel_format.frame_bytes * first.location.number_of_frames
    with first.path.open("rb", buffering=0) as file:
        held = min(element.length, os.fstat(file.fileno()).st_size - element.offset)
        _require_bytes(held, needed, where)
        for index in indices:
            file.seek(element.offset + index * pixel_format.frame_bytes)
            values = np.fromfile(file, dtype, pixel_format.rows * pixel_format.columns)
            if values.size != pixel_format.rows * pixel_format.columns:
                raise UnreadableInput(f"{where}: PixelData ended while being read")
            shaped = values.reshape(pixel_format.rows, pixel_format.columns)
            yield index, _shifted(shaped, pixel_format)


def _deflated(
    first: FrameHeader, element: PixelElement, indices: Sequence[int], where: str
) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    pixel_format = first.pixel_format
    end = element.offset + (element.length or 0)
    try:
        with first.path.open("rb") as file:
            data = inflated_start(file, deflated_offset(file) or 0, end)[element.offset :]
    except PARSE_ERRORS as error:
        raise _undecodable(where, error) from error
    size = pixel_format.frame_bytes
    _require_bytes(len(data), size * first.location.number_of_frames, where)
    for index in indices:
        values = np.frombuffer(
            data,
            f"<u{pixel_format.bits_allocated // 8}",
            pixel_format.rows * pixel_format.columns,
            index * size,
        )
        shaped = values.reshape(pixel_format.rows, pixel_format.columns)
        yield index, _shifted(shaped, pixel_format)


def _require_bytes(held: int, needed: int, where: str) -> None:
    if held < needed:
        raise UnreadableInput(f"{where}: PixelData holds {max(held, 0)} of {needed} bytes")


def _encapsulated(
    first: FrameHeader, element: PixelElement, indices: Sequence[int], where: str
) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    decode = _IMAGECODECS[first.location.transfer_syntax]
    wanted = set(indices)
    with first.path.open("rb") as file:
        require_whole_items(file, element.offset, where)
        file.seek(element.offset)
        encoded = generate_frames(
            file,
            number_of_frames=first.location.number_of_frames,
            extended_offsets=first.location.extended_offsets,
        )
        try:
            for index, data in enumerate(encoded):
                if index in wanted:
                    wanted.discard(index)
                    values = _decoded(decode, data, first, index, where)
                    yield index, values
        except PARSE_ERRORS as error:
            raise _undecodable(where, error) from error
    if wanted:
        raise UnreadableInput(f"{where}: {len(wanted)} frame(s) missing in PixelData")


def _decoded(
    decode: Callable[[bytes], npt.NDArray[Any]],
    data: bytes,
    first: FrameHeader,
    index: int,
    where: str,
) -> npt.NDArray[Any]:
    """Decode by imagecodecs; a codestream it refuses or reads otherwise goes to pydicom."""
    shape = (first.pixel_format.rows, first.pixel_format.columns)
    require_size(data, first, where)
    try:
        values = decode(data)
    except _CODEC_ERRORS:
        return next(_by_pydicom(first, [index], where))[1]
    if values.shape != shape:
        raise UnreadableInput(
            f"{where}: the codestream holds {values.shape}, the header says {shape} pixels"
        )
    return values


def _by_pydicom(
    first: FrameHeader, indices: Sequence[int], where: str
) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    element = first.location.element
    if element is not None and element.length is None:
        with first.path.open("rb") as file:
            require_whole_items(file, element.offset, where)
            require_sizes(file, first, element.offset, where)
    try:
        decoded = iter_pixels(first.path, indices=indices, raw=True, decoding_plugin=_PLUGIN)
        yield from zip(indices, decoded, strict=True)
    except _CODEC_ERRORS as error:
        raise _undecodable(where, error) from error
    except BaseException as error:
        if type(error).__name__ != _PANIC:
            raise
        raise _undecodable(where, error) from error


def _unreached(where: str, error: OSError) -> UnreadableInput:
    kind = InputUnavailable if of_the_system(error) else UnreadableInput
    return kind(f"{where}: {error.strerror}")


def _undecodable(where: str, error: BaseException) -> UnreadableInput:
    if of_the_system(error):
        return InputUnavailable(f"{where}: cannot be reached ({type(error).__name__})")
    return UnreadableInput(f"{where}: PixelData cannot be decoded ({type(error).__name__})")


def _shifted(values: npt.NDArray[Any], pixel_format: PixelFormat) -> npt.NDArray[Any]:
    """Move the stored bits down if HighBit is above BitsStored - 1."""
    shift = pixel_format.high_bit + 1 - pixel_format.bits_stored
    return values >> shift if shift else values


def _interpreted(values: npt.NDArray[Any], pixel_format: PixelFormat) -> StoredArray:
    """Keep BitsStored bits and extend the sign; overlay bits above them are dropped."""
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    width = pixel_format.bits_allocated
    if values.dtype.itemsize * 8 != width:
        values = values.astype(f"i{width // 8}" if pixel_format.is_signed else f"u{width // 8}")
    spare = width - pixel_format.bits_stored
    bits: npt.NDArray[Any] = values.view(f"u{width // 8}")
    if pixel_format.is_signed:
        signed: npt.NDArray[Any] = bits.view(f"i{width // 8}")
        return signed if not spare else (signed << spare) >> spare
    return bits if not spare else bits & ((1 << pixel_format.bits_stored) - 1)
