"""docs/texture.md says what the code says."""

from __future__ import annotations

from pathlib import Path

from texture import GENERIC_CALIBRATION, PRESETS, REGISTRY

DOCS = (Path(__file__).parents[2] / "docs" / "texture.md").read_text(encoding="utf-8")


def registry_table() -> str:
    lines = [
        "| key | feature | formula | unit | IBSI | differs |",
        "|---|---|---|---|---|---|",
    ]
    for d in REGISTRY.values():
        lines.append(
            f"| `{d.key}` | {d.name} | ${d.formula}$ | {d.unit} | {d.ibsi_code} {d.ibsi_name} "
            f"| {d.note} |"
        )
    return "\n".join(lines)


def test_the_feature_table_is_that_of_the_registry():
    assert registry_table() in DOCS


def test_every_preset_and_the_generic_calibration_are_documented():
    for name in PRESETS:
        assert f"`{name}`" in DOCS
    line = GENERIC_CALIBRATION
    assert f"| `{line.name}` | {line.slope} | {line.intercept:g} |" in DOCS
