"""The figures that decide whether new weights replace the released ones."""

import numpy as np
import pytest

from inference.errors import NotAnalysable
from inference.report import ModelIdentity, Segmentation
from inference.training.evaluation import LabelledCT
from inference.training.release_check import chain_report, check
from inference.volume import CTVolume

MODEL = ModelIdentity("test", "1", "0" * 64)


@pytest.fixture
def case() -> LabelledCT:
    """L1 above L2, each a block whose front half is the body."""
    labels = np.zeros((30, 20, 20), dtype=np.uint8)
    labels[16:26, 4:16, 4:16] = 20
    labels[3:13, 4:16, 4:16] = 21
    bodies = labels > 0
    bodies[:, 10:] = False
    volume = CTVolume(labels.astype(np.int16), np.eye(4))
    return LabelledCT("blocks", volume, labels, bodies, np.ones(labels.shape, dtype=bool))


def segmentation(case: LabelledCT, names: dict[int, int]) -> Segmentation:
    table = np.zeros(256, dtype=np.uint8)
    for old, new in names.items():
        table[old] = new
    labels = table[case.labels]
    return Segmentation(labels, np.where(case.bodies, labels, 0).astype(np.uint8), (), MODEL)


def test_the_right_answer_scores_one(case):
    report = chain_report(segmentation(case, {20: 20, 21: 21}), case)
    assert report == {
        "mean_dice": 1.0,
        "mean_instance_dice": 1.0,
        "mean_body_dice": 1.0,
        "named_right": 1.0,
        "extra": 0.0,
        "L1": 1.0,
        "L2": 1.0,
    }


def test_names_off_by_one_cost_the_named_dice_alone(case):
    report = chain_report(segmentation(case, {20: 19, 21: 20}), case)
    assert report["mean_instance_dice"] == 1.0
    assert report["mean_body_dice"] == 1.0
    assert report["mean_dice"] == 0.0
    assert report["named_right"] == 0.0


def test_a_vertebra_where_there_is_none_is_extra(case):
    found = segmentation(case, {20: 20})
    found.labels[3:13, 16:20, 16:20] = 24
    report = chain_report(found, case)
    assert report["extra"] == 1.0
    assert report["L2"] == 0.0
    assert report["named_right"] == 0.5


def test_a_refusal_counts_as_nothing_found(case):
    class Refusing:
        identity = MODEL

        def segment(self, _volume, _progress=None):
            raise NotAnalysable("no_vertebra", "No vertebra was found in the scan.")

    assert check(Refusing(), case)["named_right"] == 0.0
