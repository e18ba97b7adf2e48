"""Findings to and from the contract's JSON document; keys are stable, numbers never NaN."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from inference.anatomy import VertebraLevel
from inference.volume import Notice
from sr_writer.errors import FindingsInvalid
from sr_writer.findings_schema import (
    FEATURE_KEYS,
    SCHEMA,
    Findings,
    GenantFindings,
    HeightFindings,
    HUFindings,
    ModelFindings,
    OutputReference,
    PresetFindings,
    ReferenceFindings,
    SourceFindings,
    SpineFindings,
    VertebraFindings,
)
from sr_writer.shape_findings import shape_from_json

_NO_MODEL = {"name": None, "version": None, "sha256": None}
_NO_PRESET = {"name": None, "voxel_mm": None, "levels": None, "histogram_bins": None}


def to_json(findings: Findings) -> dict[str, object]:
    """Return the document of `Findings.to_json`."""
    return {
        "schema": SCHEMA,
        "status": findings.status,
        "reasons": [asdict(notice) for notice in findings.reasons],
        "source": _plain(asdict(findings.source)),
        "software": {"name": findings.software_name, "version": findings.software_version},
        "model": asdict(findings.model) if findings.model else dict(_NO_MODEL),
        "texture_preset": (
            asdict(findings.texture_preset) if findings.texture_preset else dict(_NO_PRESET)
        ),
        "warnings": [asdict(notice) for notice in findings.warnings],
        "vertebrae": [_vertebra_json(vertebra) for vertebra in findings.vertebrae],
        "spine": _plain(asdict(findings.spine)),
        "outputs": {kind: asdict(reference) for kind, reference in findings.outputs.items()},
        "timings_s": dict(findings.timings_s),
    }


def _vertebra_json(vertebra: VertebraFindings) -> dict[str, object]:
    return {
        "label": vertebra.label,
        "verse_label": int(vertebra.level),
        "complete": vertebra.complete,
        "confidence": vertebra.confidence,
        "centroid_lps_mm": list(vertebra.centroid_lps_mm),
        "volume_ml": vertebra.volume_ml,
        "heights_mm": asdict(vertebra.heights_mm),
        "height_loss": vertebra.height_loss,
        "genant": asdict(vertebra.genant),
        "fractured": vertebra.fractured,
        "hu": asdict(vertebra.hu),
        "bmd_mg_cm3": vertebra.bmd_mg_cm3,
        "features": {key: vertebra.features.get(key) for key in FEATURE_KEYS},
        "unavailable": dict(vertebra.unavailable),
        "flags": list(vertebra.flags),
        "height_uncertainty_mm": vertebra.height_uncertainty_mm,
        "fracture_sentence": vertebra.fracture_sentence,
        "fracture_confidence": vertebra.fracture_confidence,
        "height_reference": asdict(vertebra.height_reference),
        "shape": asdict(vertebra.shape),
    }


def _plain(mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: list(v) if isinstance(v, tuple) else v for key, v in mapping.items()}


def from_json(document: dict[str, Any]) -> Findings:
    """Return findings such that ``to_json(from_json(d)) == d``."""
    if document.get("schema") != SCHEMA:
        raise FindingsInvalid(f"schema is {document.get('schema')!r}, expected {SCHEMA!r}")
    try:
        return _findings(document)
    except (KeyError, TypeError, ValueError) as error:
        raise FindingsInvalid(f"document is incomplete: {error!r}") from error


def _findings(document: dict[str, Any]) -> Findings:
    source = dict(document["source"])
    for key in ("shape_kji", "spacing_mm"):
        source[key] = None if source[key] is None else tuple(source[key])
    spine = dict(document["spine"])
    for key in ("bmd_levels", "fractured_levels"):
        spine[key] = tuple(spine[key])
    model, preset = document["model"], document["texture_preset"]
    return Findings(
        status=document["status"],
        source=SourceFindings(**source),
        software_name=document["software"]["name"],
        software_version=document["software"]["version"],
        reasons=_notices(document["reasons"]),
        model=ModelFindings(**model) if model["name"] is not None else None,
        texture_preset=PresetFindings(**preset) if preset["name"] is not None else None,
        warnings=_notices(document["warnings"]),
        vertebrae=tuple(_vertebra(entry) for entry in document["vertebrae"]),
        spine=SpineFindings(**spine),
        outputs={kind: OutputReference(**v) for kind, v in document["outputs"].items()},
        timings_s=dict(document["timings_s"]),
    )


def _vertebra(entry: dict[str, Any]) -> VertebraFindings:
    x, y, z = entry["centroid_lps_mm"]
    return VertebraFindings(
        level=VertebraLevel(entry["verse_label"]),
        complete=entry["complete"],
        confidence=entry["confidence"],
        centroid_lps_mm=(x, y, z),
        volume_ml=entry["volume_ml"],
        heights_mm=HeightFindings(**entry["heights_mm"]),
        height_loss=entry["height_loss"],
        genant=GenantFindings(**entry["genant"]),
        fractured=entry["fractured"],
        hu=HUFindings(**entry["hu"]),
        bmd_mg_cm3=entry["bmd_mg_cm3"],
        features=dict(entry["features"]),
        unavailable=dict(entry["unavailable"]),
        flags=tuple(entry["flags"]),
        height_uncertainty_mm=entry.get("height_uncertainty_mm"),
        fracture_sentence=entry.get("fracture_sentence", ""),
        fracture_confidence=entry.get("fracture_confidence"),
        height_reference=ReferenceFindings(**entry.get("height_reference", {})),
        shape=shape_from_json(entry.get("shape")),
    )


def _notices(entries: list[dict[str, str]]) -> tuple[Notice, ...]:
    return tuple(Notice(entry["code"], entry["text"]) for entry in entries)
