"""What claims more than the limits, or more than its header, is refused before memory is taken."""

from __future__ import annotations

import io
import struct
import tracemalloc
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from inference.codestream import FrameSize, frame_size
from inference.errors import NotAnalysable, UnreadableInput
from inference.limits import DEFAULT_LIMITS, InputLimits
from inference.loading import load_dicom

MEBIBYTE = 2**20
ROWS, COLUMNS = 12, 14
DECODED = (JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1)


def peak_bytes(load) -> int:
    """Most memory that Python and NumPy held at once during a call."""
    tracemalloc.start()
    try:
        load()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refused(folder, limits=DEFAULT_LIMITS) -> NotAnalysable:
    with pytest.raises(NotAnalysable) as caught:
        load_dicom(folder, limits)
    assert caught.value.code == "limits"
    return caught.value


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        (InputLimits(rows=ROWS - 1), "Rows is 12, more than 11"),
        (InputLimits(columns=COLUMNS - 1), "Columns is 14, more than 13"),
        (InputLimits(voxels=10 * ROWS * COLUMNS - 1), "1680 voxels in 10 object(s)"),
    ],
)
def test_a_series_just_above_a_limit_is_refused_and_at_it_is_read(
    ct_series, tmp_path, limits, named
):
    ct_series.axial().write(tmp_path)
    assert named in refused(tmp_path, limits).text
    exact = InputLimits(rows=ROWS, columns=COLUMNS, voxels=10 * ROWS * COLUMNS)
    assert load_dicom(tmp_path, exact).shape_kji == (10, ROWS, COLUMNS)


def test_frames_beyond_the_limit(ct_series, tmp_path):
    ct_series.enhanced(ct_series.Recipe()).write(tmp_path)
    assert "NumberOfFrames is 10, more than 9" in refused(tmp_path, InputLimits(frames=9)).text


def test_absurd_sizes_take_no_memory(ct_series, tmp_path):
    """Headers may claim terabytes: nothing is allocated for them."""
    ct_series.axial(extra={"Rows": 65535, "Columns": 65535}).write(tmp_path)
    wide = InputLimits(rows=65535, columns=65535)
    assert peak_bytes(lambda: refused(tmp_path, wide)) < 8 * MEBIBYTE


def test_another_object_in_the_folder_may_be_large(ct_series, tmp_path):
    truth = ct_series.axial()
    picture = ct_series.axial().datasets[0]
    picture.SOPClassUID, picture.Modality = "1.2.840.10008.5.1.4.1.1.7", "OT"
    picture.Rows = 60000
    truth.datasets.append(picture)
    truth.write(tmp_path)
    assert load_dicom(tmp_path).shape_kji == (10, ROWS, COLUMNS)


def test_a_deflated_bomb_is_inflated_no_further_than_the_limit(ct_series, tmp_path):
    """64 MiB of zeros in 64 KiB; the limit is 1 MiB."""
    truth = ct_series.axial(syntax=DeflatedExplicitVRLittleEndian)
    for ds in truth.datasets:
        ds.PixelData = bytes(64 * MEBIBYTE) if ds is truth.datasets[3] else ds.PixelData
    paths = truth.write(tmp_path)
    assert max(path.stat().st_size for path in paths) < MEBIBYTE
    limits = replace(DEFAULT_LIMITS, inflated_bytes=MEBIBYTE)
    assert peak_bytes(lambda: refused(tmp_path, limits)) < 8 * MEBIBYTE


def test_a_deflated_series_at_the_limit_is_read(ct_series, tmp_path):
    truth = ct_series.axial(syntax=DeflatedExplicitVRLittleEndian)
    truth.write(tmp_path)
    limits = replace(DEFAULT_LIMITS, inflated_bytes=4096)
    np.testing.assert_array_equal(load_dicom(tmp_path, limits).hu, truth.hu)


def encoded(syntax, shape) -> bytes:
    image = np.zeros(shape, dtype=np.uint16)
    if syntax == JPEG2000Lossless:
        return imagecodecs.jpeg2k_encode(image, level=0, codecformat="J2K")
    if syntax == JPEGLSLossless:
        return imagecodecs.jpegls_encode(image)
    return imagecodecs.ljpeg_encode(image)


@pytest.mark.parametrize("syntax", DECODED, ids=lambda uid: uid.name[:20])
def test_sizes_are_read_from_a_codestream(syntax):
    assert frame_size(encoded(syntax, (37, 53))) == FrameSize(37, 53, 1)


