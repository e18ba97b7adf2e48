"""Headers as hospitals send them: incomplete, odd, in many scripts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from sr_writer import SourceUnreadable, codes, verify_outputs, write_outputs


def objects_of(case, settings, tmp_path, outputs=("seg", "sr", "key_images")):
    written = write_outputs(
        case.findings, case.volume, case.segmentation, tmp_path / "out",
        replace(settings, outputs=outputs),
    )  # fmt: skip
    verify_outputs(written, case.findings, case.volume, case.segmentation)
    return {item.kind: pydicom.dcmread(item.path) for item in written}


def set_unchecked(ds, keyword, value):
    ds[keyword] = pydicom.DataElement(keyword, dictionary_VR(keyword), value, validation_mode=0)


def test_an_organisation_that_does_not_fit_the_character_set_switches_to_utf8(
    make_case, settings, tmp_path
):
    case = make_case(change=lambda ds: setattr(ds, "SpecificCharacterSet", "ISO_IR 100"))
    settings = replace(settings, organisation="Szpital Śródmieście")
    for ds in objects_of(case, settings, tmp_path).values():
        assert ds.SpecificCharacterSet == "ISO_IR 192"
        assert ds.InstitutionName == "Szpital Śródmieście"
        assert str(ds.PatientName) == "Tester^Anna"


def test_missing_attributes_are_written_empty(make_case, settings, tmp_path):
    gone = ("AccessionNumber", "StudyID", "PatientBirthDate", "StudyTime", "StudyDate",
            "ReferringPhysicianName", "PatientName", "PatientSex", "SliceThickness",
            "PositionReferenceIndicator", "SeriesNumber")  # fmt: skip

    def strip(ds):
        for keyword in gone:
            delattr(ds, keyword)

    for ds in objects_of(make_case(change=strip), settings, tmp_path).values():
        for keyword in gone[:8]:
            assert ds[keyword].is_empty


@pytest.mark.parametrize(
    ("sent", "written"), [("X", "O"), ("female", "F"), ("m", "M"), ("?", ""), ("", "")]
)
def test_odd_sex_becomes_a_defined_term(sent, written, make_case, settings, tmp_path):
    case = make_case(change=lambda ds: setattr(ds, "PatientSex", sent))
    ds = objects_of(case, settings, tmp_path, ("sr",))["sr"]
    assert (ds.PatientSex or "") == written


def test_odd_dates_are_repaired_or_dropped(make_case, settings, tmp_path):
    def odd(ds):
        for keyword, value in (
            ("StudyDate", "2025.02.19"), ("PatientBirthDate", "unknown"),
            ("StudyTime", "16:33:10"), ("PatientAge", "74"),
        ):  # fmt: skip
            set_unchecked(ds, keyword, value)

    ds = objects_of(make_case(change=odd), settings, tmp_path, ("sr",))["sr"]
    assert (ds.StudyDate, ds.StudyTime) == ("20250219", "163310")
    assert not ds.PatientBirthDate
    assert "PatientAge" not in ds


@pytest.mark.parametrize("date", ["00000000", "20260231", "19500000"])
def test_days_that_no_calendar_has_are_dropped(date, make_case, settings, tmp_path):
    """Anonymisers write such dates; as DA they are invalid (PS3.5 6.2)."""
    case = make_case(change=lambda ds: set_unchecked(ds, "PatientBirthDate", date))
    assert objects_of(case, settings, tmp_path, ("sr",))["sr"].PatientBirthDate == ""


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("SeriesNumber", "4a"), ("SeriesNumber", "1\\2"), ("SliceThickness", "1,5"),
     ("LossyImageCompressionRatio", "high")],
)  # fmt: skip
def test_what_should_be_a_number_and_is_none_stops_nothing(
    keyword, value, make_case, settings, tmp_path
):
    def odd(ds):
        ds.LossyImageCompression, ds.LossyImageCompressionRatio = "01", 4.5
        set_unchecked(ds, keyword, "0")
        ds[keyword]._value = value

    objects = objects_of(make_case(change=odd), settings, tmp_path)
    assert len({int(ds.SeriesNumber) for ds in objects.values()}) == len(objects)


def test_no_frame_of_reference_gets_one_per_series(make_case, settings, tmp_path):
    case = make_case(change=lambda ds: delattr(ds, "FrameOfReferenceUID"))
    first = objects_of(case, settings, tmp_path, ("seg",))["seg"].FrameOfReferenceUID
    changed = replace(settings, configuration="other")
    second = objects_of(case, changed, tmp_path, ("seg",))["seg"].FrameOfReferenceUID
    assert first == second
    assert first.startswith("2.25.")


def test_times_follow_the_clock_of_the_study(make_case, settings, tmp_path):
    """A study that states its offset from UTC gets results on that clock."""
    case = make_case(change=lambda ds: setattr(ds, "TimezoneOffsetFromUTC", "+0530"))
    ds = objects_of(case, settings, tmp_path, ("sr",))["sr"]
    assert (ds.ContentDate, ds.ContentTime) == ("20261121", "150015")


def test_series_numbers_differ_between_objects_and_from_the_source(make_case, settings, tmp_path):
    objects = objects_of(make_case(), settings, tmp_path)
    numbers = [int(ds.SeriesNumber) for ds in objects.values()]
    assert len(set(numbers)) == len(numbers)
    assert all(10_040 < number < 10_050 for number in numbers)
    assert len({ds.SeriesInstanceUID for ds in objects.values()}) == len(numbers)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_a_source_in_another_encoding_is_written_in_ours(syntax, make_case, settings, tmp_path):
    """Elements and items taken from it are encoded anew, not copied as they lie."""
    case = make_case()
    for frame in case.volume.source.frames:
        path = frame.path
        ds = pydicom.dcmread(path)
        ds.SpecificCharacterSet, ds.PatientName = "ISO_IR 100", "Müller^Jürgen"
        ds.PatientIdentityRemoved = "YES"
        ds.DeidentificationMethodCodeSequence = [
            codes.Code("113100", "DCM", "Basic Application Confidentiality Profile").item()
        ]
        ds.LossyImageCompression, ds.LossyImageCompressionRatio = "01", 4.5
        ds.file_meta.TransferSyntaxUID = syntax
        pixels = np.frombuffer(ds.PixelData, "<i2")
        ds.PixelData = pixels.astype("<i2" if syntax.is_little_endian else ">i2").tobytes()
        pydicom.dcmwrite(path, ds)
    for ds in objects_of(case, settings, tmp_path).values():
        assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert str(ds.PatientName) == "Müller^Jürgen"
        (method,) = ds.DeidentificationMethodCodeSequence
        assert method.CodeMeaning == "Basic Application Confidentiality Profile"
        if ds.Modality == "SEG":
            assert (ds.LossyImageCompression, ds.LossyImageCompressionRatio) == ("01", 4.5)


def test_a_vanished_source_is_named_as_such(make_case, settings, tmp_path):
    case = make_case()
    case.volume.source.frames[0].path.unlink()
    with pytest.raises(SourceUnreadable):
        objects_of(case, settings, tmp_path)
