"""Every window that holds spine is looked through, and few others."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.networks import Tissue
from inference.window_search import WindowLattice, follow_spine

SIZE = (16, 16, 16)


def searched(tissue, bone_window):
    """Places looked at, and the part of the volume they cover."""
    lattice = WindowLattice(tissue.shape, SIZE, 0.3)
    covered = np.zeros(tissue.shape, dtype=bool)
    progress = []

    def look(box):
        covered[box] = True
        return torch.from_numpy(tissue[box])

    follow_spine(lattice, bone_window, look, progress.append)
    return lattice, covered, progress


@settings(max_examples=15, deadline=None)
@given(start=st.floats(10, 50), slope=st.floats(-0.6, 0.6), decoy=st.integers(0, 60))
def test_a_bent_spine_is_covered_whole(start, slope, decoy):
    """Even where a contrast-filled organ is denser than the spine at some heights."""
    shape = (72, 40, 80)
    x, y, z = np.indices(shape)
    middle = np.clip(start + slope * (z - 40), 8, 64)
    spine = (np.abs(x - middle) < 6) & (np.abs(y - 14) < 6)
    tissue = np.where(spine, int(Tissue.BODY), 0)
    bone = np.where(spine, 0.5, -1.4).astype(np.float32)
    bone[:, 24:, decoy : decoy + 16] = 2.0
    _, covered, progress = searched(tissue, bone)
    assert covered[spine].all()
    assert progress[-1] == 1.0


def test_soft_tissue_beside_the_spine_is_left_out():
    shape = (120, 40, 60)
    x = np.indices(shape)[0]
    spine = np.abs(x - 30) < 6
    tissue = np.where(spine, int(Tissue.BODY), 0)
    _, covered, _ = searched(tissue, np.where(spine, 0.5, -1.4).astype(np.float32))
    assert covered[spine].all()
    assert not covered[80:].any()


def test_without_any_spine_at_the_starts_everything_is_looked_through():
    """A spine that shows no dense bone must not be missed for speed."""
    tissue = np.zeros((60, 40, 60), dtype=np.int64)
    _, covered, progress = searched(tissue, np.full((60, 40, 60), -1.0, dtype=np.float32))
    assert covered.all()
    assert progress[-1] == 1.0


@given(st.tuples(*[st.integers(16, 90)] * 3))
def test_the_windows_of_a_lattice_cover_its_array(shape):
    lattice = WindowLattice(shape, SIZE, 0.3)
    covered = np.zeros(shape, dtype=bool)
    for place in lattice.places():
        box = lattice.box(place)
        assert all(
            s.stop - s.start == w and s.stop <= n for s, w, n in zip(box, SIZE, shape, strict=True)
        )
        covered[box] = True
    assert covered.all()
