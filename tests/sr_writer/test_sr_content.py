"""The measurement report: values, order, codes, texts; readable by highdicom."""

from __future__ import annotations

from dataclasses import replace

import highdicom as hd
import pydicom
import pytest

from inference.anatomy import VertebraLevel
from sr_writer import PredecessorObject, codes, write_outputs
from sr_writer.verify_sr import measurement_groups
from texture.features import REGISTRY


@pytest.fixture
def report(make_case, settings, tmp_path):
    def write(findings=lambda f: f, **changes):
        case = make_case()
        chosen = replace(settings, outputs=("seg", "sr"), **changes)
        written = write_outputs(
            findings(case.findings), case.volume, case.segmentation, tmp_path / "out", chosen
        )
        by_kind = {item.kind: pydicom.dcmread(item.path) for item in written}
        return case, by_kind

    return write


def names(group, value_type):
    return [i.ConceptNameCodeSequence[0].CodeMeaning for i in group.ContentSequence
            if i.ValueType == value_type]  # fmt: skip


def group_of(level, sr):
    (group,) = [
        g for g in measurement_groups(sr.ContentSequence) if level in texts(g.ContentSequence)
    ]
    return group


def names_at(group, name):
    found = [
        n for n, item in enumerate(group.ContentSequence)
        if item.ConceptNameCodeSequence[0].CodeMeaning == name
    ]  # fmt: skip
    return found[0]


def texts(items):
    for item in items:
        if item.ValueType == "TEXT":
            yield str(item.TextValue)
        yield from texts(item.get("ContentSequence", []))


def test_numbers_people_read_come_first_and_texture_last(report):
    _, objects = report()
    found = names(next(measurement_groups(objects["sr"].ContentSequence)), "NUM")
    assert found[:6] == [
        "Vertebral body height loss", "Genant grade", "Anterior height of vertebral body",
        "Middle height of vertebral body", "Posterior height of vertebral body",
        "Attenuation Coefficient",
    ]  # fmt: skip
    assert found[-8:] == [concept.meaning for concept, _ in codes.FEATURES.values()]


def test_highdicom_reads_groups_segments_and_values(report):
    case, objects = report()
    sr = hd.sr.Comprehensive3DSR.from_dataset(objects["sr"])
    groups = sr.content.get_volumetric_roi_measurement_groups()
    # viewers open a report at its first group: the flagged level
    assert [g.tracking_identifier for g in groups] == ["L1", "T12", "L2"]
    for group, vertebra, number in zip(groups, case.findings.flagged_first, (2, 1, 3), strict=True):
        assert group.referenced_segment.referenced_segment_numbers == [number]
        assert group.finding_sites[0].value.value == codes.vertebra_code(vertebra.level).value
        loss = group.get_measurements()[0]
        assert float(loss.value) == vertebra.height_loss_percent
        assert loss.unit.value == "%"


def test_groups_and_segments_share_tracking_uids(report):
    _, objects = report()
    in_seg = [s.TrackingUID for s in objects["seg"].SegmentSequence]
    groups = measurement_groups(objects["sr"].ContentSequence)
    in_sr = [i.UID for g in groups for i in g.ContentSequence
             if i.ValueType == "UIDREF" and i.RelationshipType == "HAS OBS CONTEXT"]  # fmt: skip
    assert sorted(in_sr) == sorted(in_seg)


def test_containers_are_separate_and_flags_are_preliminary(report):
    _, objects = report()
    for kind in ("sr", "narrative"):
        ds = objects[kind]
        assert (ds.PreliminaryFlag, ds.VerificationFlag) == ("PRELIMINARY", "UNVERIFIED")
        pending = [ds]
        while pending:
            item = pending.pop()
            pending += item.get("ContentSequence", [])
            if item.ValueType == "CONTAINER":
                assert item.ContinuityOfContent == "SEPARATE"


