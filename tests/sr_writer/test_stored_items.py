"""Items are read from their bytes as pydicom reads them, and damage is an error."""

from __future__ import annotations

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_writer import verify_outputs, write_outputs
from sr_writer.explicit_vr import data_set, element, sequence
from sr_writer.stored_items import StoredItem, stored_items


def same(mine: StoredItem, theirs: pydicom.Dataset) -> None:
    """Every element that is no sequence has one value, every sequence the same items."""
    for element_of in theirs:
        assert element_of.keyword in mine
        value = mine.get(element_of.keyword)
        if element_of.VR == "SQ":
            assert len(value) == len(element_of.value)
            for mine_item, their_item in zip(value, element_of.value, strict=True):
                same(mine_item, their_item)
        elif element_of.VM > 1:
            assert value == list(element_of.value)
        else:
            assert value == (element_of.value if element_of.VM else "")


@pytest.mark.parametrize(
    ("kind", "keyword"),
    [
        ("seg", "PerFrameFunctionalGroupsSequence"),
        ("seg", "SharedFunctionalGroupsSequence"),
        ("sr", "ContentSequence"),
        ("sr", "CurrentRequestedProcedureEvidenceSequence"),
        ("key_images", "ContentSequence"),
    ],
)
def test_the_items_of_a_result_are_those_that_pydicom_reads(full_result, kind, keyword):
    path = next(item.path for item in full_result.written if item.kind == kind)
    mine = stored_items(pydicom.dcmread(path), keyword)
    theirs = pydicom.dcmread(path)[keyword].value
    assert len(mine) == len(theirs) > 0
    for one, other in zip(mine, theirs, strict=True):
        same(one, other)


def test_the_items_of_a_multi_frame_source_too(make_case, settings, tmp_path):
    """Frame numbers are integers, in the references of SEG and SR alike."""
    case = make_case(shape=(12, 40, 36), enhanced=list(range(11, -1, -1)))
    written = write_outputs(case.findings, case.volume, case.segmentation, tmp_path, settings)
    verify_outputs(written, case.findings, case.volume, case.segmentation)
    for kind, keyword in (
        ("seg", "PerFrameFunctionalGroupsSequence"), ("sr", "ContentSequence"),
        ("key_images", "ContentSequence"),
    ):  # fmt: skip
        path = next(item.path for item in written if item.kind == kind)
        theirs = pydicom.dcmread(path)[keyword].value
        for one, other in zip(stored_items(pydicom.dcmread(path), keyword), theirs, strict=True):
            same(one, other)


def test_elements_are_found_by_keyword_and_absent_ones_are_absent():
    item = StoredItem(data_set(element("SegmentNumber", 7), element("TrackingID", "L1")))
    assert (item.SegmentNumber, item.TrackingID) == (7, "L1")
    assert "SegmentLabel" not in item
    assert item.get("SegmentLabel", "none") == "none"
    with pytest.raises(AttributeError):
        _ = item.SegmentLabel


@given(cut=st.integers(1, 46))
def test_bytes_that_end_too_early_are_an_error(cut):
    """Whatever is cut off the end, it is noticed when the item is read."""
    whole = data_set(
        element("ReferencedSegmentNumber", 3),
        sequence("ReferencedSOPSequence", [element("ReferencedSOPInstanceUID", "1.2.3.4")]),
    )
    with pytest.raises((ValueError, AttributeError)):
        read(whole[:-cut])


def read(value: bytes) -> tuple[int, str]:
    item = StoredItem(value)
    return item.ReferencedSegmentNumber, item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
