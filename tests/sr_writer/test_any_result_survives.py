"""Whatever the spine, its orientation and the patient's name: written, read back, the same."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydicom.valuerep import PersonName

from inference.anatomy import VertebraLevel
from inference.volume import CTVolume
from sr_writer import VerificationFailed, codes, verify_outputs, write_outputs
from sr_writer.findings_schema import (
    FEATURE_KEYS,
    Findings,
    GenantFindings,
    HeightFindings,
    HUFindings,
    VertebraFindings,
)
from sr_writer.verify_sr import measurement_groups

KINDS = {"seg", "sr", "narrative", "overview", "closeup", "pdf", "key_images"}

NAMES = {
    "none": (None, "Tester^Anna"),
    "Latin 1": ("ISO_IR 100", "Müller^Jürgen"),
    "Latin 2": ("ISO_IR 101", "Dvořáková^Božena"),
    "UTF-8": ("ISO_IR 192", "Łukaszewicz^Żaneta=李^娜"),
    "Cyrillic": ("ISO_IR 144", "Люкcceмбypг^Анна"),
    "Greek": ("ISO_IR 126", "Διονυσίου^Ελένη"),
    "Arabic": ("ISO_IR 127", "قباني^لنزار"),
    "Katakana": ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    "Japanese": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "Japanese, two extensions": (
        ["ISO 2022 IR 13", "ISO 2022 IR 87"],
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    "Korean": (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    "Chinese": ("GB18030", "Wang^XiaoDong=王^小东"),
}


@pytest.mark.parametrize("script", NAMES)
def test_names_and_their_bytes_are_kept_in_every_kind_of_object(
    script, make_case, settings, tmp_path
):
    """Character set, letters and encoded bytes of name and organisation are the source's."""
    charset, name = NAMES[script]

    def rename(ds):
        if charset is not None:
            ds.SpecificCharacterSet = charset
        ds.PatientName = name

    case = make_case(shape=(12, 40, 36), change=rename)
    written = write_outputs(case.findings, case.volume, case.segmentation, tmp_path, settings)
    verify_outputs(written, case.findings, case.volume, case.segmentation)
    assert {item.kind for item in written} == KINDS
    source = pydicom.dcmread(case.volume.source.frames[0].path)
    encoded = source.get_item("PatientName").value
    for item in written:
        ds = pydicom.dcmread(item.path)
        assert ds.get_item("PatientName").value == encoded
        assert ds.PatientName == PersonName(name)
        assert ds.get("SpecificCharacterSet") == source.get("SpecificCharacterSet")


def test_a_character_set_that_no_reader_knows_keeps_the_bytes(make_case, settings, tmp_path):
    """Some devices declare ISO_IR 149, which is no defined term: nothing is lost nonetheless."""
    korean = "Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7".encode("latin-1")

    def rename(ds):
        ds.SpecificCharacterSet = "ISO_IR 100"
        ds.PatientName = korean.decode("latin-1")

    case = make_case(shape=(12, 40, 36), change=rename)
    for frame in case.volume.source.frames:
        stored = frame.path.read_bytes()
        frame.path.write_bytes(stored.replace(b"ISO_IR 100", b"ISO_IR 149"))
    with pytest.warns(UserWarning, match="ISO_IR 149"):
        written = write_outputs(case.findings, case.volume, case.segmentation, tmp_path, settings)
    for item in written:
        assert korean in item.path.read_bytes()
        assert b"ISO_IR 149" in item.path.read_bytes()


@dataclass(frozen=True)
class Drawn:
    """A spine drawn at random; `frames` is the order of a multi-frame object, None for files."""

    shape: tuple[int, int, int]
    affine: np.ndarray
    labels: np.ndarray
    levels: tuple[VertebraLevel, ...]
    seed: int
    frames: list[int] | None


@st.composite
def oblique_affines(draw, shape):
    """Slices along any patient axis, either way, turned by up to 30 degrees about two axes."""
    order = draw(st.sampled_from(list(permutations(range(3)))), label="axes")
    signs = draw(st.sampled_from(list(product((-1.0, 1.0), repeat=3))), label="signs")
    axes = np.eye(3)[:, list(order)] * signs
    for axis in (0, 2):
        angle = np.deg2rad(draw(st.floats(-30, 30), label="degrees"))
        turn = np.eye(3)
        one, two = (n for n in range(3) if n != axis)
        turn[one, one] = turn[two, two] = np.cos(angle)
        turn[one, two], turn[two, one] = -np.sin(angle), np.sin(angle)
        axes = turn @ axes
    spacing = [draw(st.floats(0.4, 4.0), label="spacing") for _ in range(3)]
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2 + (12.5, -300.0, 1200.0)
    return affine