def test_what_is_unavailable_is_left_out_and_said(report):
    def without_texture(findings):
        first = findings.vertebrae[0]
        blank = replace(
            first, features=dict.fromkeys(first.features), bmd_mg_cm3=None,
            unavailable={"features": "fewer than 500 voxels", "bmd_mg_cm3": "metal in the body"},
        )  # fmt: skip
        return replace(findings, vertebrae=(blank, *findings.vertebrae[1:]))

    _, objects = report(without_texture)
    group = group_of("T12", objects["sr"])
    assert not set(names(group, "NUM")) & {c.meaning for c, _ in codes.FEATURES.values()}
    said = list(texts(group.ContentSequence))
    assert "texture not available: fewer than 500 voxels" in said
    assert "bone density not available: metal in the body" in said


def test_a_cut_vertebra_is_said_to_be_cut_once(report):
    def cut(findings):
        reasons = dict.fromkeys(("heights_mm", "height_loss", "genant"), "it is cut")
        first = replace(
            findings.vertebrae[0], complete=False, flags=("cut_by_field_of_view",),
            unavailable=reasons,
        )  # fmt: skip
        return replace(findings, vertebrae=(first, *findings.vertebrae[1:]))

    _, objects = report(cut)
    group = group_of("T12", objects["sr"])
    said = [text for text in texts(group.ContentSequence) if "cut" in text.lower()]
    assert said == [
        "Cut by the edge of the scan.",
        "heights, height loss, fracture grade not available: it is cut",
    ]
    assert " ".join(texts(objects["narrative"].ContentSequence)).count("cut by") == 1


def test_a_grade_of_zero_cannot_be_read_as_one(report):
    """OHIF prints a zero as nothing: the unit has to say what is missing."""
    _, objects = report()
    for group in measurement_groups(objects["sr"].ContentSequence):
        grade = group.ContentSequence[names_at(group, "Genant grade")].MeasuredValueSequence[0]
        assert grade.MeasurementUnitsCodeSequence[0].CodeValue == "{grade}"


def test_every_code_value_fits_its_representation():
    """Code Value is SH: at most 16 characters (PS3.5 6.2)."""
    own = [value for value in vars(codes).values() if isinstance(value, codes.Code)]
    own += [*codes.GENANT_TYPES.values(), *(code for code, _ in codes.FEATURES.values())]
    assert not [code.value for code in own if len(code.value) > 16]


def test_study_text_holds_conclusion_warnings_and_the_disclaimer(report):
    _, objects = report()
    for kind in ("sr", "narrative"):
        said = " ".join(texts(objects[kind].ContentSequence))
        assert "Suspected vertebral fracture: L1 wedge, grade 2 (moderate)" in said
        assert "Research use only. Not for diagnosis." in said
        assert "The contrast phase is not stated." in said
        assert said.isascii()


def test_a_superseding_report_names_its_predecessor(report):
    before = PredecessorObject(
        "1.2.840.10008.5.1.4.1.1.88.34", "1.2.9.1", "1.2.9", "later slices arrived"
    )
    case, objects = report(predecessor=before)
    (study,) = objects["sr"].PredecessorDocumentsSequence
    assert study.StudyInstanceUID == case.volume.source.StudyInstanceUID
    reference = study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert reference.ReferencedSOPInstanceUID == "1.2.9.1"
    for kind in ("sr", "narrative"):
        said = " ".join(texts(objects[kind].ContentSequence))
        assert "supersedes an earlier report of the same series: later slices arrived." in said


def test_image_library_holds_only_the_slices_of_the_centres(report):
    case, objects = report()
    (library,) = [i for i in objects["sr"].ContentSequence if i.ValueType == "CONTAINER"
                  and i.ConceptNameCodeSequence[0].CodeValue == "111028"]  # fmt: skip
    images = [i for i in library.ContentSequence[0].ContentSequence if i.ValueType == "IMAGE"]
    assert len(images) == len(case.findings.vertebrae)


def test_feature_codes_are_those_of_the_texture_engine():
    assert list(codes.FEATURES) == list(REGISTRY)
    for key, definition in REGISTRY.items():
        assert codes.FEATURES[key][0].value == definition.ibsi_code


def test_every_level_has_a_code_of_its_own_except_t13_and_l6():
    values = [codes.vertebra_code(level).value for level in VertebraLevel]
    assert values.count("51282000") == 2
    assert len(set(values)) == len(values) - 1
