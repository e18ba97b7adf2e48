"""DICOM files on disk: which files of a folder are DICOM, and where their pixel data lie.

Only headers are read here; the pixel data of native (not encapsulated) files are later read
straight from their offset. Errors name files by file name, never by content.
"""

from __future__ import annotations

import errno
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset, FileDataset, dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage

from inference.deflated import deflated_offset, inflated
from inference.errors import InputUnavailable, UnreadableInput

_OF_CONTENT = (errno.EINVAL, errno.EOVERFLOW, errno.EFBIG)
"""What the system says to offsets and lengths that damaged bytes ask for."""

PARSE_ERRORS = (
    InvalidDicomError,
    BytesLengthException,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    NotImplementedError,
    OverflowError,
    MemoryError,
    RecursionError,
    struct.error,
    zlib.error,
)
"""What pydicom raises on damaged bytes (tests/inference/test_loading_damaged.py sweeps them)."""

DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})
"""A file named like this that cannot be parsed is damaged, not foreign."""

_PREAMBLE = 128
_PIXEL_DATA_TAG = (0x7FE0, 0x0010)
_LONG_VRS = (b"OB", b"OW", b"OF", b"OD", b"UN")
_UNDEFINED_LENGTH = 0xFFFFFFFF


@dataclass(frozen=True)
class PixelElement:
    """Where the value of PixelData lies in its file; length None if encapsulated."""

    offset: int
    length: int | None


@dataclass(frozen=True)
class DicomHeader:
    """The data set of one file without its pixel data.

    Attributes
    ----------
    pixel_element
        None if the file has no PixelData. Of a deflated file: in what `inference.deflated` makes
        of it.
    """

    path: Path
    dataset: FileDataset
    transfer_syntax: UID
    pixel_element: PixelElement | None

    @property
    def has_pixel_data(self) -> bool:
        """Whether PixelData is present."""
        return self.pixel_element is not None


def of_the_system(error: BaseException) -> bool:
    """Whether an error is of the disk or the network, and not of what a file holds."""
    return isinstance(error, OSError) and error.errno is not None and error.errno not in _OF_CONTENT


