"""features.csv: one row per vertebra, an empty cell where findings.json says why."""

from __future__ import annotations

import csv
import io

from sr_writer.findings_schema import FEATURE_KEYS, Findings, VertebraFindings

COLUMNS = (
    "label",
    "verse_label",
    "complete",
    "fractured",
    "genant_grade",
    "genant_type",
    "height_anterior_mm",
    "height_middle_mm",
    "height_posterior_mm",
    "height_loss",
    "volume_ml",
    "hu_mean",
    "hu_sd",
    "bmd_mg_cm3",
    *FEATURE_KEYS,
    "bmd_calibration",
)


def features_csv(findings: Findings) -> str:
    """Return the table as text, lines ending in a newline."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    calibration = findings.spine.calibration
    for vertebra in findings.vertebrae:
        named = None if vertebra.bmd_mg_cm3 is None else calibration
        writer.writerow([_cell(value) for value in (*_row(vertebra), named)])
    return buffer.getvalue()


def _row(vertebra: VertebraFindings) -> list[object]:
    heights = vertebra.heights_mm
    return [
        vertebra.label,
        int(vertebra.level),
        vertebra.complete,
        vertebra.fractured,
        vertebra.genant.grade,
        vertebra.genant.type,
        heights.anterior,
        heights.middle,
        heights.posterior,
        vertebra.height_loss,
        vertebra.volume_ml,
        vertebra.hu.mean,
        vertebra.hu.sd,
        vertebra.bmd_mg_cm3,
        *(vertebra.features.get(key) for key in FEATURE_KEYS),
    ]


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