@st.composite
def spines(draw):
    """1 to 26 levels, T13 and L6 among them, of random voxels; also levels of a single one."""
    shape = tuple(draw(st.tuples(*[st.integers(5, 11)] * 3), label="shape"))
    every = VertebraLevel.ordered()
    chosen = draw(st.sets(st.sampled_from(every), min_size=1, max_size=len(every)), label="levels")
    levels = tuple(level for level in every if level in chosen)
    seed = draw(st.integers(0, 2**32 - 1), label="seed")
    rng = np.random.default_rng(seed)
    values = np.array([int(level) for level in levels], np.uint8)
    density = draw(st.floats(0.0, 0.5), label="density")
    labels = np.where(rng.random(shape) < density, rng.choice(values, shape), 0).astype(np.uint8)
    labels[rng.integers(0, shape[0])] = 0
    # every level has at least one voxel of its own, wherever it falls
    labels.flat[rng.choice(labels.size, len(values), replace=False)] = values
    affine = draw(oblique_affines(shape), label="affine")
    frames = draw(st.none() | st.permutations(range(shape[0])), label="frames")
    return Drawn(shape, affine, labels, levels, seed, frames)


def random_findings(drawn: Drawn, case) -> Findings:
    """Findings of the drawn levels: some flagged, some unmeasured."""
    rng = np.random.default_rng(drawn.seed)
    vertebrae = [_vertebra(level, drawn, case, rng) for level in drawn.levels]
    return replace(case.findings, vertebrae=tuple(vertebrae))


def _vertebra(level, drawn, case, rng) -> VertebraFindings:
    centre = np.argwhere(drawn.labels == int(level)).mean(axis=0)
    x, y, z = (round(float(v), 2) for v in case.volume.to_lps_mm(centre))
    bare = VertebraFindings(level, True, round(rng.random(), 3), (x, y, z))
    if rng.random() < 0.25:
        return replace(bare, complete=False, unavailable={"heights_mm": "cut"})
    grade = int(rng.integers(0, 4))
    kind = "none" if grade == 0 else str(rng.choice(["wedge", "biconcave", "crush"]))
    return replace(
        bare,
        heights_mm=HeightFindings(*(round(v, 2) for v in rng.uniform(5, 40, 3).tolist())),
        height_loss=round(rng.random(), 3),
        genant=GenantFindings(grade, kind),
        fractured=grade > 0,
        hu=HUFindings(*(round(v, 1) for v in rng.normal(100, 90, 3).tolist())),
        bmd_mg_cm3=round(rng.uniform(-20, 300), 1),
        features={
            key: float(f"{10 ** rng.uniform(-6, 3):.6g}") if rng.random() < 0.8 else None
            for key in FEATURE_KEYS
        },
    )