def list_files(path: Path) -> list[Path]:
    """Files of a folder and its sub-folders in name order, or the file itself.

    Raises
    ------
    UnreadableInput
        If the path does not exist or the folder holds no file.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UnreadableInput(f"{path.name}: no such file or folder")
    files = sorted(entry for entry in path.rglob("*") if entry.is_file())
    if not files:
        raise UnreadableInput(f"{path.name}: the folder holds no file")
    return files


def read_headers(
    paths: Sequence[Path], inflated_bytes: int = 2**31
) -> tuple[list[DicomHeader], list[Path]]:
    """Read the headers of all DICOM files.

    Parameters
    ----------
    inflated_bytes
        Longest accepted data set of a deflated file.

    Returns
    -------
    tuple
        Headers in the order of `paths`, and the files that are no DICOM instance (text files,
        DICOMDIR, hidden files).

    Raises
    ------
    UnreadableInput
        If a DICOM file is damaged, or no file is DICOM; `InputUnavailable` if one cannot be
        reached.
    NotAnalysable
        ``limits`` for a deflated file beyond `inflated_bytes`.
    """
    headers: list[DicomHeader] = []
    foreign: list[Path] = []
    for number, path in enumerate(paths, start=1):
        try:
            header = _read_header(path, inflated_bytes)
        except PARSE_ERRORS as error:
            if of_the_system(error):
                where = f"file {number} of {len(paths)} ({path.name})"
                raise InputUnavailable(f"{where} cannot be reached") from error
            raise _damaged(path, number, len(paths)) from error
        if header is None:
            foreign.append(path)
        else:
            headers.append(header)
    if not headers:
        raise UnreadableInput(f"none of {len(paths)} file(s) is a DICOM instance")
    _refuse_damaged(foreign, headers, paths)
    return headers, foreign


def _damaged(path: Path, number: int, count: int) -> UnreadableInput:
    return UnreadableInput(f"file {number} of {count} ({path.name}) is damaged or truncated")


def _refuse_damaged(
    foreign: Sequence[Path], headers: Sequence[DicomHeader], paths: Sequence[Path]
) -> None:
    """A slice whose bytes are gone must not pass as a text file beside the series."""
    siblings = {header.path.suffix.lower() for header in headers}
    for path in foreign:
        if _is_foreign_by_name(path):
            continue
        suffix = path.suffix.lower()
        lost = suffix in siblings and not path.read_bytes()[:_PREAMBLE].strip(b"\0")
        if suffix in DICOM_SUFFIXES or lost:
            raise _damaged(path, paths.index(path) + 1, len(paths))


def _is_foreign_by_name(path: Path) -> bool:
    return path.name.startswith(".") or path.name.upper() == "DICOMDIR"


def _read_header(path: Path, inflated_bytes: int) -> DicomHeader | None:
    if _is_foreign_by_name(path):
        return None
    with path.open("rb") as file:
        if not _looks_like_dicom(file.read(_PREAMBLE + 4)):
            return None
        offset = deflated_offset(file)
        if offset is not None:
            content = inflated(file, offset, inflated_bytes)
            header = _parse_header(path, content, len(content.getbuffer()))
            return header and replace(header, transfer_syntax=DeflatedExplicitVRLittleEndian)
        return _parse_header(path, file, path.stat().st_size)


def _parse_header(path: Path, file: BinaryIO, file_size: int) -> DicomHeader | None:
    file.seek(0)
    dataset = dcmread(file, stop_before_pixels=True, force=True)
    if dataset.get("SOPClassUID") == MediaStorageDirectoryStorage:
        return None
    if "DirectoryRecordSequence" in dataset:
        return None
    syntax = UID(dataset.file_meta.get("TransferSyntaxUID") or _assumed_syntax(dataset))
    if syntax == DeflatedExplicitVRLittleEndian:
        raise ValueError("deflated in a way that is not bounded")
    return DicomHeader(path, dataset, syntax, _pixel_element(file, dataset, file_size))


def _looks_like_dicom(start: bytes) -> bool:
    """Part 10 prefix, or a bare data set that begins with group 0002 or 0008."""
    if start[_PREAMBLE:] == b"DICM":
        return True
    return start[:2] in (b"\x02\x00", b"\x08\x00") and start[3:4] == b"\x00" and len(start) > 8


def _assumed_syntax(dataset: Dataset) -> str:
    is_implicit, is_little = dataset.original_encoding
    if is_implicit:
        return "1.2.840.10008.1.2"
    return "1.2.840.10008.1.2.1" if is_little else "1.2.840.10008.1.2.2"


def _pixel_element(file: BinaryIO, dataset: Dataset, file_size: int) -> PixelElement | None:
    """Parse the element at which pydicom stopped (Part 5, Section 7.1)."""
    start = file.tell()
    is_implicit, is_little = dataset.original_encoding
    order = "<" if is_little else ">"
    head = file.read(12)
    if len(head) < 12:
        if head or _end_of_last_element(dataset) not in (None, file_size):
            raise EOFError("ends inside the header")
        return None
    if struct.unpack(order + "HH", head[:4]) != _PIXEL_DATA_TAG:
        return None
    if is_implicit:
        length, offset = struct.unpack(order + "L", head[4:8])[0], start + 8
    elif head[4:6] in _LONG_VRS:
        length, offset = struct.unpack(order + "L", head[8:12])[0], start + 12
    else:
        raise ValueError("PixelData has an invalid VR")
    return PixelElement(offset, None if length == _UNDEFINED_LENGTH else length)


def _end_of_last_element(dataset: Dataset) -> int | None:
    """File offset behind the last element; None after a sequence of undefined length."""
    if not len(dataset):
        return 0
    last = dataset.get_item(max(dataset.keys()))
    start, length = getattr(last, "value_tell", None), getattr(last, "length", None)
    if not start or length is None or length == _UNDEFINED_LENGTH:
        return None
    return int(start) + int(length)
