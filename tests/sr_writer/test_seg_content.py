"""The SEG says where each vertebra is: read back by another library and by the standard."""

from __future__ import annotations

from dataclasses import replace

import highdicom as hd
import numpy as np
import pydicom
import pytest

from inference.anatomy import SACRUM_LABEL, VertebraLevel
from sr_writer import verify_outputs, write_outputs
from sr_writer.files import save_object
from sr_writer.headers import SourceHeaders
from sr_writer.instance import ResultContext, stamp
from sr_writer.provenance import SEG, ResultUIDs
from sr_writer.seg_frames import plane_axes_mm, seg_frames
from sr_writer.seg_labelmap import source_planes
from sr_writer.segments import description, segments_of

GEOMETRIES = {
    "axial": {},
    "tilted 25 degrees": {"turn": 25.0},
    "sagittal": {"sagittal": True},
    "feet first": {"flip": True},
    "enhanced": {"enhanced": "forward"},
    "enhanced, frames in reverse": {"enhanced": "backward"},
}


def written_seg(make, settings, tmp_path, geometry):
    case = make(**geometry)
    chosen = replace(settings, outputs=("seg",))
    (item,) = write_outputs(case.findings, case.volume, case.segmentation, tmp_path / "out", chosen)
    verify_outputs((item,), case.findings, case.volume, case.segmentation)
    return case, pydicom.dcmread(item.path)


def patient_points(frame, down, along):
    return frame.position_lps_mm + frame.rows[:, None] * down + frame.columns[:, None] * along


@pytest.fixture
def make_geometry(make_case, affines):
    def make(turn=0.0, sagittal=False, flip=False, enhanced=None):
        if sagittal:
            shape = (30, 70, 60)
            return make_case(shape=shape, affine=affines.sagittal(shape))
        shape = (24, 64, 56)
        affine = affines.axial(shape, angle_deg=turn)
        if flip:
            affine[:3, 3] += affine[:3, 0] * (shape[0] - 1)
            affine[:3, 0] *= -1
        order = {None: None, "forward": range(24), "backward": range(23, -1, -1)}[enhanced]
        return make_case(shape=shape, affine=affine, enhanced=order and list(order))

    return make


@pytest.mark.parametrize("name", GEOMETRIES)
def test_each_segment_covers_the_same_patient_points(name, make_geometry, settings, tmp_path):
    """Every voxel is placed by the SEG's own attributes and lands in the mask's own voxel."""
    case, seg = written_seg(make_geometry, settings, tmp_path, GEOMETRIES[name])
    labels = {int(s.SegmentNumber): str(s.SegmentLabel) for s in seg.SegmentSequence}
    down, along = plane_axes_mm(seg)
    rebuilt = np.zeros(case.volume.shape_kji, np.uint8)
    for frame in seg_frames(seg):
        points = patient_points(frame, down, along)
        index = np.rint(case.volume.to_index_kji(points)).astype(int)
        rebuilt[tuple(index.T)] = int(VertebraLevel.from_name(labels[frame.segment]))
    np.testing.assert_array_equal(rebuilt, case.segmentation.labels)


@pytest.mark.parametrize("name", [*GEOMETRIES, "odd size"])
def test_what_is_written_is_what_highdicom_would_write(
    name, make_geometry, make_case, settings, tmp_path
):
    """Attributes, per-frame groups and bits are encoded here; the library's are the same."""
    make, geometry = make_geometry, GEOMETRIES.get(name)
    if geometry is None:
        make, geometry = make_case, {"shape": (9, 27, 31)}
    case, ours = written_seg(make, settings, tmp_path, geometry)
    uids = ResultUIDs(case.findings, settings)
    headers = SourceHeaders(case.volume, uids)
    context = ResultContext(
        case.findings, settings, uids, headers.common, headers.stored, settings.created_at
    )
    library = library_seg(case, headers, context)
    save_object(replace(SEG, file="library.dcm"), library, tmp_path)
    theirs = pydicom.dcmread(tmp_path / "library.dcm")
    assert list(theirs.keys()) == list(ours.keys())
    spacing, measured = (
        seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0] for seg in (theirs, ours)
    )
    assert spacing.SpacingBetweenSlices == pytest.approx(measured.SpacingBetweenSlices, abs=1e-6)
    spacing.SpacingBetweenSlices = measured.SpacingBetweenSlices
    differing = [str(a)[:300] + str(b)[:300] for a, b in zip(theirs, ours, strict=True) if a != b]
    assert differing == []


def library_seg(case, headers, context):
    """BINARY SEG of a case as highdicom builds it; `stamp` gives it our identifiers."""
    labels = case.segmentation.labels
    planes, images = source_planes(labels, case.volume, headers)
    segments = segments_of(labels, context)
    numbers = np.zeros(256, np.uint8)
    numbers[[segment.label for segment in segments]] = [segment.number for segment in segments]
    seg = hd.seg.Segmentation(
        images, numbers[planes], "BINARY", [description(each, context) for each in segments],
        "1.2.3", 1, "1.2.4", 1, "m", "n", "1", "1",
        content_label="VERTEBRAE", content_description="Vertebrae, one segment per level",
        content_creator_name="", specific_character_set=None,
    )  # fmt: skip
    stamp(seg, SEG, context)
    for item in [*seg.DimensionOrganizationSequence, *seg.DimensionIndexSequence]:
        item.DimensionOrganizationUID = context.uids.dimension_organization()
    seg["PixelData"].VR = "OB"
    return seg


