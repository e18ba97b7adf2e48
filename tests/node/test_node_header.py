"""Reading the identity of a data set: against pydicom, and against damage."""

from __future__ import annotations

import zlib
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomFileLike
from pydicom.filereader import read_file_meta_info
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom.dsutils import create_file_meta, encode_file_meta

from node import NotAcceptable
from node.header import read_header
from node.part10 import file_prefix

SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)


def encoded(syntax, undefined=False):
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.SOPInstanceUID = "1.2.3.4.5"
    dataset.Modality = "CT"
    inner, nested = Dataset(), Dataset()
    inner.ReferencedSOPInstanceUID = "9.9.9"
    inner.StudyInstanceUID = "6.6.6"
    nested.CodeValue = "X"
    inner.PurposeOfReferenceCodeSequence = Sequence([nested, Dataset()])
    inner["PurposeOfReferenceCodeSequence"].is_undefined_length = undefined
    inner.is_undefined_length_sequence_item = undefined
    dataset.ReferencedImageSequence = Sequence([inner, inner])
    dataset["ReferencedImageSequence"].is_undefined_length = undefined
    dataset.add_new((0x0009, 0x0010), "LO", "PRIVATE")
    dataset.add_new((0x0009, 0x1001), "UN", b"\1\2\3\4")
    dataset.add_new((0x0009, 0x1002), "OB", b"\1" * 70000)
    dataset.StudyInstanceUID = "1.2.3"
    dataset.SeriesInstanceUID = "1.2.3.4"
    dataset.InstanceNumber = 7
    buffer = BytesIO()
    target = DicomFileLike(buffer)
    target.is_little_endian = syntax.is_little_endian
    target.is_implicit_VR = syntax.is_implicit_VR
    write_dataset(target, dataset)
    return buffer.getvalue()


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.name)
def test_identity_is_read_past_sequences_and_private_elements(syntax, undefined):
    header = read_header(encoded(syntax, undefined), syntax)
    assert header.SOPInstanceUID == "1.2.3.4.5"
    assert (header.StudyInstanceUID, header.SeriesInstanceUID) == ("1.2.3", "1.2.3.4")
    assert header.Modality == "CT"


def test_a_deflated_data_set_is_read_and_a_bomb_is_not_inflated():
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    plain = encoded(ExplicitVRLittleEndian)
    deflated = compressor.compress(plain + b"\0" * 2**26) + compressor.flush()
    assert read_header(deflated, DeflatedExplicitVRLittleEndian).StudyInstanceUID == "1.2.3"
    with pytest.raises(NotAcceptable, match="Deflated"):
        read_header(b"\xff" * 100, DeflatedExplicitVRLittleEndian)


def test_the_wrong_transfer_syntax_is_noticed():
    for syntax, claimed in (
        (ImplicitVRLittleEndian, ExplicitVRLittleEndian),
        (ExplicitVRLittleEndian, ExplicitVRBigEndian),
    ):
        with pytest.raises(NotAcceptable):
            read_header(encoded(syntax), claimed)


def test_endless_nesting_is_refused():
    sequence = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff"
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    with pytest.raises(NotAcceptable, match="deep"):
        read_header((sequence + item) * 10_000, ExplicitVRLittleEndian)


def identity_or_refusal(data_set, syntax):
    try:
        return read_header(data_set, syntax)
    except NotAcceptable as refusal:
        return refusal


WHOLE = {syntax: encoded(syntax, undefined=True) for syntax in SYNTAXES}


@settings(max_examples=300, deadline=None)
@given(data=st.data(), syntax=st.sampled_from(SYNTAXES))
def test_damaged_data_sets_are_refused_or_read_but_never_crash(data, syntax):
    """Cut and overwritten bytes lead to an identity or to NotAcceptable, nothing else."""
    buffer = bytearray(WHOLE[syntax])
    interesting = st.integers(0, 700) | st.integers(len(buffer) - 200, len(buffer) - 1)
    for position in data.draw(st.lists(interesting, max_size=8)):
        buffer[position] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, 700) | st.just(len(buffer)))
    answer = identity_or_refusal(bytes(buffer[:cut]), syntax)
    if isinstance(answer, NotAcceptable):
        assert answer.status in (0xA900, 0xC000)
        assert len(answer.comment) <= 64
    else:
        assert answer.SOPInstanceUID.isprintable()


@pytest.mark.parametrize("sop_instance_uid", ["1.2.3", "1.2.34"])
def test_file_meta_is_what_pydicom_reads_and_would_write(sop_instance_uid, tmp_path):
    """Odd and even UID lengths; group length included."""
    prefix = file_prefix("1.2.840.10008.5.1.4.1.1.2", sop_instance_uid, ExplicitVRLittleEndian)
    meta = create_file_meta(
        sop_class_uid=UID("1.2.840.10008.5.1.4.1.1.2"),
        sop_instance_uid=UID(sop_instance_uid),
        transfer_syntax=ExplicitVRLittleEndian,
    )
    assert prefix == b"\0" * 128 + b"DICM" + encode_file_meta(meta)
    written = tmp_path / "meta.dcm"
    written.write_bytes(prefix)
    assert read_file_meta_info(written).MediaStorageSOPInstanceUID == sop_instance_uid
