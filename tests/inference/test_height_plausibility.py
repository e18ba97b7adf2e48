"""Heights that cannot be are not reported; lost height always is."""

from __future__ import annotations

from inference import Heights, VertebraLevel
from inference.height_plausibility import implausible_heights
from inference.normal_heights import NORMAL_SHAPE, POSTERIOR_HEIGHT_MM

V = VertebraLevel
LEVELS = [v for v in V.ordered() if V.T6.rank <= v.rank <= V.L5.rank and v is not V.T13]


def healthy(level: VertebraLevel, size: float = 1.1) -> Heights:
    posterior = size * POSTERIOR_HEIGHT_MM[level]
    shape = NORMAL_SHAPE[level]
    return Heights(shape.anterior * posterior, shape.middle * posterior, posterior)


def spine(size: float = 1.1) -> dict[VertebraLevel, Heights]:
    return {level: healthy(level, size) for level in LEVELS}


def test_healthy_spines_of_any_size_are_believed() -> None:
    for size in (0.8, 1.0, 1.25, 1.4):
        assert implausible_heights(spine(size)) == {}


def test_a_mask_that_holds_half_the_next_vertebra_is_not_believed() -> None:
    merged = healthy(V.T6, 1.1)
    heights = spine() | {V.T6: Heights(1.6 * merged.anterior, merged.middle, merged.posterior)}
    reasons = implausible_heights(heights)
    assert set(reasons) == {V.T6}
    assert "anterior height" in reasons[V.T6]


def test_fractures_are_never_taken_for_implausible() -> None:
    wedge = {V.T12: Heights(10.0, 16.0, 25.0), V.L1: Heights(14.0, 13.5, 14.5)}
    assert implausible_heights(spine() | wedge) == {}


def test_one_sound_body_among_collapsed_ones_is_believed() -> None:
    """Two lost half of their height; the third is what they should be, not too high."""
    crushed = {level: healthy(level, 0.55) for level in (V.L1, V.L3)}
    assert implausible_heights(crushed | {V.L2: healthy(V.L2)}) == {}