@pytest.mark.parametrize("name", ["axial", "sagittal", "enhanced, frames in reverse"])
def test_highdicom_reads_the_same_volume(name, make_geometry, settings, tmp_path):
    case, seg = written_seg(make_geometry, settings, tmp_path, GEOMETRIES[name])
    read = hd.seg.Segmentation.from_dataset(seg).get_volume(combine_segments=True)
    numbers = {int(VertebraLevel.from_name(str(s.SegmentLabel))): int(s.SegmentNumber)
               for s in seg.SegmentSequence}  # fmt: skip
    for label, number in numbers.items():
        mine = case.volume.to_lps_mm(np.argwhere(case.segmentation.labels == label))
        theirs = np.argwhere(read.array == number) @ read.affine[:3, :3].T + read.affine[:3, 3]
        assert len(mine) == len(theirs)
        np.testing.assert_allclose(mine.mean(0), theirs.mean(0), atol=1e-3)


def test_left_stays_left_and_up_stays_up(make_geometry, settings, tmp_path):
    """The rib of the synthetic spine is on the patient's left (+x), T12 above L2 (+z)."""
    _, seg = written_seg(make_geometry, settings, tmp_path, {})
    down, along = plane_axes_mm(seg)
    points = {}
    for frame in seg_frames(seg):
        points.setdefault(frame.segment, []).append(patient_points(frame, down, along))
    t12, l1, l2 = (np.concatenate(points[number]) for number in (1, 2, 3))
    assert t12[:, 2].mean() > l1[:, 2].mean() > l2[:, 2].mean()
    middle = np.median(l1[:, 0])
    assert l1[:, 0].max() - middle > middle - l1[:, 0].min() + 3


def test_form_that_viewers_accept(make_geometry, settings, tmp_path):
    case, seg = written_seg(make_geometry, settings, tmp_path, {})
    assert (seg.SOPClassUID, seg.SegmentationType) == ("1.2.840.10008.5.1.4.1.1.66.4", "BINARY")
    assert seg.FrameOfReferenceUID == case.volume.source.FrameOfReferenceUID
    assert [s.SegmentNumber for s in seg.SegmentSequence] == [1, 2, 3]
    assert [s.SegmentLabel for s in seg.SegmentSequence] == ["T12", "L1", "L2"]
    assert all(s.TrackingID and s.TrackingUID for s in seg.SegmentSequence)
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == case.volume.source.SeriesInstanceUID
    assert all(len(frame.rows) for frame in seg_frames(seg))
    assert (seg.SeriesDate, seg.SeriesTime, seg.BodyPartExamined) == ("20261121", "093015", "SPINE")


def test_label_map_encoding_holds_the_same_voxels(make_case, settings, tmp_path):
    case = make_case()
    chosen = replace(settings, outputs=("seg",), seg_encoding="labelmap")
    written = write_outputs(case.findings, case.volume, case.segmentation, tmp_path, chosen)
    assert written[0].SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.7"
    verify_outputs(written, case.findings, case.volume, case.segmentation)


@pytest.mark.parametrize("shared", [None, [], [pydicom.Dataset()]], ids=["none", "empty", "bare"])
@pytest.mark.parametrize("encoding", ["binary", "labelmap"])
def test_enhanced_ct_may_state_all_its_geometry_per_frame(
    encoding, shared, make_case, settings, tmp_path
):
    """Shared Functional Groups Sequence without orientation and spacing is legal (C.7.6.16.1)."""
    case = make_case(shape=(12, 40, 36), enhanced=list(range(11, -1, -1)))
    path = case.volume.source.frames[0].path
    ds = pydicom.dcmread(path)
    for frame in ds.PerFrameFunctionalGroupsSequence:
        frame.update(ds.SharedFunctionalGroupsSequence[0])
    del ds.SharedFunctionalGroupsSequence
    if shared is not None:
        ds.SharedFunctionalGroupsSequence = shared
    ds.save_as(path)
    chosen = replace(settings, outputs=("seg",), seg_encoding=encoding)
    written = write_outputs(case.findings, case.volume, case.segmentation, tmp_path, chosen)
    verify_outputs(written, case.findings, case.volume, case.segmentation)


@pytest.mark.parametrize(("stated", "written"), [("", "00"), ("1", "01"), ("NO", "00")])
def test_compression_of_the_source_is_a_defined_term(
    stated, written, make_case, settings, tmp_path
):
    """Lossy Image Compression is of type 1 in a SEG (C.8.20.2); some scanners leave it empty."""

    def state(ds):
        ds.LossyImageCompression = stated

    case = make_case(shape=(12, 40, 36), change=state)
    chosen = replace(settings, outputs=("seg",))
    (item,) = write_outputs(case.findings, case.volume, case.segmentation, tmp_path, chosen)
    assert pydicom.dcmread(item.path).LossyImageCompression == written


def test_t13_l6_and_the_sacrum_have_codes(make_case, settings, tmp_path):
    levels = (VertebraLevel.T12, VertebraLevel.T13, VertebraLevel.L1, VertebraLevel.L6)
    case = make_case(levels=levels, shape=(32, 48, 48), fractured=())
    labels = case.segmentation.labels.copy()
    labels[0, :8, :8] = SACRUM_LABEL
    segmentation = replace(case.segmentation, labels=labels)
    chosen = replace(settings, outputs=("seg", "sr"))
    written = write_outputs(case.findings, case.volume, segmentation, tmp_path, chosen)
    verify_outputs(written, case.findings, case.volume, segmentation)
    seg = pydicom.dcmread(written[0].path)
    found = [(s.SegmentLabel, s.SegmentedPropertyTypeCodeSequence[0].CodeValue)
             for s in seg.SegmentSequence]  # fmt: skip
    assert found == [
        ("T12", "23215003"), ("T13", "51282000"), ("L1", "66794005"), ("L6", "51282000"),
        ("Sacrum", "54735007"),
    ]  # fmt: skip
