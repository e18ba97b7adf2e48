"""Thousands of damaged series in every transfer syntax: read, or refused with a reason."""

from __future__ import annotations

import io
from collections import Counter

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from rig.loader_process import read_damaged
from rig.small_series import too_short

SEED = 2_000_000
FOUND = (2_000_716,)
"""What once got through: run lengths on which the decoder panicked."""
GROWTH_KIB = 192 * 1024
SLOWEST_SECONDS = 10.0
SLICES = 8


def jpeg_2000(image):
    return imagecodecs.jpeg2k_encode(image, level=0, codecformat="J2K")


ENCODERS = {
    "native": (ExplicitVRLittleEndian, None),
    "deflated": (DeflatedExplicitVRLittleEndian, None),
    "jpeg": (JPEGLosslessSV1, imagecodecs.ljpeg_encode),
    "jpeg-ls": (JPEGLSLossless, imagecodecs.jpegls_encode),
    "jpeg-2000": (JPEG2000Lossless, jpeg_2000),
    "rle": (RLELossless, None),
}


@pytest.fixture
def sound_series(tmp_path):
    """A small series in each of the syntaxes, in folders of their own."""
    folder = tmp_path / "series"
    for name, (syntax, encode) in ENCODERS.items():
        for path in too_short(folder / name, name, SLICES):
            ds = pydicom.dcmread(path)
            if encode is not None:
                ds.PixelData = encapsulate([encode(ds.pixel_array)])
                ds["PixelData"].VR = "OB"
                ds["PixelData"].is_undefined_length = True
            elif syntax == RLELossless:
                ds.compress(RLELossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
            ds.file_meta.TransferSyntaxUID = syntax
            buffer = io.BytesIO()
            ds.save_as(buffer, enforce_file_format=True)
            path.write_bytes(buffer.getvalue())
    return folder


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "count", [pytest.param(150, id="150"), pytest.param(3000, marks=pytest.mark.slow)]
)
def test_damaged_series_are_read_or_refused(sound_series, count):
    for seed in FOUND:
        read_damaged(sound_series, seed, 1)
    report = read_damaged(sound_series, SEED, count)
    outcomes = Counter(report["outcomes"])
    print(
        f"\n{count} damaged series: {dict(sorted(outcomes.items()))}; slowest"
        f" {report['slowest_s']} s, peak memory grown by {report['grown_kib']} KiB"
    )
    assert outcomes.total() == count
    assert {name.split(":")[0] for name in outcomes} == set(ENCODERS)
    assert report["slowest_s"] < SLOWEST_SECONDS
    assert report["grown_kib"] < GROWTH_KIB


def test_the_sound_series_are_read(sound_series):
    """The mutants start from something that loads."""
    from inference.loading import load_dicom

    first = load_dicom(sound_series / "native").hu
    for name in ENCODERS:
        np.testing.assert_array_equal(load_dicom(sound_series / name).hu, first)
