from __future__ import annotations

import io
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from inference.errors import UnreadableInput
from inference.loading import load_dicom

NATIVE = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]
ENCAPSULATED = [JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless]

FORMATS = {
    "unsigned 12 of 16": {"bits_stored": 12, "intercepts": (-1024.0,)},
    "unsigned 16": {"intercepts": (-8192.0,)},
    "signed 16": {"signed": True, "intercepts": (0.0,)},
}


def _load(truth, folder):
    truth.write(folder)
    return load_dicom(folder)


@pytest.mark.parametrize("syntax", NATIVE + ENCAPSULATED, ids=lambda uid: uid.name[:32])
@pytest.mark.parametrize("form", FORMATS)
def test_single_frame_in_every_lossless_syntax(ct_series, tmp_path, syntax, form):
    truth = ct_series.axial(syntax=syntax, **FORMATS[form])
    np.testing.assert_array_equal(_load(truth, tmp_path).hu, truth.hu)


@pytest.mark.parametrize("syntax", NATIVE + ENCAPSULATED, ids=lambda uid: uid.name[:32])
def test_multi_frame_in_every_lossless_syntax(ct_series, tmp_path, syntax):
    truth = ct_series.enhanced(ct_series.Recipe(syntax=syntax, bits_stored=12), range(10)[::-1])
    np.testing.assert_array_equal(_load(truth, tmp_path).hu, truth.hu)


@pytest.mark.parametrize("signed", [False, True])
def test_rle_through_pydicom_plugins(ct_series, tmp_path, signed):
    truth = ct_series.axial(signed=signed)
    for ds in truth.datasets:
        ds.compress(RLELossless, generate_instance_uid=False)
    truth.syntax = RLELossless
    np.testing.assert_array_equal(_load(truth, tmp_path).hu, truth.hu)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless], ids=["JPEG-LS", "J2K"])
@pytest.mark.parametrize("signed", [False, True])
def test_codestreams_of_other_encoders(ct_series, tmp_path, syntax, signed):
    """CharLS and OpenJPEG as pydicom calls them write the sign their own way."""
    truth = ct_series.axial(signed=signed, bits_stored=13, shape_kji=(8, 40, 36))
    for ds in truth.datasets:
        ds.compress(syntax, generate_instance_uid=False)
    truth.syntax = syntax
    np.testing.assert_array_equal(_load(truth, tmp_path).hu, truth.hu)


@pytest.mark.parametrize("process", ["JPEGLosslessProcess14", "JPEGLosslessProcess14_1"])
@pytest.mark.parametrize("signed", [False, True])
def test_jpeg_lossless_of_another_encoder(ct_series, tmp_path, process, signed):
    """gdcm codes what most archives hold: JPEG lossless with its own choice of predictor."""
    gdcm = pytest.importorskip("gdcm")
    truth = ct_series.axial(signed=signed)
    for path in truth.write(tmp_path):
        reader, writer = gdcm.ImageReader(), gdcm.ImageWriter()
        change = gdcm.ImageChangeTransferSyntax()
        reader.SetFileName(str(path))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, process)))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.SetFileName(str(path))
        assert writer.Write()
    assert dcmread(path).file_meta.TransferSyntaxUID in (JPEGLossless, JPEGLosslessSV1)
    np.testing.assert_array_equal(load_dicom(tmp_path).hu, truth.hu)


@pytest.mark.parametrize("bits_stored", [12, 16])
def test_unsigned_jpeg_2000_codestream_under_a_signed_header(ct_series, tmp_path, bits_stored):
    """Some archives code the two's complement bits as unsigned samples."""
    truth = ct_series.axial(signed=True, intercepts=(0.0,), bits_stored=bits_stored)
    for ds in truth.datasets:
        bits = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)
        coded = imagecodecs.jpeg2k_encode(bits, codecformat="j2k", bitspersample=bits_stored)
        ds.PixelData = encapsulate([coded])
        ds["PixelData"].VR = "OB"
    truth.syntax = JPEG2000Lossless
    truth.hu = np.clip(truth.hu, -(2 ** (bits_stored - 1)), 2 ** (bits_stored - 1) - 1)
    loaded = _load(truth, tmp_path).hu
    inside = np.abs(truth.hu) < 2 ** (bits_stored - 1) - 1
    np.testing.assert_array_equal(loaded[inside], truth.hu[inside])


