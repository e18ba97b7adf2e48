"""What people read is in their words: no keys, no code names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inference import deformity, measurement
from inference.supplied_mask import MODEL_NAME as SUPPLIED_MASK
from sr_writer import wording
from sr_writer.findings_schema import ReferenceFindings, SpineFindings
from texture.calibration import GENERIC_CALIBRATION


@pytest.mark.parametrize(
    ("phase", "words"),
    [("native", "none"), ("portal_venous", "portal venous phase"), ("unspecified", "given")],
)
def test_density_is_said_without_keys(phase, words):
    calibration = f"{GENERIC_CALIBRATION.name}, portal venous contrast -18.1 HU"
    spine = SpineFindings(123.2, ("L1", "L2"), "normal", (), phase, calibration)
    text = wording.spine_density(spine)
    assert f"Contrast agent: {words}" in text
    assert "Calibration: generic for 120 kV, portal venous contrast -18.1 HU." in text
    assert "_" not in text
    assert GENERIC_CALIBRATION.name not in text


@pytest.mark.parametrize(
    "flag",
    [
        measurement.CUT_FLAG, measurement.NO_BODY_FLAG, measurement.PIT_FLAG,
        measurement.IMPLAUSIBLE_FLAG, measurement.FOREIGN_FLAG, deformity.SERIES_FLAG,
        deformity.SHORT_FLAG,
    ],
)  # fmt: skip
def test_every_flag_of_a_vertebra_has_words(flag):
    assert "_" not in wording.FLAG_WORDS[flag]


def test_a_loss_that_the_own_heights_do_not_give_is_marked(make_case):
    """The reader who computes it from the table has to know that it is against the neighbours."""
    findings = make_case().findings
    assert wording.loss_text(findings.vertebrae[1]) == "32.0"
    assert wording.loss_footnote(findings) == ""
    reference = ReferenceFindings(29.6, "neighbours")
    other = replace(findings.vertebrae[1], height_reference=reference)
    assert wording.loss_text(other) == "32.0*"
    assert wording.loss_footnote(replace(findings, vertebrae=(other,))).startswith("* against")


def test_the_confidence_of_the_names_is_said_once_for_all(make_case):
    findings = make_case().findings
    assert wording.level_confidence(findings) == "Confidence of the level names: 97 %."
    unsure = replace(findings.vertebrae[0], confidence=0.594)
    mixed = replace(findings, vertebrae=(unsure, *findings.vertebrae[1:]))
    assert wording.level_confidence(mixed) == "Confidence of the level names: 59 to 97 %."
    assert wording.level_confidence(replace(findings, vertebrae=())) == ""


def test_no_name_of_a_key_reaches_narrative_or_report(full_result):
    """Only the settings' own name and the file's identifiers are not plain words."""
    narrative = (full_result.out / "narrative.sr.dcm").read_bytes()
    for key in (b"generic-120kvp", b"portal_venous", b"cut_by", b"bmd_mg", b"height_loss"):
        assert key not in narrative


def test_supplied_masks_are_no_model(make_case):
    findings = make_case().findings
    assert f"model {findings.model.name} {findings.model.version}" in wording.model_text(findings)
    supplied = replace(findings, model=replace(findings.model, name=SUPPLIED_MASK))
    assert wording.model_text(supplied).endswith(f", {SUPPLIED_MASK}")
