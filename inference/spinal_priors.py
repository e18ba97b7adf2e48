"""How far apart and how large vertebrae usually are, along the continuous level number.

The level number is the network's: 1 for C1, 8 for T1, 20 for L1, 24 for L5. Spacings are the
distances of neighbouring body centres in VerSe'20 where published there (C7-T1, T5-T6, T9-T10,
T11-T12, L1-L2, L4-L5), interpolated between; the cervical values and the body volumes follow
published morphometry of adults (Panjabi 1991, 1992) with their wide spread.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_SPACING_AT = (1.5, 2.5, 3.5, 6.5, 7.5, 8.5, 12.5, 16.5, 18.5, 20.5, 23.5, 25.0)
_SPACING_MM = (15.0, 16.0, 16.0, 16.5, 18.8, 20.0, 23.5, 25.7, 29.8, 33.4, 31.7, 31.5)

_VOLUME_AT = (1.0, 3.0, 6.0, 8.0, 12.0, 16.0, 19.0, 21.0, 24.0)
_VOLUME_ML = (2.5, 3.0, 3.5, 6.0, 9.5, 14.5, 22.0, 28.0, 32.0)

SPACING_SIGMA = 0.09
"""Relative spread of one spacing, after the patient's own scale is taken out."""


def spacing_mm(level_number: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Expected distance of neighbouring centres, at the level number midway between them."""
    return np.interp(np.asarray(level_number, dtype=np.float64), _SPACING_AT, _SPACING_MM)


def body_volume_ml(level_number: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Expected volume of one vertebral body."""
    return np.interp(np.asarray(level_number, dtype=np.float64), _VOLUME_AT, _VOLUME_ML)
