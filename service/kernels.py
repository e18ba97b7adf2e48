"""How sharp the reconstruction kernels of the makers are, by their names."""

from __future__ import annotations

import re
from typing import Literal

Sharpness = Literal["smooth", "medium", "sharp", "unknown"]

_SHARP_WORDS = ("BONE", "EDGE", "LUNG", "ULTRA", "SHARP", "YC", "YD")
_SMOOTH_WORDS = ("SOFT", "STANDARD", "STND", "SMOOTH", "BODY", "BRAIN", "ABDOMEN")
_SHARP_LETTERS = ("D", "E", "L")
_FC_BONE = 30
_MEDIUM_FROM, _SHARP_FROM = 45, 55


def kernel_class(kernel: str) -> Sharpness:
    """How sharp a ConvolutionKernel (0018,1210) is; ``unknown`` for a name of no known maker."""
    name = kernel.split("\\", maxsplit=1)[0].strip().upper()
    for read in (_by_word, _by_letter, _by_number):
        sharpness = read(name)
        if sharpness is not None:
            return sharpness
    return "unknown"


def _by_word(name: str) -> Sharpness | None:
    """``BONEPLUS``, ``STANDARD``."""
    if any(word in name for word in _SHARP_WORDS):
        return "sharp"
    return "smooth" if any(word in name for word in _SMOOTH_WORDS) else None


def _by_letter(name: str) -> Sharpness | None:
    """``A`` to ``L``: the first are smooth."""
    if not re.fullmatch(r"[A-L]", name):
        return None
    return "sharp" if name in _SHARP_LETTERS else "smooth"


def _by_number(name: str) -> Sharpness | None:
    """``B30f``, ``I70f``, ``Br40d``: the larger the sharper; ``FC30`` is where bone begins."""
    match = re.fullmatch(r"([A-Z]{1,3})(\d{1,2})\w*", name)
    if match is None:
        return None
    number = int(match[2])
    if match[1] == "FC":
        return "sharp" if number >= _FC_BONE else "smooth"
    if number >= _SHARP_FROM:
        return "sharp"
    return "medium" if number >= _MEDIUM_FROM else "smooth"
