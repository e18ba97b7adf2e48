"""Compressed arrays on disk, whole or absent, whoever else writes the same file."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import numpy as np
import numpy.typing as npt


def save_arrays(path: Path, **arrays: npt.ArrayLike) -> None:
    """Write beside the target and move into place.

    Several processes may prepare the same thing: each writes a file of its own, the last one stays.
    """
    partial = path.with_name(f"{path.stem}.{uuid4().hex}.partial.npz")
    try:
        np.savez_compressed(
            partial, allow_pickle=False, **{k: np.asarray(a) for k, a in arrays.items()}
        )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