def test_lossy_syntaxes_are_close_and_reported(ct_series, tmp_path):
    """JPEG-LS near-lossless within its bound, JPEG 2000 lossy closely."""
    for syntax, largest in ((JPEGLSNearLossless, 3), (JPEG2000, 12)):
        truth = ct_series.axial(extra={"LossyImageCompression": "01"})
        for ds in truth.datasets:
            bits = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)
            if syntax == JPEGLSNearLossless:
                coded = imagecodecs.jpegls_encode(bits, level=3)
            else:
                coded = imagecodecs.jpeg2k_encode(bits, level=90, codecformat="j2k")
            ds.PixelData = encapsulate([coded])
            ds["PixelData"].VR = "OB"
        truth.syntax = syntax
        volume = _load(truth, tmp_path / syntax)
        assert np.abs(volume.hu.astype(int) - truth.hu).max() <= largest
        assert [notice.code for notice in volume.warnings] == ["lossy_compression"]


def test_eight_bit_jpeg_baseline(ct_series, tmp_path):
    recipe = {"bits_allocated": 8, "bits_stored": 8, "slopes": (20.0,), "intercepts": (-1100.0,)}
    truth = ct_series.axial(**recipe)
    for ds in truth.datasets:
        bits = np.frombuffer(ds.PixelData, "u1")[: ds.Rows * ds.Columns]
        coded = imagecodecs.jpeg8_encode(bits.reshape(ds.Rows, ds.Columns), level=98)
        ds.PixelData = encapsulate([coded])
        ds["PixelData"].VR = "OB"
    truth.syntax = JPEGBaseline8Bit
    assert np.abs(_load(truth, tmp_path).hu.astype(int) - truth.hu).max() <= 60


@pytest.mark.parametrize(
    "recipe",
    [
        {"slopes": (-1.0,), "intercepts": (3071.0,)},
        {"slopes": (0.5,), "intercepts": (-1024.0,)},
        {"slopes": (1.0, 0.25, -0.5), "intercepts": (-1024.0, -1500.5, 3071.0)},
        {"slopes": (2.0,), "intercepts": (-2048.0,), "signed": True},
        {"bits_allocated": 32, "bits_stored": 32},
        {"bits_allocated": 32, "bits_stored": 20, "signed": True, "intercepts": (0.0,)},
        {"bits_stored": 12, "high_bit": 15},
        {"bits_stored": 13, "high_bit": 14, "signed": True, "intercepts": (0.0,)},
    ],
    ids=str,
)
def test_rescale_and_bit_layout(ct_series, tmp_path, recipe):
    """Negative, fractional and per-slice rescale; HighBit above BitsStored - 1."""
    truth = ct_series.axial(**recipe)
    stored_step = max(abs(slope) for slope in recipe.get("slopes", (1.0,)))
    difference = np.abs(_load(truth, tmp_path).hu.astype(int) - truth.hu)
    assert difference.max() <= np.ceil(stored_step / 2)


def test_per_frame_rescale_of_multi_frame_objects(ct_series, tmp_path):
    recipe = ct_series.Recipe(slopes=(1.0, 0.5), intercepts=(-1024.0, -1000.0, -2000.0))
    truth = ct_series.enhanced(recipe, np.random.default_rng(0).permutation(10))
    np.testing.assert_array_equal(_load(truth, tmp_path).hu, truth.hu)


def test_overlay_bits_above_the_stored_bits_are_dropped(ct_series, tmp_path):
    """Old scanners keep overlays in bits 12 to 15."""
    truth = ct_series.axial(bits_stored=12)
    for ds in truth.datasets:
        bits = np.frombuffer(ds.PixelData, "<u2").copy()
        bits[::3] |= 0xF000
        ds.PixelData = bits.tobytes()
    np.testing.assert_array_equal(_load(truth, tmp_path).hu, truth.hu)


def test_values_beyond_int16_are_clipped_not_wrapped(ct_series, tmp_path):
    truth = ct_series.axial(intercepts=(0.0,))
    for ds in truth.datasets:
        ds.PixelData = np.full((ds.Rows, ds.Columns), 65535, "<u2").tobytes()
    assert (_load(truth, tmp_path).hu == 32767).all()


@pytest.mark.parametrize(("signed", "value", "vr"), [(True, -2000, "SS"), (True, 63536, "US")])
def test_padding_becomes_air(ct_series, tmp_path, signed, value, vr):
    """-2000 is also found written as the unsigned 63536."""
    truth = ct_series.axial(signed=signed)
    for ds in truth.datasets:
        bits = np.frombuffer(ds.PixelData, "<i2").copy()
        bits[:5] = -2000
        ds.PixelData = bits.tobytes()
        ds.add_new("PixelPaddingValue", vr, value)
    hu = _load(truth, tmp_path).hu
    assert (hu[:, 0, :5] == -1024).all()
    np.testing.assert_array_equal(hu[:, 1:], truth.hu[:, 1:])


