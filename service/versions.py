"""What exactly is running."""

from __future__ import annotations

import platform
from importlib.metadata import version

import texture
from inference.weights import RELEASED

_LIBRARIES = ("torch", "pydicom", "pynetdicom", "highdicom", "dbos", "numpy", "scipy", "numba")


def versions() -> dict[str, str | list[str]]:
    """Program, Python, libraries, weights digest, texture presets."""
    facts: dict[str, str | list[str]] = {
        "spinenode": version("spinenode"),
        "python": platform.python_version(),
        "weights_sha256": RELEASED.sha256,
        "presets": sorted(texture.PRESETS),
    }
    facts.update({name: version(name) for name in _LIBRARIES})
    return facts
