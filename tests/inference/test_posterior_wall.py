"""What lies behind the posterior wall is pedicle, also where a collapsed body is no thicker."""

from __future__ import annotations

import numpy as np

from inference.posterior_wall import without_pedicles

FORWARD, CRANIAL = np.array([0.0, -1.0, 0.0]), np.array([1.0, 0.0, 0.0])
SPACING = np.ones(3)


def flat_vertebra(height: int = 9, pedicle_length: int = 14) -> tuple[np.ndarray, np.ndarray]:
    """A collapsed body of 30 x 40 mm with two pedicles as high as itself; and the body alone."""
    body = np.zeros((20, 70, 60), dtype=bool)
    body[5 : 5 + height, 10:40, 10:50] = True
    whole = body.copy()
    for side in (slice(12, 20), slice(40, 48)):
        whole[5 : 5 + height, 40 : 40 + pedicle_length, side] = True
    return whole, body


def test_pedicles_are_cut_off_and_the_body_stays() -> None:
    whole, body = flat_vertebra()
    kept = without_pedicles(whole, FORWARD, CRANIAL, SPACING)
    assert kept[body].mean() > 0.99
    assert (kept & ~body).sum() < 0.1 * (whole & ~body).sum()


def test_a_body_without_pedicles_is_left_alone() -> None:
    _, body = flat_vertebra()
    assert (without_pedicles(body, FORWARD, CRANIAL, SPACING) == body).all()


def test_anterior_may_point_along_any_axis() -> None:
    whole, body = flat_vertebra()
    turned = np.ascontiguousarray(np.swapaxes(whole, 1, 2))
    kept = without_pedicles(turned, np.array([0.0, 0.0, -1.0]), CRANIAL, SPACING)
    assert (np.swapaxes(kept, 1, 2)[body]).mean() > 0.99
    assert not np.swapaxes(kept, 1, 2)[:, 45:].any()


def test_too_few_voxels_or_no_direction_change_nothing() -> None:
    whole, _ = flat_vertebra()
    assert (without_pedicles(whole, CRANIAL, CRANIAL, SPACING) == whole).all()
    speck = np.zeros((4, 4, 4), dtype=bool)
    speck[1, 1, 1] = True
    assert (without_pedicles(speck, FORWARD, CRANIAL, SPACING) == speck).all()