def test_sizes_are_read_from_other_kinds_of_codestream():
    colour = np.zeros((20, 30, 3), dtype=np.uint8)
    assert frame_size(imagecodecs.jpeg8_encode(colour)) == FrameSize(20, 30, 3)
    jp2 = imagecodecs.jpeg2k_encode(colour, level=0, codecformat="JP2")
    assert frame_size(jp2) == FrameSize(20, 30, 3)


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_a_codestream_that_is_cut_off_shows_no_size(cut):
    stream = encoded(JPEG2000Lossless, (37, 53))[:cut]
    assert frame_size(stream) in (None, FrameSize(37, 53, 1))
    assert frame_size(b"\xff\xd8" + b"\xff" * cut) is None


@pytest.mark.parametrize("syntax", DECODED, ids=lambda uid: uid.name[:20])
def test_a_codestream_larger_than_its_header_is_never_decoded(
    ct_series, tmp_path, syntax, monkeypatch
):
    truth = ct_series.axial(syntax=syntax)
    truth.datasets[4].PixelData = encapsulate([encoded(syntax, (1500, 1500))])
    truth.write(tmp_path)
    with pytest.raises(UnreadableInput, match="codestream holds 1500 x 1500"):
        load_dicom(tmp_path)


def test_a_codestream_that_claims_gigabytes_takes_no_memory(ct_series, tmp_path):
    """The claim stands in the frame header alone; a decoder would believe it."""
    truth = ct_series.axial(syntax=JPEG2000Lossless)
    claim = bytearray(encoded(JPEG2000Lossless, (ROWS, COLUMNS)))
    struct.pack_into(">LL", claim, 8, 60000, 60000)
    truth.datasets[0].PixelData = encapsulate([bytes(claim)])
    truth.write(tmp_path)

    def load():
        with pytest.raises(UnreadableInput, match="60000 x 60000"):
            load_dicom(tmp_path)

    assert peak_bytes(load) < 8 * MEBIBYTE


def test_codestreams_for_other_decoders_are_measured_too(ct_series, tmp_path):
    """JPEG baseline goes to pydicom's plugin."""
    truth = ct_series.axial(syntax=JPEGLosslessSV1)
    huge = imagecodecs.jpeg8_encode(np.zeros((1500, 1500), dtype=np.uint8))
    for ds in truth.datasets:
        ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        ds.BitsAllocated = ds.BitsStored = 8
        ds.HighBit = 7
        ds.PixelData = encapsulate([huge])
    write_as_they_are(truth, tmp_path)
    with pytest.raises(UnreadableInput, match="codestream holds 1500 x 1500"):
        load_dicom(tmp_path)


def test_run_lengths_that_grow_beyond_the_frame_are_refused(ct_series, tmp_path):
    truth = ct_series.axial(syntax=JPEGLosslessSV1)
    for ds in truth.datasets:
        ds.file_meta.TransferSyntaxUID = RLELossless
        segment = b"\x81\0" * 50_000
        header = struct.pack("<16L", 2, 64, 64 + len(segment), *([0] * 13))
        ds.PixelData = encapsulate([header + segment + segment])
    write_as_they_are(truth, tmp_path)
    with pytest.raises(UnreadableInput, match="run length encoded bytes"):
        load_dicom(tmp_path)


def test_run_lengths_that_make_the_decoder_panic_are_refused(ct_series, tmp_path):
    """Found by mutation: pylibjpeg's run length decoder raises what is no `Exception`."""
    truth = ct_series.axial(syntax=JPEGLosslessSV1)
    for ds in truth.datasets:
        ds.file_meta.TransferSyntaxUID = RLELossless
        segment = b"\x81\0" * (ds.Rows * ds.Columns // 128 + 2)
        header = struct.pack("<16L", 2, 64, 64 + len(segment), *([0] * 13))
        ds.PixelData = encapsulate([header + segment + segment])
    write_as_they_are(truth, tmp_path)
    with pytest.raises(UnreadableInput, match="PanicException"):
        load_dicom(tmp_path)


def write_as_they_are(truth, folder):
    folder.mkdir(exist_ok=True)
    for number, ds in enumerate(truth.datasets):
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
        buffer = io.BytesIO()
        dcmwrite(buffer, ds, enforce_file_format=True)
        (folder / f"IM{number:04d}.dcm").write_bytes(buffer.getvalue())
