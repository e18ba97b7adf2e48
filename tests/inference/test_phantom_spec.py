"""What the command line may ask of a phantom, and what it must refuse."""

from __future__ import annotations

import pytest

from inference.anatomy import VertebraLevel
from inference.phantom.errors import InvalidPhantom
from inference.phantom.layout import field_of_view, phantom_anatomy
from inference.phantom.spec import (
    PhantomSpec,
    demo_spec,
    parse_fracture,
    parse_level,
    parse_levels,
    parse_spacing,
)
from inference.phantom.truth import truth


def test_levels_are_read_from_head_to_foot() -> None:
    names = [level.name for level in parse_levels("T10-L5")]
    assert names == ["T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"]
    assert parse_levels("l3") == (VertebraLevel.L3,)


def test_a_fracture_is_level_type_and_loss() -> None:
    fracture = parse_fracture("L1:Wedge:0.35")
    assert (fracture.level, fracture.type, fracture.loss) == (VertebraLevel.L1, "wedge", 0.35)


def test_spacing_is_three_numbers() -> None:
    assert parse_spacing("0.8,0.9,3") == (0.8, 0.9, 3.0)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("L1:wedge", "L1:wedge"),
        ("L9:wedge:0.3", "L9"),
        ("L1:split:0.3", "split"),
        ("L1:wedge:much", "much"),
        ("L1:wedge:0.9", "0.9"),
        ("L1:wedge:-0.2", "-0.2"),
        ("L1:wedge:nan", "nan"),
    ],
)
def test_a_wrong_fracture_is_refused_by_its_value(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse_fracture(text)


@pytest.mark.parametrize("text", ["L5-T10", "T10-X1", "", "S1"])
def test_wrong_levels_are_refused(text: str) -> None:
    with pytest.raises(InvalidPhantom):
        parse_levels(text)


@pytest.mark.parametrize("text", ["C1", "T13", "L6"])
def test_levels_outside_a_usual_spine_are_refused(text: str) -> None:
    with pytest.raises(InvalidPhantom, match=text):
        parse_level(text)


@pytest.mark.parametrize("text", ["1,1", "a,b,c", "1,1,1,1"])
def test_wrong_spacing_is_refused(text: str) -> None:
    with pytest.raises(InvalidPhantom, match="spacing"):
        parse_spacing(text)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": -1}, "seed"),
        ({"orientation": "oblique"}, "oblique"),
        ({"bmd_mg_cm3": float("nan")}, "bmd"),
        ({"spacing_xyz_mm": (1.0, 1.0, 0.0)}, "spacing 0.0"),
        ({"levels": (VertebraLevel.L1, VertebraLevel.L3)}, "L1,L3"),
        ({"levels": ()}, "levels"),
        ({"fractures": (parse_fracture("T3:wedge:0.3"),)}, "T3"),
        ({"fractures": (parse_fracture("L1:wedge:0.3"),) * 2}, "twice"),
        ({"levels": (VertebraLevel.L1,), "fractures": (parse_fracture("L1:crush:0.1"),)}, "crush"),
    ],
)
def test_a_wrong_spec_is_refused_by_its_value(changes: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidPhantom, match=named):
        PhantomSpec(**changes)  # type: ignore[arg-type]


def test_the_demo_shows_a_grade_2_wedge() -> None:
    (fracture,) = demo_spec().fractures
    assert (fracture.type, 0.25 <= fracture.loss < 0.40) == ("wedge", True)


def known(text: str) -> dict[str, object]:
    """What the truth says of the fractured level."""
    spec = PhantomSpec(seed=2, fractures=(parse_fracture(text),))
    anatomy = phantom_anatomy(spec)
    rows = truth(spec, anatomy, *field_of_view(spec, anatomy))["vertebrae"]
    return next(row for row in rows if row["label"] == text.split(":", maxsplit=1)[0])


@pytest.mark.parametrize("loss", [0.03, 0.1, 0.19])
def test_a_small_crush_lowers_the_body_and_is_no_fracture(loss: float) -> None:
    """Lower all over, by the asked share of what the neighbours let expect."""
    small, healthy = known(f"L3:crush:{loss}"), known("L3:crush:0")
    assert small["height_loss"] == pytest.approx(loss, abs=0.01)
    assert small["genant"] == {"grade": 0, "type": "none"}
    assert small["fractured"] is False
    lower, usual = small["heights_mm"], healthy["heights_mm"]
    assert lower["posterior"] < usual["posterior"]  # type: ignore[index]


@pytest.mark.parametrize("kind", ["wedge", "biconcave", "crush"])
def test_a_loss_of_nothing_is_the_healthy_vertebra(kind: str) -> None:
    spec = PhantomSpec(seed=2)
    anatomy = phantom_anatomy(spec)
    rows = truth(spec, anatomy, *field_of_view(spec, anatomy))["vertebrae"]
    assert known(f"L3:{kind}:0") == next(row for row in rows if row["label"] == "L3")
