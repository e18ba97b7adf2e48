"""Average adult sizes of every vertebra, in mm and degrees.

Body heights and endplate sizes follow the ranges of Panjabi et al. (Spine 1991 and 1992), the
spacing of neighbouring body centres follows VerSe'20 (C7-T1 18.8, T5-T6 23.5, T9-T10 25.7,
T11-T12 29.8, L1-L2 33.4, L4-L5 31.7 mm), interpolated between the published pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

from inference.anatomy import VertebraLevel


@dataclass(frozen=True)
class LevelSize:
    """Average size of one vertebra.

    Attributes
    ----------
    width, depth, height
        Endplate width and depth, posterior body height.
    anterior_ratio
        Anterior over posterior height; below 1 in the thoracic kyphosis.
    spacing
        Distance of this body's centre to the next one below (L5: to the sacral endplate).
    canal_width, canal_depth, pedicle_width, pedicle_height
        Vertebral foramen and pedicle.
    transverse_span
        Tip to tip of the transverse processes.
    spinous_length, spinous_angle
        Length behind the canal, and inclination towards the feet in degrees.
    pitch
        Forward inclination of the body's axis in degrees (lordosis and kyphosis, supine).
    """

    width: float
    depth: float
    height: float
    anterior_ratio: float
    spacing: float
    canal_width: float
    canal_depth: float
    pedicle_width: float
    pedicle_height: float
    transverse_span: float
    spinous_length: float
    spinous_angle: float
    pitch: float


_TABLE = """
C2  17.5 15.5 18.0 1.00 19.5 24.0 18.0  7.5  9.0  52 18 20   0
C3  17.0 15.5 12.8 0.98 16.8 23.0 15.0  5.3  7.0  50 14 20   3
C4  17.5 15.6 12.5 0.98 16.5 23.5 15.0  5.3  7.0  51 14 20   6
C5  18.5 15.8 12.5 0.98 16.8 24.0 15.0  5.5  7.0  53 15 20  10
C6  20.0 16.5 12.0 0.98 17.4 24.5 15.0  6.0  7.2  55 20 20  14
C7  22.0 17.0 14.1 0.98 18.8 24.0 15.0  6.8  7.5  65 30 25  18
T1  26.0 18.0 15.5 0.97 20.6 21.5 16.0  8.0  9.5  76 32 25  21
T2  26.0 20.0 17.2 0.97 21.8 19.5 15.5  7.0 11.0  70 31 35  19
T3  25.5 22.0 17.3 0.96 22.5 18.0 15.5  5.5 11.5  62 30 42  15
T4  25.5 23.5 17.8 0.96 23.1 17.2 15.8  4.9 11.8  60 30 50  10
T5  26.5 25.0 18.0 0.95 23.5 17.0 16.0  4.9 11.8  60 31 55   5
T6  27.5 26.5 19.1 0.95 24.0 17.2 16.0  5.0 12.0  60 32 58   0
T7  28.5 28.0 19.9 0.95 24.5 17.5 16.0  5.4 12.2  60 33 58  -5
T8  30.0 29.0 20.5 0.95 25.0 17.8 16.0  6.0 12.8  59 32 55  -9
T9  31.5 30.0 21.2 0.96 25.7 18.0 15.8  6.8 13.8  58 30 45 -13
T10 33.0 31.0 22.2 0.96 27.6 18.2 15.5  7.5 14.8  55 28 30 -16
T11 36.0 32.0 23.4 0.96 29.8 19.0 16.0  8.5 16.5  50 25 18 -17
T12 39.5 32.5 24.8 0.96 32.0 21.5 17.5  8.5 16.5  47 25 10 -16
L1  41.5 33.5 25.8 0.97 33.4 23.0 18.0  8.4 15.8  70 29  8 -14
L2  43.0 34.5 26.3 0.99 34.0 23.5 17.5  8.6 15.2  80 31  8 -10
L3  44.5 35.0 25.9 1.01 33.4 24.0 17.0 10.0 14.8  90 31  8  -2
L4  47.0 35.5 26.0 1.04 31.7 25.0 17.5 13.0 15.0  88 29  8   8
L5  48.5 35.0 24.6 1.09 19.5 26.5 18.5 17.0 17.0  92 22 10  20
"""


def _parse(table: str) -> dict[VertebraLevel, LevelSize]:
    rows = (line.split() for line in table.strip().splitlines())
    return {VertebraLevel[name]: LevelSize(*map(float, numbers)) for name, *numbers in rows}


def _between(first: LevelSize, second: LevelSize) -> LevelSize:
    pairs = zip(vars(first).values(), vars(second).values(), strict=True)
    return LevelSize(*((a + b) / 2 for a, b in pairs))


LEVEL_SIZES: dict[VertebraLevel, LevelSize] = _parse(_TABLE)
LEVEL_SIZES[VertebraLevel.T13] = _between(
    LEVEL_SIZES[VertebraLevel.T12], LEVEL_SIZES[VertebraLevel.L1]
)
LEVEL_SIZES[VertebraLevel.L6] = LEVEL_SIZES[VertebraLevel.L5]
