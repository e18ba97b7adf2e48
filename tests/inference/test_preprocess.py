"""The 2 mm grid: where it lies, what is averaged into it, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.preprocess import (
    AIR_HU,
    VOXEL_MM,
    from_network_order,
    hu_windows,
    prepare,
    to_network_order,
)
from inference.resampling import apply_matrices, sampling_matrix
from inference.volume import CTVolume


def ct(hu, spacing):
    affine = np.diag([*spacing, 1.0])[:, [0, 1, 2, 3]]
    affine[:3, :3] = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) * np.asarray(spacing)
    return CTVolume(hu.astype(np.int16), affine)


@settings(max_examples=25, deadline=None)
@given(
    spacing=st.tuples(*[st.floats(0.6, 5.0)] * 3),
    gradient=st.tuples(*[st.integers(-4, 4)] * 3),
)
def test_a_linear_field_keeps_its_place(spacing, gradient):
    """Half a voxel of shift, 1 mm, along any axis would change a gradient's values.

    A triangle over few samples bends a straight line by up to 0.2 mm, and HU are rounded.
    """
    shape = tuple(int(np.ceil(64 / s)) for s in spacing)
    index = np.indices(shape, dtype=float)
    field = 300 + sum(
        g * s * (i - n / 2) for g, s, i, n in zip(gradient, spacing, index, shape, strict=True)
    )
    volume = ct(np.rint(field), spacing)
    prepared = prepare(volume)
    grid = prepared.grid
    assert grid.start == (0, 0, 0)
    positions = [grid.to_source(a, np.arange(grid.shape[a])) for a in range(3)]
    expected = 300 + sum(
        (g * s * (p - n / 2)).reshape([-1 if a == b else 1 for b in range(3)])
        for a, (g, s, p, n) in enumerate(zip(gradient, spacing, positions, shape, strict=True))
    )
    margin = tuple(
        slice(int(np.ceil(6 / VOXEL_MM)) + 1, -int(np.ceil(6 / VOXEL_MM)) - 1) for _ in range(3)
    )
    assert np.abs(prepared.hu - expected)[margin].max() < 0.6 + 0.2 * np.abs(gradient).sum()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_grid_and_source_indices_undo_each_other(axis):
    grid = prepare(ct(np.full((30, 60, 70), 50), (4.0, 0.9, 1.1))).grid
    index = np.linspace(0, 20, 7)
    assert np.allclose(grid.from_source(axis, grid.to_source(axis, index)), index)


def test_fine_stripes_are_averaged_and_not_aliased():
    """A pattern finer than the grid becomes its mean."""
    hu = np.full((40, 120, 120), 100)
    hu[:, :, ::2] = 300
    inner = prepare(ct(hu, (2.0, 0.5, 0.5))).hu[5:-5, 5:-5, 5:-5]
    assert np.abs(inner - 200).max() < 10


def test_air_around_the_patient_is_cut_away():
    hu = np.full((40, 150, 150), AIR_HU)
    hu[:, 60:100, 50:110] = 40
    prepared = prepare(ct(hu, (2.0, 2.0, 2.0)))
    start, stop = prepared.grid.start, prepared.grid.stop
    assert 40 < start[1] <= 60
    assert 100 <= stop[1] < 120
    assert 30 < start[2] <= 50
    assert 110 <= stop[2] < 130


def test_scanner_padding_reads_as_air():
    hu = np.full((20, 40, 40), -3024)
    hu[:, 10:30, 10:30] = 40
    assert prepare(ct(hu, (2.0, 2.0, 2.0))).hu.min() >= AIR_HU


def test_network_order_runs_to_the_right_front_and_head():
    """Canonical axes run to the head, the back and the left."""
    array = np.zeros((4, 5, 6))
    array[3, 0, 0] = 1.0  # highest, frontmost, rightmost
    moved = to_network_order(array)
    assert moved.shape == (6, 5, 4)
    assert moved[5, 4, 3] == 1.0
    assert np.array_equal(from_network_order(moved), array)


def test_windows_tell_bone_and_soft_tissue_apart():
    bone, soft = hu_windows(np.array([-1000.0, 40.0, 200.0, 1500.0], dtype=np.float32))
    assert bone[2] == pytest.approx(0.0)
    assert soft[1] == pytest.approx(0.0)
    assert bone[3] > bone[2]
    assert soft[3] - soft[2] == pytest.approx((240 - 200) / 110)


@given(st.integers(2, 30), st.floats(0.3, 3.0))
def test_constant_values_survive_any_resampling(length, step):
    positions = np.arange(0, length, step)
    matrix = sampling_matrix(length, positions, 1.0)
    cube = np.full((length,) * 3, 7.0, dtype=np.float32)
    assert np.allclose(apply_matrices(cube, [matrix] * 3), 7.0, atol=1e-4)


@pytest.mark.parametrize("blank_hu", [-2048, -1024, -1000])
def test_blank_slices_at_the_ends_are_out_of_view(blank_hu):
    """Padding shows no rib and no dens: it must not count as a place where none is."""
    hu = np.full((40, 60, 60), blank_hu)
    hu[7:31, 5:55, 5:55] = 40
    grid = prepare(ct(hu, (2.0, 2.0, 2.0))).grid
    assert (grid.start[0], grid.stop[0]) == (7, 31)
    assert grid.start[1] < 5, "beside the patient there is a margin"
