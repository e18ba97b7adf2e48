"""Arrays that several processes may write at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from inference.training.stored_arrays import save_arrays

WRITERS = 8


def test_writers_of_the_same_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    target = tmp_path / "source.npz"
    ready = Barrier(WRITERS)

    def write(number: int) -> None:
        ready.wait()
        save_arrays(target, levels=np.full((64, 64, 64), number, dtype=np.uint8))

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(write, range(WRITERS)))
    with np.load(target, allow_pickle=False) as stored:
        assert np.unique(stored["levels"]).size == 1
    assert [path.name for path in tmp_path.iterdir()] == ["source.npz"]


def test_what_could_not_be_written_whole_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "source.npz"
    target.mkdir()
    with pytest.raises(IsADirectoryError):
        save_arrays(target, levels=np.zeros(3, dtype=np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["source.npz"]
