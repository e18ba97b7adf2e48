"""Sequence items as they lie in a file, decoded where they are looked at and nowhere else.

A SEG of a whole spine has many thousand elements in its items, of which a check reads a few.
Only the form that this package writes is read, Explicit VR Little Endian with defined lengths
(PS3.5 7.1.2, 7.5.1): any other is an error, as damage is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

_ITEM = 0xFFFEE000
_ITEM_HEADER = struct.Struct("<HHL")
_SHORT_HEADER = struct.Struct("<HH2sH")
_LENGTH = struct.Struct("<L")
_LONG_LENGTH = frozenset((b"OB", b"OW", b"SQ", b"UN", b"UT"))
_NUMBERS = {b"DS": float, b"IS": int}
_BINARY = {b"US": "<u2", b"UL": "<u4", b"FL": "<f4"}


class StoredItem:
    """One item; elements are attributes under their keywords, as in a pydicom data set.

    Parameters
    ----------
    value
        Encoded elements.

    Raises
    ------
    ValueError
        If the bytes end inside an element.
    """

    def __init__(self, value: bytes) -> None:
        self._elements = dict(_elements(value))

    def __getattr__(self, keyword: str) -> Any:
        tag = _tag(keyword)
        if tag is None or tag not in self._elements:
            raise AttributeError(keyword)
        return _decoded(*self._elements[tag])

    def __contains__(self, keyword: str) -> bool:
        return _tag(keyword) in self._elements

    def get(self, keyword: str, default: Any = None) -> Any:
        """Value of an element, or `default` where there is none."""
        return getattr(self, keyword) if keyword in self else default

    def sequences(self) -> Iterator[list[StoredItem]]:
        """Items of every sequence of this item."""
        for vr, value in self._elements.values():
            if vr == b"SQ":
                yield _items(value)


def stored_items(ds: Dataset, keyword: str) -> list[StoredItem]:
    """Items of a sequence of a data set that was just read from a file; empty without it.

    Raises
    ------
    ValueError
        If the sequence is encoded in another way than this package does.
    """
    tag = Tag(keyword)
    if tag not in ds:
        return []
    element = ds.get_item(tag)
    if not isinstance(element, RawDataElement) or element.is_implicit_VR:
        raise ValueError(f"{keyword} is not in Explicit VR with defined lengths")
    return _items(element.value or b"")


def _items(value: bytes) -> list[StoredItem]:
    items, position = [], 0
    while position < len(value):
        group, number, length = _unpacked(_ITEM_HEADER, value, position)
        if group << 16 | number != _ITEM:
            raise ValueError("a sequence holds something else than items")
        items.append(StoredItem(_part(value, position + 8, length)))
        position += 8 + length
    return items


def _elements(value: bytes) -> Iterator[tuple[int, tuple[bytes, bytes]]]:
    position = 0
    while position < len(value):
        group, number, vr, length = _unpacked(_SHORT_HEADER, value, position)
        position += 8
        if vr in _LONG_LENGTH:
            (length,) = _unpacked(_LENGTH, value, position)
            position += 4
        yield group << 16 | number, (vr, _part(value, position, length))
        position += length


def _unpacked(layout: struct.Struct, value: bytes, position: int) -> tuple[Any, ...]:
    return layout.unpack(_part(value, position, layout.size))


def _part(value: bytes, start: int, length: int) -> bytes:
    if start + length > len(value):
        raise ValueError("the bytes end inside an element")
    return value[start : start + length]


def _decoded(vr: bytes, value: bytes) -> Any:
    """Value as pydicom gives it: a list where there are several."""
    if vr == b"SQ":
        return _items(value)
    if vr in _BINARY:
        return _one_or_all(np.frombuffer(value, _BINARY[vr]).tolist())
    texts = value.decode("ascii").rstrip(" \0").split("\\")
    number = _NUMBERS.get(vr)
    return _one_or_all(texts if number is None else [number(text) for text in texts])


def _one_or_all(values: Any) -> Any:
    return values[0] if len(values) == 1 else list(values)


@cache
def _tag(keyword: str) -> int | None:
    return tag_for_keyword(keyword)
