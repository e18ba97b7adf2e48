"""One object holds every number, rounded once; the rounding never contradicts a class."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.fracture import GRADE_FROM_LOSS
from inference.report import FractureFinding, SpineReport, VertebraMeasurement
from inference.volume import Notice, SourceFrame, SourceSeries
from sr_writer import FindingsInvalid, SoftwareIdentity, assemble, not_analysable
from sr_writer.findings import FEATURE_KEYS, Findings
from sr_writer.rounding import rounded, rounded_bmd, rounded_loss, significant
from sr_writer.tables import features_csv
from texture.report import PresetIdentity, SpineDensity, TextureReport, VertebraTexture

SOFTWARE = SoftwareIdentity("spinenode", "0.1.0")


def grade(loss):
    return sum(loss >= threshold for threshold in GRADE_FROM_LOSS)


def density_class(bmd):
    return "osteoporosis" if bmd < 80 else "osteopenia" if bmd <= 120 else "normal"


@given(st.floats(-0.2, 1))
def test_a_printed_loss_has_the_grade_of_the_exact_one(loss):
    assert grade(rounded_loss(loss)) == grade(loss)
    assert abs(rounded_loss(loss) - loss) < 0.0011


@given(st.floats(-50, 300))
def test_a_printed_density_has_the_class_of_the_exact_one(bmd):
    assert density_class(rounded_bmd(bmd)) == density_class(bmd)
    assert abs(rounded_bmd(bmd) - bmd) < 0.11


@given(st.floats(allow_nan=True, allow_infinity=True, width=32))
def test_rounding_gives_finite_plain_numbers_or_none(value):
    for result in (rounded(value, 2), significant(value), rounded_loss(value)):
        assert result is None or (type(result) is float and abs(result) < float("inf"))


@pytest.mark.parametrize(
    ("exact", "printed"), [(0.19996, 0.199), (0.2, 0.2), (0.24999, 0.249), (0.3999, 0.399)]
)
def test_losses_just_below_a_threshold_stay_below(exact, printed):
    assert rounded_loss(exact) == printed


@pytest.fixture
def bare_findings(make_case):
    """A vertebra about which almost nothing could be measured, with a NaN among the features."""
    case = make_case()
    level = case.findings.vertebrae[0].level
    measurement = VertebraMeasurement(
        level, 0.5, False, (1.0, 2.0, 3.0), None, None, None, {"heights_mm": "cut by the edge"},
        ("cut_by_field_of_view",),
    )  # fmt: skip
    features = dict.fromkeys(FEATURE_KEYS, None) | {"energy": float("nan"), "rp": 0.99}
    texture = TextureReport(
        PresetIdentity("goller2023", 1.0, 1000, 64),
        (VertebraTexture(level, None, None, features, {"hu": "no trabecular core"}),),
        SpineDensity(None, (), None, "generic"),
    )
    return assemble(case.volume, SpineReport(case.segmentation, (measurement,)), texture, SOFTWARE)


def test_every_gap_is_null_and_has_a_reason(bare_findings):
    (entry,) = bare_findings.to_json()["vertebrae"]
    assert entry["heights_mm"] == {"anterior": None, "middle": None, "posterior": None}
    assert entry["genant"] == {"grade": None, "type": None}
    assert entry["fractured"] is None
    assert entry["features"]["energy"] is None
    assert entry["features"]["rp"] == 0.99
    gaps = {"heights_mm", "height_loss", "genant", "volume_ml", "hu", "bmd_mg_cm3",
            *(set(FEATURE_KEYS) - {"rp"})}  # fmt: skip
    assert set(entry["unavailable"]) == gaps
    assert entry["unavailable"]["heights_mm"] == "cut by the edge"


def test_gaps_are_empty_cells(bare_findings):
    header, row = features_csv(bare_findings).splitlines()
    cells = dict(zip(header.split(","), row.split(","), strict=True))
    assert (cells["complete"], cells["fractured"], cells["height_loss"]) == ("false", "", "")


def test_document_has_the_keys_of_the_contract(make_case):
    document = make_case().findings.to_json()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert {"schema", "status", "reasons", "source", "software", "model", "texture_preset",
            "warnings", "vertebrae", "spine", "outputs", "timings_s"} == set(document)  # fmt: skip
    assert {"label", "verse_label", "complete", "confidence", "centroid_lps_mm", "volume_ml",
            "heights_mm", "height_loss", "genant", "fractured", "hu", "bmd_mg_cm3", "features",
            "unavailable", "flags"} <= set(document["vertebrae"][0])  # fmt: skip
    assert {"bmd_mg_cm3", "bmd_levels", "bmd_class", "fractured_levels", "contrast_phase"} <= set(
        document["spine"]
    )
    assert document["spine"]["fractured_levels"] == ["L1"]


def test_vertebrae_run_from_head_to_foot(make_case):
    case = make_case()
    report = SpineReport(case.segmentation, tuple(reversed([
        VertebraMeasurement(v.level, 1.0, True, v.centroid_lps_mm, 1.0, None,
                            FractureFinding(0.1, 0, "none", 25.0, "posterior", ""))
        for v in case.findings.vertebrae
    ])))  # fmt: skip
    texture = TextureReport(
        PresetIdentity("goller2023", 1.0, 1000, 64), (), SpineDensity(None, (), None, "")
    )
    found = assemble(case.volume, report, texture, SOFTWARE)
    assert [v.label for v in found.vertebrae] == ["T12", "L1", "L2"]


def test_not_analysable_says_why_and_reloads(tmp_path):
    source = SourceSeries("1.2", "1.2.3", "1.2.840.10008.5.1.4.1.1.2", None,
                          (SourceFrame(tmp_path / "a", "1.2.3.1"),))  # fmt: skip
    findings = not_analysable(source, (Notice("missing_slice", "A slice is missing."),), SOFTWARE)
    document = findings.to_json()
    assert (document["status"], document["vertebrae"]) == ("not_analysable", [])
    assert document["reasons"] == [{"code": "missing_slice", "text": "A slice is missing."}]
    assert document["source"]["instances"] == 1
    assert Findings.from_json(document).to_json() == document
    assert not_analysable(None, (), SOFTWARE).to_json()["source"]["instances"] == 0


def test_foreign_documents_are_refused(make_case):
    document = make_case().findings.to_json()
    with pytest.raises(FindingsInvalid, match="schema"):
        Findings.from_json({**document, "schema": "other/1"})
    del document["spine"]
    with pytest.raises(FindingsInvalid, match="spine"):
        Findings.from_json(document)


def test_digest_depends_on_the_set_of_instances_only(tmp_path):
    def digest(*uids):
        frames = tuple(SourceFrame(tmp_path / uid, uid) for uid in uids)
        return not_analysable(SourceSeries(frames=frames), (), SOFTWARE).source.digest

    assert digest("1.1", "1.2") == digest("1.2", "1.1")
    assert digest("1.1", "1.2") != digest("1.1", "1.3")
    assert replace(not_analysable(None, (), SOFTWARE)).source.digest != digest("1.1")
