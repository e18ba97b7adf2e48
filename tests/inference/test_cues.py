"""Cues of levels that need no image."""

import pytest

from inference.cues import VertebraCues, reaching_down


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
