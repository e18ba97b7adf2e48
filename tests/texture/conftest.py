"""Reference vectors, and synthetic bodies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

REFERENCE = Path(__file__).parent / "reference"
OUTSIDE = -32768
SHARED = Path(__file__).parents[2].parent / "shared" / "texture" / "reference"


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    return json.loads((REFERENCE / "vectors.json").read_text())


@pytest.fixture(scope="session")
def regions() -> dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]]:
    """Name to HU and mask, for the regions that need no resampling."""
    with np.load(REFERENCE / "inputs.npz") as stored:
        return {
            name: (stored[name].astype(np.float64), stored[name] != OUTSIDE)
            for name in stored.files
            if not name.startswith("vert_aniso")
        }


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the texture reference folder is not beside the repository")
    return SHARED
