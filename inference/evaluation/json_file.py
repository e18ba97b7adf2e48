"""JSON of other people: read whole, or refused with the file's name."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from inference.errors import UnreadableInput


def read_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises
    ------
    UnreadableInput
        If the file cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableInput(f"{path.name}: no readable JSON ({type(error).__name__})") from error


def number(value: object) -> float:
    """A finite number.

    Raises
    ------
    ValueError
        If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no finite number")
    return float(value)
