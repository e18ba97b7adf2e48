"""Damaged bytes end in one clear line, never in a traceback, a hang or a plausible volume."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from inference.errors import InferenceError, InputUnavailable, UnreadableInput
from inference.loading import load_dicom, load_files


def unreadable(path):
    with pytest.raises(UnreadableInput) as caught:
        load_dicom(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOENT])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEGLosslessSV1, RLELossless])
def test_a_share_that_goes_away_says_nothing_about_the_images(
    ct_series, tmp_path, monkeypatch, number, syntax
):
    """Between the headers and the pixels, which is where most of the time goes."""
    stored_as = ExplicitVRLittleEndian if syntax == RLELossless else syntax
    truth = ct_series.axial(syntax=stored_as)
    if syntax == RLELossless:
        for ds in truth.datasets:
            ds.compress(RLELossless, generate_instance_uid=False)
        truth.syntax = syntax
    paths = truth.write(tmp_path)
    headers, opened = len(paths), []
    original = Path.open

    def away(self, *args, **options):
        opened.append(self)
        if len(opened) > headers:
            raise OSError(number, "away")
        return original(self, *args, **options)

    monkeypatch.setattr(Path, "open", away)
    with pytest.raises(InputUnavailable):
        load_files(paths)
    opened[:] = paths * 2
    with pytest.raises(InputUnavailable, match="file 1 of"):
        load_files(paths)


def test_damaged_bytes_are_no_share_that_went_away(ct_series, tmp_path):
    path = ct_series.axial().write(tmp_path)[2]
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UnreadableInput) as caught:
        load_dicom(tmp_path)
    assert not isinstance(caught.value, InputUnavailable)


def test_path_that_does_not_exist(tmp_path):
    assert "no such file or folder" in unreadable(tmp_path / "absent")


def test_empty_folder(tmp_path):
    assert "holds no file" in unreadable(tmp_path)


def test_empty_list():
    with pytest.raises(UnreadableInput):
        load_files([])


def test_text_file_alone_and_in_a_folder(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("This is not a CT, but it is longer than a preamble. " * 10)
    assert "none of 1 file(s) is a DICOM instance" in unreadable(path)
    assert "none of 1 file(s) is a DICOM instance" in unreadable(tmp_path)


def test_text_file_named_dcm(tmp_path):
    (tmp_path / "slice.dcm").write_text("not DICOM at all " * 50)
    unreadable(tmp_path)


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        DeflatedExplicitVRLittleEndian,
        JPEGLosslessSV1,
        JPEGLSLossless,
        JPEG2000Lossless,
        RLELossless,
    ],
    ids=lambda uid: uid.name[:32],
)
@pytest.mark.parametrize("lost", [40, 120])
def test_one_truncated_slice_is_named(ct_series, tmp_path, syntax, lost):
    """A slice cut off anywhere in its pixel data spoils the series, and is named."""
    stored_as = ExplicitVRLittleEndian if syntax == RLELossless else syntax
    truth = ct_series.axial(syntax=stored_as, shape_kji=(10, 30, 30))
    if syntax == RLELossless:
        for ds in truth.datasets:
            ds.compress(RLELossless, generate_instance_uid=False)
        truth.syntax = syntax
    path = truth.write(tmp_path)[6]
    path.write_bytes(path.read_bytes()[:-lost])
    message = unreadable(tmp_path)
    assert path.name in message
    assert "of 10" in message


@pytest.mark.parametrize("length", [0, 10, 131, 132, 140, 300, 700])
def test_slice_cut_inside_its_header(ct_series, tmp_path, length):
    path = ct_series.axial().write(tmp_path)[2]
    path.write_bytes(path.read_bytes()[:length])
    assert path.name in unreadable(tmp_path)


def test_empty_file_without_suffix_beside_slices_without_suffix(ct_series, tmp_path):
    for path in ct_series.axial().write(tmp_path):
        path.rename(path.with_suffix(""))
    (tmp_path / "IM0003").write_bytes(b"")
    assert "IM0003" in unreadable(tmp_path)


def test_truncated_multi_frame_object(ct_series, tmp_path):
    (path,) = ct_series.enhanced(ct_series.Recipe()).write(tmp_path)
    path.write_bytes(path.read_bytes()[:-500])
    assert "PixelData holds" in unreadable(path)


def test_fewer_pixel_bytes_than_announced_by_rows(ct_series, tmp_path):
    truth = ct_series.axial()
    truth.datasets[5].PixelData = truth.datasets[5].PixelData[:100]
    truth.write(tmp_path)
    assert "holds 100 of 336 bytes" in unreadable(tmp_path)


def test_codestream_of_random_bytes(ct_series, tmp_path):
    from pydicom.encaps import encapsulate

    truth = ct_series.axial(syntax=JPEGLosslessSV1)
    truth.datasets[0].PixelData = encapsulate([np.random.default_rng(0).bytes(300)])
    truth.write(tmp_path)
    assert "cannot be decoded" in unreadable(tmp_path)


def test_number_of_functional_groups_must_match(ct_series, tmp_path):
    truth = ct_series.enhanced(ct_series.Recipe())
    truth.datasets[0].NumberOfFrames = 9
    truth.write(tmp_path)
    assert "has 10 items for NumberOfFrames 9" in unreadable(tmp_path)


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated"])
def test_absent_pixel_description(ct_series, tmp_path, keyword):
    truth = ct_series.axial()
    del truth.datasets[3][keyword]
    truth.write(tmp_path)
    assert keyword in unreadable(tmp_path)


def test_error_texts_hold_no_patient_data(ct_series, tmp_path):
    truth = ct_series.axial(extra={"PatientName": "Secret^Name", "PatientID": "ID-4711"})
    path = truth.write(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-50])
    message = unreadable(tmp_path)
    assert "Secret" not in message
    assert "4711" not in message


def test_file_meta_group_length_of_the_wrong_size(ct_series, tmp_path):
    """pydicom raises an error outside the usual families for it."""
    path = ct_series.axial().write(tmp_path)[0]
    damaged = bytearray(path.read_bytes())
    damaged[138] = 2
    path.write_bytes(bytes(damaged))
    assert path.name in unreadable(tmp_path)


@pytest.mark.parametrize("kind", ["single", "enhanced", "compressed"])
def test_random_damage_never_escapes_the_error_tree(ct_series, tmp_path, kind):
    """Flipped bytes and cuts at random places raise InferenceError or still load."""
    rng = np.random.default_rng(11)
    recipe = ct_series.Recipe(
        shape_kji=(8, 6, 6),
        syntax=JPEGLSLossless if kind == "compressed" else ExplicitVRLittleEndian,
    )
    truth = ct_series.enhanced(recipe) if kind == "enhanced" else ct_series.single(recipe)
    paths = truth.write(tmp_path)
    sound = paths[0].read_bytes()
    for _ in range(60):
        damaged = bytearray(sound)
        for position in rng.integers(132, len(sound), size=rng.integers(1, 6)):
            damaged[position] = rng.integers(0, 256)
        if rng.random() < 0.3:
            damaged = damaged[: rng.integers(132, len(sound))]
        paths[0].write_bytes(bytes(damaged))
        with contextlib.suppress(InferenceError):
            volume = load_dicom(tmp_path)
            assert volume.hu.shape[1:] == (6, 6)


def test_a_cut_at_every_byte_is_noticed(ct_series, tmp_path):
    """No prefix of a file passes for the whole file."""
    truth = ct_series.axial(shape_kji=(8, 3, 3))
    path = truth.write(tmp_path)[1]
    sound = path.read_bytes()
    assert dcmread(path).PixelData
    for length in [*range(0, len(sound) - 1, 17), len(sound) - 1]:
        path.write_bytes(sound[:length])
        with pytest.raises(InferenceError):
            load_dicom(tmp_path)
