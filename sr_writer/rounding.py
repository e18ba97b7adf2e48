"""The one place where numbers are rounded.

CSV, JSON, SR, PDF and pictures all print what leaves here, so they agree to the last digit. A
rounded number never contradicts the class that was decided on the exact one: 0.1998 is below the
20 % threshold and must not be printed as 20.0 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from inference.fracture import GRADE_FROM_LOSS
from texture.density import NORMAL_ABOVE, OSTEOPOROSIS_BELOW


def finite(value: float | None) -> float | None:
    """Plain Python float, or None for None, NaN and infinities."""
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def rounded(value: float | None, decimals: int) -> float | None:
    """Rounded plain float without negative zero; None for what is not finite."""
    number = finite(value)
    return None if number is None else round(number, decimals) + 0.0


def significant(value: float | None, digits: int = 6) -> float | None:
    """Rounded to significant digits: texture features span seven orders of magnitude."""
    number = finite(value)
    return None if number is None else float(f"{number:.{digits}g}") + 0.0


def rounded_loss(value: float | None) -> float | None:
    """Height loss at 0.1 %, on the same side of every grade threshold as the exact loss."""
    return _keeping_side(value, 3, GRADE_FROM_LOSS)


def rounded_bmd(value: float | None) -> float | None:
    """BMD at 0.1 mg/cm3, in the same density class as the exact value.

    The upper threshold is exclusive (normal is *above* 120), hence the next representable tenth.
    """
    number = finite(value)
    if number is None:
        return None
    near = round(number, 1)
    if near <= NORMAL_ABOVE < number:
        return round(near + 0.1, 1)
    return _keeping_side(number, 1, (OSTEOPOROSIS_BELOW,))


def _keeping_side(
    value: float | None, decimals: int, lower_bounds: Sequence[float]
) -> float | None:
    number = finite(value)
    if number is None:
        return None
    near = round(number, decimals)
    step = 10.0**-decimals
    if any(number < bound <= near for bound in lower_bounds):
        near = round(near - step, decimals)
    return near + 0.0
