"""Texts that do not fit the declared character set keep their bytes; ours never damage them."""

from __future__ import annotations

from dataclasses import replace

import pydicom
import pytest
from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from sr_writer import verify_outputs, write_outputs

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of such texts

ORGANISATION, IN_ASCII = "Szpital Śródmieście", "Szpital Srodmiescie"
UNSOUND = {
    "Latin 1 under UTF-8": (b"ISO_IR 192", "Müller^Jürgen".encode("latin-1"), ORGANISATION),
    "UTF-8 under nothing": (b"", "Müller^Jürgen".encode(), IN_ASCII),
    "JIS X 0201 after kanji": (
        b"\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J", IN_ASCII,
    ),
}  # fmt: skip
SOUND = {
    "ASCII": (b"", b"Tester^Anna", "Tester^Anna"),
    "Korean": (b"\\ISO 2022 IR 149", b"Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce", "Hong=洪^吉"),
    "GBK with a backslash in a letter": (b"GBK", "誠^小东".encode("gbk"), "誠^小东"),
    "Shift-JIS": (b"ISO_IR 13", "山田^太郎".encode("shift_jis"), "山田^太郎"),
}


@pytest.fixture
def write(make_case, settings, tmp_path):
    """Write the results of a case whose files carry these bytes; return source and results."""

    def write(charset, name, **changed):
        case = make_case(shape=(12, 40, 36))
        texts = {"SpecificCharacterSet": charset, "PatientName": name, "StudyDescription": name,
                 "InstitutionName": b"Clinic"}  # fmt: skip
        for frame in case.volume.source.frames:
            ds = pydicom.dcmread(frame.path)
            for keyword, value in texts.items():
                tag, even = Tag(keyword), value + b" " * (len(value) % 2)
                vr = dictionary_VR(tag)
                ds[tag] = RawDataElement(tag, vr, len(even), even, 0, False, True)
            encodings = convert_encodings(ds.get("SpecificCharacterSet") or "")
            ds.set_original_encoding(False, True, encodings)
            pydicom.dcmwrite(frame.path, ds)
        chosen = replace(settings, **changed)
        written = write_outputs(case.findings, case.volume, case.segmentation, tmp_path, chosen)
        verify_outputs(written, case.findings, case.volume, case.segmentation)
        source = pydicom.dcmread(case.volume.source.frames[0].path)
        return source, [pydicom.dcmread(item.path) for item in written]

    return write


@pytest.mark.parametrize("organisation", ["", ORGANISATION])
@pytest.mark.parametrize("name", UNSOUND)
def test_what_cannot_be_decoded_is_passed_on_as_it_is(name, organisation, write):
    """The organisation gives way: where it does not fit, it is written without accents."""
    charset, stored, fitting = UNSOUND[name]
    source, results = write(charset, stored, organisation=organisation)
    assert len(results) > 5
    for ds in results:
        for keyword in ("PatientName", "StudyDescription"):
            assert ds.get_item(keyword).value == source.get_item(keyword).value
        assert ds.get("SpecificCharacterSet") == source.get("SpecificCharacterSet")
        assert ds.InstitutionName == (fitting if organisation else "Clinic")


@pytest.mark.parametrize("name", SOUND)
def test_what_can_be_decoded_follows_the_organisation_into_utf8(name, write):
    charset, stored, text = SOUND[name]
    _, results = write(charset, stored, organisation=ORGANISATION)
    for ds in results:
        assert ds.SpecificCharacterSet == "ISO_IR 192"
        assert ds.InstitutionName == ORGANISATION
        assert ds.PatientName == text
        assert str(ds.StudyDescription) == text


def test_letters_beyond_ascii_are_not_written_without_a_character_set(write):
    """Latin 1 would do for it, but nothing says so."""
    _, results = write(b"", b"Tester^Anna", organisation="Klinik Süd", outputs=("sr",))
    for ds in results:
        assert (ds.SpecificCharacterSet, ds.InstitutionName) == ("ISO_IR 192", "Klinik Süd")


def test_label_maps_keep_the_bytes_too(write):
    charset, stored, _ = UNSOUND["Latin 1 under UTF-8"]
    source, (seg,) = write(charset, stored, outputs=("seg",), seg_encoding="labelmap")
    assert seg.get_item("PatientName").value == source.get_item("PatientName").value
