"""The label scheme of the spine, as VerSe numbers it.

1-7 are C1-C7, 8-19 T1-T12, 20-25 L1-L6, 26 the sacrum, 28 T13. The number is what masks,
NIfTI files and tables carry; the order along the body (T13 lies between T12 and L1) is
`VertebraLevel.rank`, never the number.
"""

from __future__ import annotations

from enum import IntEnum

SACRUM_LABEL = 26
"""VerSe label of the sacrum in `Segmentation.labels`; the sacrum is not a `VertebraLevel`."""


class VertebraLevel(IntEnum):
    """A vertebra by name; the value is its VerSe label."""

    C1 = 1
    C2 = 2
    C3 = 3
    C4 = 4
    C5 = 5
    C6 = 6
    C7 = 7
    T1 = 8
    T2 = 9
    T3 = 10
    T4 = 11
    T5 = 12
    T6 = 13
    T7 = 14
    T8 = 15
    T9 = 16
    T10 = 17
    T11 = 18
    T12 = 19
    T13 = 28
    L1 = 20
    L2 = 21
    L3 = 22
    L4 = 23
    L5 = 24
    L6 = 25

    @property
    def rank(self) -> int:
        """Position from head to foot, 0 for C1; T13 follows T12."""
        return _RANK[self]

    @property
    def region(self) -> str:
        """`"C"`, `"T"` or `"L"`."""
        return self.name[0]

    @classmethod
    def ordered(cls) -> tuple[VertebraLevel, ...]:
        """All levels from head to foot."""
        return _HEAD_TO_FOOT

    @classmethod
    def from_name(cls, name: str) -> VertebraLevel:
        """Level of a name such as ``"T12"``.

        Raises
        ------
        KeyError
            If the name is no vertebra.
        """
        return cls[name.strip().upper()]


_HEAD_TO_FOOT = tuple(sorted(VertebraLevel, key=lambda v: 19.5 if v == 28 else float(v)))
_RANK = {level: rank for rank, level in enumerate(_HEAD_TO_FOOT)}