def test_padding_range(ct_series, tmp_path):
    truth = ct_series.axial(signed=True, intercepts=(0.0,))
    for ds in truth.datasets:
        bits = np.frombuffer(ds.PixelData, "<i2").copy()
        bits[:3] = (-3000, -2500, -2000)
        ds.PixelData = bits.tobytes()
        ds.add_new("PixelPaddingValue", "SS", -2000)
        ds.add_new("PixelPaddingRangeLimit", "SS", -3000)
    assert (_load(truth, tmp_path).hu[:, 0, :3] == -1024).all()


def test_padding_that_means_tissue_leaves_the_voxels_alone(ct_series, tmp_path):
    """PixelPaddingValue 0 with intercept 0 would punch holes into soft tissue."""
    truth = ct_series.axial(signed=True, intercepts=(0.0,))
    for ds in truth.datasets:
        ds.add_new("PixelPaddingValue", "SS", int(truth.hu[0, 0, 0]))
    volume = _load(truth, tmp_path)
    np.testing.assert_array_equal(volume.hu, truth.hu)
    assert [notice.code for notice in volume.warnings] == ["padding_value_ignored"]


def test_a_frame_in_several_fragments_and_an_extended_offset_table(ct_series, tmp_path):
    truth = ct_series.axial(syntax=JPEGLSLossless, signed=False)
    for ds in truth.datasets:
        bits = imagecodecs.jpegls_encode(np.ascontiguousarray(_bits(ds)))
        ds.PixelData = encapsulate([bits], fragments_per_frame=3, has_bot=False)
    np.testing.assert_array_equal(_load(truth, tmp_path / "fragments").hu, truth.hu)

    truth = ct_series.enhanced(ct_series.Recipe(syntax=JPEGLSLossless))
    ds = truth.datasets[0]
    frames = [imagecodecs.jpegls_encode((hu + 1024).astype(np.uint16)) for hu in truth.hu]
    data, offsets, lengths = encapsulate_extended(frames)
    ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = data, offsets, lengths
    np.testing.assert_array_equal(_load(truth, tmp_path / "extended").hu, truth.hu)


def _bits(ds):
    from pydicom.encaps import generate_frames

    return imagecodecs.jpegls_decode(next(generate_frames(ds.PixelData, number_of_frames=1)))


def test_a_file_without_preamble_is_read(ct_series, tmp_path):
    """Bare implicit little endian data sets, as old archives export them."""
    truth = ct_series.axial(syntax=ImplicitVRLittleEndian)
    for path in truth.write(tmp_path):
        ds = dcmread(path)
        bare = io.BytesIO()
        ds.save_as(bare, implicit_vr=True, little_endian=True, enforce_file_format=False)
        content = bare.getvalue()
        start = content.index(b"\x08\x00\x08\x00")
        path.write_bytes(content[start:])
    np.testing.assert_array_equal(load_dicom(tmp_path).hu, truth.hu)


def test_codestream_of_another_size_is_refused(ct_series, tmp_path):
    truth = ct_series.axial(syntax=JPEGLSLossless)
    coded = imagecodecs.jpegls_encode(np.zeros((5, 5), np.uint16))
    truth.datasets[4].PixelData = encapsulate([coded])
    with pytest.raises(UnreadableInput, match="the header says"):
        _load(truth, tmp_path)


def test_mixed_transfer_syntaxes_within_one_series(ct_series, tmp_path):
    truth = ct_series.axial()
    paths = truth.write(tmp_path)
    for path in paths[::2]:
        ds = dcmread(path)
        ds.compress(JPEGLSLossless, generate_instance_uid=False)
        ds.save_as(path)
    np.testing.assert_array_equal(load_dicom(tmp_path).hu, truth.hu)


def test_frames_with_different_bit_layouts_in_one_series(ct_series, tmp_path):
    """Each slice is read by its own BitsStored and PixelRepresentation."""
    signed = ct_series.axial(signed=True, bits_stored=13)
    unsigned = ct_series.single(replace(ct_series.Recipe(), bits_stored=12))
    for k in range(0, 10, 2):
        for keyword in ("BitsStored", "HighBit", "PixelRepresentation", "PixelData"):
            signed.datasets[k][keyword] = unsigned.datasets[k][keyword]
    np.testing.assert_array_equal(_load(signed, tmp_path).hu, signed.hu)
