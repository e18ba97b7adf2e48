"""Cues of levels: what counts as seen at which vertebra."""

from dataclasses import replace

import numpy as np
import pytest

from inference.cues import VertebraCues, reaching_down
from inference.instances import Instance
from inference.networks import Tissue
from inference.ribs import rib_evidence, rib_presence
from inference.sliding import VoxelPrediction


def row(ilium):
    return VertebraCues(level_number=20.0, ribs=0.0, to_next_mm=30.0, ilium=ilium)


@pytest.mark.parametrize(
    ("seen", "counts"),
    [
        ([0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]),
        ([0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]),
        ([0.0, 1.0, 0.6, 0.9], [0.0, 0.6, 0.6, 0.9]),
        ([1.0, None, 1.0, None], [1.0, None, 1.0, None]),
        ([1.0, 1.0, None, 0.0], [0.0, 0.0, None, 0.0]),
    ],
)
def test_ilium_counts_only_where_it_goes_on_downwards(seen, counts):
    """Kidneys with contrast agent end above the pelvis; iliac wings do not."""
    assert [each.ilium for each in reaching_down([row(value) for value in seen])] == counts


def two_vertebrae_with_ribs_at_the_lower():
    """Ribs at the lower one's raised transverse processes, 8 mm beside the upper one's body."""
    shape = (40, 50, 60)
    labels = np.zeros(shape, dtype=np.uint8)
    labels[22:32, 15:35, 20:40] = 1
    labels[8:18, 15:35, 20:40] = 2
    rib = np.zeros(shape, dtype=np.float32)
    for process, beside in ((slice(40, 46), slice(43, 45)), (slice(14, 20), slice(15, 17))):
        labels[8:21, 25:35, process] = 2
        rib[21:25, 25:33, beside] = 1.0
    probabilities = np.zeros((len(Tissue), *shape), dtype=np.float32)
    probabilities[Tissue.RIB] = rib
    nothing = np.zeros(shape, dtype=np.float32)
    prediction = VoxelPrediction(
        probabilities, np.stack([nothing] * 3), nothing, np.ones(shape, dtype=bool)
    )
    upper = Instance(1, (26.5, 25.0, 29.5), 20.0, 8.0, 7.0, 0.3, touches_border=False)
    lower = Instance(2, (12.5, 25.0, 29.5), 20.0, 8.0, 8.0, 0.3, touches_border=False)
    return prediction, labels, upper, lower


def test_a_rib_counts_for_the_nearest_vertebra_alone():
    """T1's rib passes close to C7 and is no rib of C7."""
    prediction, labels, upper, lower = two_vertebrae_with_ribs_at_the_lower()
    evidence = rib_evidence(prediction, labels)
    assert rib_presence(evidence, lower) == 1.0
    assert rib_presence(evidence, upper) < 0.5
    labels[labels == 2] = 0
    assert rib_presence(rib_evidence(prediction, labels), upper) > 0.5


def test_a_rib_whose_neck_was_missed_counts_where_its_inner_end_points():
    prediction, labels, upper, lower = two_vertebrae_with_ribs_at_the_lower()
    rib = prediction.probabilities[Tissue.RIB]
    rib[:] = 0
    rib[9:19, 22:30, 53:59] = rib[9:19, 22:30, 1:7] = 1.0
    evidence = rib_evidence(prediction, labels)
    assert 0.6 < rib_presence(evidence, lower) < 1.0
    assert rib_presence(evidence, upper) == 0.0
    rib[:, :, :10] = 0
    assert 0.3 < rib_presence(rib_evidence(prediction, labels), lower) < 0.5


def test_a_rib_that_hangs_down_beside_the_next_vertebra_is_not_its_rib():
    prediction, labels, upper, lower = two_vertebrae_with_ribs_at_the_lower()
    labels[:, :, :20] = labels[:, :, 40:] = 0
    rib = prediction.probabilities[Tissue.RIB]
    rib[:] = 0
    for step in range(11):
        rib[25 - 2 * step : 29 - 2 * step, 22:30, 41 + step : 44 + step] = 1.0
        rib[25 - 2 * step : 29 - 2 * step, 22:30, 16 - step : 19 - step] = 1.0
    evidence = rib_evidence(prediction, labels)
    assert rib_presence(evidence, upper) == 1.0
    assert rib_presence(evidence, lower) == 0.0


def test_ribs_are_not_missed_where_the_view_is_too_narrow_for_them():
    prediction, labels, upper, _ = two_vertebrae_with_ribs_at_the_lower()
    narrow = VoxelPrediction(
        prediction.probabilities[..., 15:45],
        prediction.offsets_mm[..., 15:45],
        prediction.level[..., 15:45],
        prediction.seen[..., 15:45],
    )
    moved = replace(upper, centre=(26.5, 25.0, 14.5))
    assert rib_presence(rib_evidence(narrow, labels[..., 15:45]), moved) is None