@pytest.mark.parametrize("encoding", ["binary", "labelmap"])
@hypothesis_settings(
    max_examples=14, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(drawn=spines())
def test_any_spine_in_any_orientation_survives(drawn, encoding, make_case, settings, tmp_path):
    """Voxels in patient coordinates and all numbers, read by pydicom; a wrong voxel is noticed."""
    case = make_case(
        levels=(), shape=drawn.shape, affine=drawn.affine, fractured=(), enhanced=drawn.frames
    )
    findings = random_findings(drawn, case)
    segmentation = replace(case.segmentation, labels=drawn.labels, bodies=drawn.labels)
    chosen = replace(settings, outputs=("seg", "sr", "key_images"), seg_encoding=encoding)
    written = write_outputs(findings, case.volume, segmentation, tmp_path / "out", chosen)
    verify_outputs(written, findings, case.volume, segmentation)
    read = {item.kind: pydicom.dcmread(item.path) for item in written}
    assert set(read) == {"seg", "sr", "narrative"} | ({"key_images"} if findings.flagged else set())
    np.testing.assert_array_equal(mask_in(read["seg"], case.volume), drawn.labels)
    assert numbers_in(read["sr"]) == numbers_of(findings)
    wrong = drawn.labels.copy()
    wrong.flat[int(np.flatnonzero(wrong)[0])] = 0
    with pytest.raises(VerificationFailed, match="seg"):
        verify_outputs(written, findings, case.volume, replace(segmentation, labels=wrong))


def mask_in(seg: pydicom.Dataset, volume: CTVolume) -> np.ndarray:
    """VerSe labels on the volume's grid, each pixel placed by the attributes of its frame."""
    labels = {int(s.SegmentNumber): str(s.SegmentLabel) for s in seg.SegmentSequence}
    shared = seg.SharedFunctionalGroupsSequence[0]
    axes = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient).reshape(2, 3)
    row_mm, column_mm = shared.PixelMeasuresSequence[0].PixelSpacing
    pixels = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    mask = np.zeros(volume.shape_kji, np.uint8)
    for frame, group in zip(pixels, seg.PerFrameFunctionalGroupsSequence, strict=True):
        corner = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        rows, columns = np.nonzero(frame)
        points = corner + np.outer(rows * row_mm, axes[1]) + np.outer(columns * column_mm, axes[0])
        index = np.rint(volume.to_index_kji(points)).astype(int)
        numbers = frame[rows, columns]
        if seg.SegmentationType == "BINARY":
            numbers = numbers * group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        mask[tuple(index.T)] = [int(VertebraLevel.from_name(labels[int(n)])) for n in numbers]
    return mask


def numbers_in(sr: pydicom.Dataset) -> dict[str, list[float]]:
    """Every number of every group under its tracking identifier, in stored order."""
    found = {}
    for group in measurement_groups(sr.ContentSequence):
        children = group.ContentSequence
        (name,) = (c.TextValue for c in children if concept(c) == codes.TRACKING_IDENTIFIER.value)
        found[str(name)] = [
            float(c.MeasuredValueSequence[0].NumericValue) for c in children if c.ValueType == "NUM"
        ]
    return found


def concept(item: pydicom.Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return str(names[0].CodeValue) if names else ""


def numbers_of(findings: Findings) -> dict[str, list[float]]:
    """The same of the findings' own document, in the order that people read."""
    return {
        v["label"]: [number for number in _reported(v) if number is not None]
        for v in json.loads(json.dumps(findings.to_json()))["vertebrae"]
    }


def _reported(vertebra: dict) -> list[float | None]:
    loss, heights, hu = vertebra["height_loss"], vertebra["heights_mm"], vertebra["hu"]
    return [
        None if loss is None else round(100 * loss, 1), vertebra["genant"]["grade"],
        heights["anterior"], heights["middle"], heights["posterior"],
        hu["mean"], hu["median"], hu["sd"], vertebra["bmd_mg_cm3"], vertebra["volume_ml"],
        vertebra["confidence"], *(vertebra["features"].get(key) for key in FEATURE_KEYS),
    ]  # fmt: skip


def test_a_mask_without_any_voxel_gets_reports_and_no_segmentation(make_case, settings, tmp_path):
    case = make_case(levels=(), shape=(12, 40, 36), fractured=())
    written = write_outputs(case.findings, case.volume, case.segmentation, tmp_path, settings)
    verify_outputs(written, case.findings, case.volume, case.segmentation)
    assert {item.kind for item in written} == {"sr", "narrative", "overview", "pdf"}
    assert "empty_segmentation" in {notice.code for notice in case.findings.warnings}


def test_all_26_levels_at_once_with_every_output(make_case, settings, tmp_path):
    """C1 to L6 with T13: pictures and PDF too, and the segments run from head to foot."""
    levels = tuple(VertebraLevel.ordered())
    assert {"T13", "L6"} < {level.name for level in levels}
    case = make_case(levels=levels, shape=(130, 30, 28), fractured=(levels[18], levels[25]))
    written = write_outputs(case.findings, case.volume, case.segmentation, tmp_path, settings)
    verify_outputs(written, case.findings, case.volume, case.segmentation)
    assert {item.kind for item in written} == KINDS
    seg = pydicom.dcmread(next(item.path for item in written if item.kind == "seg"))
    assert [s.SegmentLabel for s in seg.SegmentSequence] == [level.name for level in levels]
    sr = pydicom.dcmread(next(item.path for item in written if item.kind == "sr"))
    assert numbers_in(sr) == numbers_of(case.findings)
