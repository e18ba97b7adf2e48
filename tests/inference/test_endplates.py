"""Where an endplate lies when the image is clear, silent or ambiguous."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.phantom_cohort import examine, patient
from inference import VertebraLevel
from inference.endplates import Neighbourhood, Tissues, locate

FINE = np.full(3, 0.7)
BONE_HU = 150.0
MASK_SD_MM = 1.5
DEPTHS_MM = np.arange(-5.0, 6.0, 0.7)


def around(hu: npt.NDArray[np.float64], depth_mm: npt.NDArray[np.float64]) -> Neighbourhood:
    """Small voxels without a neighbouring vertebra."""
    far = np.full(hu.shape, -99.0)
    return Neighbourhood(hu, depth_mm, far, np.array([0.0, 0.0, 0.7]), FINE)


def column(shells_mm: dict[float, float], disc_hu: float) -> Neighbourhood:
    """Twelve equal columns, disc above bone (from depth 0), with bright layers at given depths."""
    depth = np.tile(DEPTHS_MM, 12)
    hu = np.where(depth > 0.0, BONE_HU, disc_hu)
    for at, excess in shells_mm.items():
        hu = hu + excess * np.exp(-0.5 * ((depth - at) / 0.5) ** 2)
    return around(hu, depth)


@pytest.mark.parametrize("deeper_mm", [-1.5, 0.0, 1.5])
def test_a_clear_endplate_is_found_wherever_the_mask_ends(deeper_mm: float) -> None:
    depth = np.tile(DEPTHS_MM, 12)
    hu = np.where(depth > deeper_mm, BONE_HU, 60.0)
    hu = np.where(np.abs(depth - deeper_mm - 0.4) < 0.45, 420.0, hu)
    found = locate(around(hu, depth), Tissues.expected(BONE_HU), MASK_SD_MM)
    assert found.offset_mm == pytest.approx(-deeper_mm, abs=0.4)
    assert found.sd_mm < 0.3


def test_of_two_edges_that_fit_alike_neither_is_picked() -> None:
    """A hair of brightness may not move the endplate from one to the other."""
    tissues = Tissues.expected(BONE_HU)
    upper = locate(column({-2.0: 62.0, 2.0: 60.0}, BONE_HU), tissues, MASK_SD_MM)
    lower = locate(column({-2.0: 60.0, 2.0: 62.0}, BONE_HU), tissues, MASK_SD_MM)
    assert abs(upper.offset_mm - lower.offset_mm) < 1.5
    assert min(upper.sd_mm, lower.sd_mm) > 1.0


def test_voxels_of_one_thick_slice_do_not_count_as_apart() -> None:
    """The slice's thickness parts neighbouring slices, not the voxels within one."""
    near = column({0.4: 250.0}, 60.0)
    thick = Neighbourhood(near.hu, near.depth_mm, near.beyond_mm, near.box_mm, np.array([5, 1, 1]))
    cube = Neighbourhood(near.hu, near.depth_mm, near.beyond_mm, near.box_mm, np.full(3, 5.0))
    assert thick.correlation == pytest.approx(4.0)
    assert cube.correlation < thick.correlation


def test_endplates_that_hardly_show_in_thick_slices_move_no_grade_by_two() -> None:
    """Disc and bone of T10 of this phantom are 10 HU apart, in slices of 5 mm."""
    examined = examine(patient(174, 20))
    for level, row in examined.known.items():
        finding = examined.measured[level].fracture
        if not row["complete"]:
            continue
        assert finding is not None
        assert abs(finding.grade - row["genant"]["grade"]) <= 1, level
    t10 = examined.measured[VertebraLevel.T10].heights_mm
    assert t10 is not None
    assert t10.posterior > 18.0
