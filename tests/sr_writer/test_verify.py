"""A result that differs from what was found is never let through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest

import sr_writer.verify_seg
from inference.anatomy import VertebraLevel
from sr_writer import VerificationFailed, codes, verify_outputs, write_outputs
from sr_writer.verify_sr import measurement_groups


@pytest.fixture
def written_case(make_case, settings, tmp_path):
    case = make_case()
    chosen = replace(settings, outputs=("seg", "sr", "key_images"))
    written = write_outputs(case.findings, case.volume, case.segmentation, tmp_path / "out", chosen)
    return case, written


def check(case, written, **changes):
    findings = changes.get("findings", case.findings)
    segmentation = changes.get("segmentation", case.segmentation)
    verify_outputs(written, findings, case.volume, segmentation)


def edit(written, kind, change):
    path = next(item.path for item in written if item.kind == kind)
    ds = pydicom.dcmread(path)
    change(ds)
    ds.save_as(path)


def test_accepts_what_was_written(written_case):
    check(*written_case)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_rejects_a_mirrored_mask(written_case, axis):
    case, written = written_case
    mirrored = np.flip(case.segmentation.labels, axis).copy()
    with pytest.raises(VerificationFailed, match="seg"):
        check(case, written, segmentation=replace(case.segmentation, labels=mirrored))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_rejects_a_mask_shifted_by_one_voxel(written_case, axis):
    case, written = written_case
    shifted = np.roll(case.segmentation.labels, 1, axis)
    with pytest.raises(VerificationFailed, match="lies"):
        check(case, written, segmentation=replace(case.segmentation, labels=shifted))


def test_the_centroid_alone_notices_a_shift(written_case, monkeypatch):
    case, written = written_case
    monkeypatch.setattr(sr_writer.verify_seg, "_verify_voxels", lambda *_: None)
    shifted = np.roll(case.segmentation.labels, 1, axis=2)
    with pytest.raises(VerificationFailed, match="mm from the mask"):
        check(case, written, segmentation=replace(case.segmentation, labels=shifted))


def test_rejects_voxels_that_changed_places_around_the_centre(written_case, monkeypatch):
    """Count and centroid are those of the mask, and yet two voxels lie elsewhere."""
    case, written = written_case
    labels = case.segmentation.labels
    where = np.argwhere(labels == int(VertebraLevel.T12))
    middle, inner = where.mean(axis=0), where[np.abs(where - where.mean(axis=0)).sum(1).argmin()]
    opposite = np.rint(2 * middle - inner).astype(int)
    moved = labels.copy()
    moved[tuple(inner)] = moved[tuple(opposite)] = 0
    k, j, i = where.max(axis=0)
    for place in ((k, j + 1, i), np.rint(2 * middle - (k, j + 1, i)).astype(int)):
        moved[tuple(place)] = int(VertebraLevel.T12)
    with pytest.raises(VerificationFailed, match="outside its mask"):
        check(case, written, segmentation=replace(case.segmentation, labels=moved))


def test_rejects_a_segment_with_fewer_voxels_than_the_mask(written_case):
    case, written = written_case
    where = np.argwhere(case.segmentation.labels == int(VertebraLevel.T12))
    more = case.segmentation.labels.copy()
    # two opposite corners of its box, so that the centre hardly moves
    more[tuple(where.min(axis=0))] = more[tuple(where.max(axis=0))] = int(VertebraLevel.T12)
    assert (more != case.segmentation.labels).any()
    with pytest.raises(VerificationFailed, match="voxels, the mask has"):
        check(case, written, segmentation=replace(case.segmentation, labels=more))


def test_rejects_frames_moved_by_a_slice(written_case):
    case, written = written_case

    def move(ds):
        for group in ds.PerFrameFunctionalGroupsSequence:
            position = group.PlanePositionSequence[0].ImagePositionPatient
            position[2] = float(position[2]) + 3.0

    edit(written, "seg", move)
    with pytest.raises(VerificationFailed, match=r"source image|outside"):
        check(case, written)


def test_rejects_frames_without_source_images(written_case):
    """Viewers misplace such overlays silently."""
    case, written = written_case

    def strip(ds):
        for group in ds.PerFrameFunctionalGroupsSequence:
            del group.DerivationImageSequence

    edit(written, "seg", strip)
    with pytest.raises(VerificationFailed, match="source image"):
        check(case, written)


def test_rejects_swapped_segments(written_case):
    case, written = written_case

    def swap(ds):
        first, second = ds.SegmentSequence[0], ds.SegmentSequence[1]
        first.SegmentLabel, second.SegmentLabel = second.SegmentLabel, first.SegmentLabel

    edit(written, "seg", swap)
    with pytest.raises(VerificationFailed):
        check(case, written)


def test_rejects_a_value_that_differs_in_the_last_digit(written_case):
    case, written = written_case
    first = case.findings.vertebrae[0]
    other = replace(first, bmd_mg_cm3=round(first.bmd_mg_cm3 + 0.1, 1))
    findings = replace(case.findings, vertebrae=(other, *case.findings.vertebrae[1:]))
    with pytest.raises(VerificationFailed, match="bone mineral density"):
        check(case, written, findings=findings)


def first_item(sr, code):
    """The first item with a concept name in the first measurement group."""
    group = next(measurement_groups(sr.ContentSequence))
    return next(
        item for item in group.ContentSequence
        if item.get("ConceptNameCodeSequence")
        and item.ConceptNameCodeSequence[0].CodeValue == code.value
    )  # fmt: skip


def test_rejects_a_group_that_refers_to_another_segment(written_case):
    case, written = written_case

    def confuse(sr):
        reference = first_item(sr, codes.REFERENCED_SEGMENT).ReferencedSOPSequence[0]
        reference.ReferencedSegmentNumber = 3

    edit(written, "sr", confuse)
    with pytest.raises(VerificationFailed, match="references segment 3"):
        check(case, written)


def test_rejects_a_centre_that_lies_elsewhere_on_its_slice(written_case):
    case, written = written_case

    def move(sr):
        point = first_item(sr, codes.CENTER)
        point.GraphicData = [point.GraphicData[0] + 4, point.GraphicData[1]]

    edit(written, "sr", move)
    with pytest.raises(VerificationFailed, match="mm off"):
        check(case, written)


def test_rejects_a_centre_on_another_slice(written_case):
    case, written = written_case
    other = case.volume.source.frames[0].SOPInstanceUID

    def move(sr):
        image = first_item(sr, codes.CENTER).ContentSequence[0].ReferencedSOPSequence[0]
        image.ReferencedSOPInstanceUID = other

    edit(written, "sr", move)
    with pytest.raises(VerificationFailed, match="another slice"):
        check(case, written)


def test_rejects_a_fracture_that_went_missing(written_case):
    case, written = written_case

    def call_it_absent(sr):
        presence = first_item(sr, codes.COMPRESSION_FRACTURE)
        presence.ConceptCodeSequence = [codes.ABSENT.item()]

    edit(written, "sr", call_it_absent)
    with pytest.raises(VerificationFailed, match="presence of a fracture"):
        check(case, written)


def test_rejects_a_flagged_level_that_the_findings_do_not_flag(written_case):
    case, written = written_case
    second = replace(case.findings.vertebrae[1], fractured=False)
    changed = (case.findings.vertebrae[0], second, case.findings.vertebrae[2])
    with pytest.raises(VerificationFailed, match="group of T12 is named L1"):
        check(case, written, findings=replace(case.findings, vertebrae=changed))


def test_rejects_an_object_of_another_patient(written_case):
    case, written = written_case
    edit(written, "sr", lambda ds: setattr(ds, "PatientID", "P-2"))
    with pytest.raises(VerificationFailed, match="PatientID"):
        check(case, written)


def test_rejects_a_reference_to_nowhere(written_case):
    case, written = written_case

    def redirect(ds):
        item = ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.3"

    edit(written, "key_images", redirect)
    with pytest.raises(VerificationFailed, match="do not exist"):
        check(case, written)


def test_rejects_truncated_and_emptied_objects(written_case):
    case, written = written_case
    edit(written, "sr", lambda ds: ds.__delitem__("ContentSequence"))
    with pytest.raises(VerificationFailed, match="incomplete"):
        check(case, written)
    written[0].path.write_bytes(b"not DICOM")
    with pytest.raises(VerificationFailed, match="read back"):
        check(case, written)
