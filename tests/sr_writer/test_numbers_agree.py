"""Report, table, findings.json and SR say the same numbers, to the last digit that each prints."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pydicom
import pytest

from sr_writer import codes
from sr_writer.findings_schema import FEATURE_KEYS

pdftotext = pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler-utils absent")


@pytest.fixture(scope="module")
def vertebrae(full_result) -> list[dict[str, Any]]:
    document = json.loads((full_result.out / "findings.json").read_text())
    return document["vertebrae"]


def same(printed: str | float, value: float) -> bool:
    """Whether `printed` is `value` rounded to the digits that are printed."""
    shown = Decimal(str(printed))
    return abs(shown - Decimal(repr(value))) <= Decimal(1).scaleb(shown.as_tuple().exponent) / 2


def flat(entry: dict[str, Any]) -> dict[str, float]:
    """Every number of one entry of findings.json by the table's column name."""
    heights = {f"height_{site}_mm": mm for site, mm in entry["heights_mm"].items()}
    hu = {"hu_mean": entry["hu"]["mean"], "hu_sd": entry["hu"]["sd"]}
    single = {k: entry[k] for k in ("verse_label", "height_loss", "volume_ml", "bmd_mg_cm3")}
    return {
        **single,
        **heights,
        **hu,
        "genant_grade": entry["genant"]["grade"],
        **entry["features"],
    }


def test_the_table_holds_the_numbers_of_the_document(full_result, vertebrae):
    with (full_result.out / "features.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(vertebrae) > 0
    for row, entry in zip(rows, vertebrae, strict=True):
        assert {key: float(row[key]) for key in flat(entry)} == flat(entry)
        assert row["genant_type"] == entry["genant"]["type"]
        assert row["fractured"] == str(entry["fractured"]).lower()
        assert row["bmd_calibration"] == full_result.case.findings.spine.calibration


def test_the_structured_report_holds_the_numbers_of_the_document(full_result, vertebrae):
    report = pydicom.dcmread(full_result.out / "report.sr.dcm")
    groups = dict(measurement_groups(report))
    assert set(groups) >= {entry["label"] for entry in vertebrae}
    for entry in vertebrae:
        said = groups[entry["label"]]
        heights, hu = entry["heights_mm"], entry["hu"]
        wanted = {
            (codes.HEIGHT_ANTERIOR.value, ""): heights["anterior"],
            (codes.HEIGHT_MIDDLE.value, ""): heights["middle"],
            (codes.HEIGHT_POSTERIOR.value, ""): heights["posterior"],
            (codes.HEIGHT_LOSS.value, ""): 100 * entry["height_loss"],
            (codes.GENANT_GRADE.value, ""): entry["genant"]["grade"],
            (codes.ATTENUATION.value, codes.MEAN.value): hu["mean"],
            (codes.ATTENUATION.value, codes.MEDIAN.value): hu["median"],
            (codes.ATTENUATION.value, codes.STANDARD_DEVIATION.value): hu["sd"],
            (codes.BMD.value, ""): entry["bmd_mg_cm3"],
            (codes.VOLUME.value, ""): entry["volume_ml"],
        }
        wanted |= {
            (codes.FEATURES[key][0].value, ""): entry["features"][key] for key in FEATURE_KEYS
        }
        assert {key: said[key] for key in wanted} == pytest.approx(wanted, rel=1e-12)


def measurement_groups(
    report: pydicom.Dataset,
) -> Iterator[tuple[str, dict[tuple[str, str], float]]]:
    """Tracking identifier, and value by (concept, derivation), of every group."""
    for item in walk(report):
        children = item.get("ContentSequence", [])
        names = [c for c in children if concept(c) == codes.TRACKING_IDENTIFIER.value]
        numbers = [c for c in children if c.get("ValueType") == "NUM"]
        if names and numbers:
            yield str(names[0].TextValue), {(concept(n), derivation(n)): value(n) for n in numbers}


def walk(item: pydicom.Dataset) -> Iterator[pydicom.Dataset]:
    yield item
    for child in item.get("ContentSequence", []):
        yield from walk(child)


def concept(item: pydicom.Dataset) -> str:
    return (
        str(item.ConceptNameCodeSequence[0].CodeValue) if "ConceptNameCodeSequence" in item else ""
    )


def derivation(item: pydicom.Dataset) -> str:
    for child in item.get("ContentSequence", []):
        if concept(child) == codes.DERIVATION.value:
            return str(child.ConceptCodeSequence[0].CodeValue)
    return ""


def value(item: pydicom.Dataset) -> float:
    return float(item.MeasuredValueSequence[0].NumericValue)


@pdftotext
def test_the_printed_report_holds_the_numbers_of_the_document(full_result, vertebrae):
    pages = subprocess.run(
        ["pdftotext", "-layout", str(full_result.out / "report.pdf"), "-"],
        capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    lines = pages.splitlines()
    for entry in vertebrae:
        level, texture, shape = rows_of(lines, entry["label"])
        heights, spread = entry["heights_mm"], entry["shape"]
        wanted = [100 * entry["height_loss"], *heights.values(), entry["bmd_mg_cm3"]]
        assert_printed(level, wanted)
        hu = entry["hu"]
        assert_printed(
            texture, [hu["mean"], hu["sd"], entry["bmd_mg_cm3"], *entry["features"].values()]
        )
        lateral, lateral_sd = spread["lateral_heights_mm"], spread["lateral_heights_sd_mm"]
        angles, angles_sd = spread["endplate_angles_deg"], spread["endplate_angles_sd_deg"]
        pairs = [(heights[s], spread["heights_sd_mm"][s]) for s in heights]
        pairs += [(lateral[s], lateral_sd[s]) for s in lateral]
        pairs += [(angles[s], angles_sd[s]) for s in angles]
        pairs.append((entry["volume_ml"], spread["volume_sd_ml"]))
        assert_printed(shape, [number for pair in pairs for number in pair])


def rows_of(lines: list[str], label: str) -> list[list[str]]:
    """The numbers in the rows of one level in the report's three tables."""
    rows = []
    for line in lines:
        words = line.replace("/", " ").replace("±", " ").split()
        if label in words[:-4]:
            numbers = [w for w in words[words.index(label) + 1 :] if is_number(w)]
            if len(numbers) >= 5:
                rows.append(numbers)
    return rows


def is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def assert_printed(printed: list[str], wanted: list[float]) -> None:
    assert len(printed) >= len(wanted)
    for shown, number in zip(printed, wanted, strict=False):
        assert same(shown, number), (shown, number)
