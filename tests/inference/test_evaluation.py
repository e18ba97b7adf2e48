"""`evaluate_folder` on columns of cubes whose figures are known exactly."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from inference.anatomy import VertebraLevel
from inference.errors import ModelUnavailable, NotAnalysable, UnreadableInput
from inference.evaluation import evaluate_folder
from inference.nifti import load_labels, save_labels, save_volume
from inference.phantom.dicom import write_phantom
from inference.phantom.spec import PhantomSpec, parse_fracture, parse_levels
from inference.report import LabelledVertebra, ModelIdentity, Segmentation
from inference.volume import CTVolume

SHAPE_KJI = (40, 16, 18)
SPACING_KJI_MM = (3.0, 2.0, 1.5)
CUBE = 6
STARTS_K = (30, 22, 14, 6)
NAMES = (20, 21, 22, 23)


def affine_lps() -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) * SPACING_KJI_MM
    affine[:3, 3] = (-11.0, 25.0, 130.0)
    return affine


def column(names=NAMES, shift_k: int = 0) -> np.ndarray:
    """Cubes of 6 voxels, 24 mm apart, from head to foot."""
    labels = np.zeros(SHAPE_KJI, dtype=np.uint8)
    for name, start in zip(names, STARTS_K, strict=True):
        labels[start + shift_k : start + shift_k + CUBE, 5 : 5 + CUBE, 6 : 6 + CUBE] = name
    return labels


def bodies_of(labels: np.ndarray) -> np.ndarray:
    """The anterior half."""
    bodies = labels.copy()
    bodies[:, 8:] = 0
    return bodies


@dataclass
class FakeSegmenter:
    """Answers with a given mask, or refuses."""

    labels: np.ndarray | None
    confidence: float = 0.97
    partial: frozenset[int] = frozenset()
    bodies: np.ndarray | None = None
    refusal: Exception | None = None
    identity: ModelIdentity = field(default=ModelIdentity("fake", "1", "0" * 64))

    def segment(self, volume, progress=None):
        if progress is not None:
            progress(0.5)
        if self.refusal is not None:
            raise self.refusal
        assert self.labels.shape == volume.shape_kji
        found = tuple(
            LabelledVertebra(level, self.confidence, int(level) not in self.partial)
            for level in VertebraLevel.ordered()
            if (self.labels == int(level)).any()
        )
        bodies = bodies_of(self.labels) if self.bodies is None else self.bodies
        return Segmentation(self.labels, bodies, found, self.identity)


def add_case(folder: Path, name: str = "sub-a", labels: np.ndarray | None = None) -> Path:
    """CT and mask in VerSe's folders; the derivatives folder comes back."""
    raw, derived = folder / "rawdata" / name, folder / "derivatives" / name
    raw.mkdir(parents=True)
    derived.mkdir(parents=True)
    volume = CTVolume(np.zeros(SHAPE_KJI, dtype=np.int16), affine_lps())
    save_volume(raw / f"{name}_ct.nii.gz", volume)
    if labels is not None:
        save_labels(derived / f"{name}_seg-vert_msk.nii.gz", labels, affine_lps())
    return derived


def run(folder: Path, segmenter: FakeSegmenter) -> dict:
    evaluate_folder(folder, folder.parent / "out", segmenter)
    text = (folder.parent / "out" / "evaluation.json").read_text()
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def test_the_truth_itself_is_a_perfect_answer(folder):
    add_case(folder, labels=column())
    summary = run(folder, FakeSegmenter(column()))["summary"]
    assert summary["overlap"]["dice"] == 1.0
    assert summary["overlap"]["hausdorff95_mm"] == 0.0
    assert summary["identification"]["identification_rate"]["value"] == 1.0
    assert summary["identification"]["localisation_error_mm"] == pytest.approx(0.0, abs=1e-9)
    assert summary["identification"]["level_shift"]["0"] == 4
    assert summary["identification"]["invented"] == summary["identification"]["missed"] == 0


def test_a_shift_of_two_slices_has_its_exact_dice_hausdorff_and_localisation(folder):
    """6-voxel cubes moved by 2 slices of 3 mm: Dice 4/6, 6 mm apart everywhere."""
    add_case(folder, labels=column())
    found = run(folder, FakeSegmenter(column(shift_k=2)))
    summary = found["summary"]
    assert summary["overlap"]["dice"] == pytest.approx(4 / 6)
    assert summary["overlap"]["hausdorff95_mm"] == pytest.approx(6.0)
    assert summary["identification"]["localisation_error_mm"] == pytest.approx(6.0)
    assert summary["identification"]["identification_rate"]["hits"] == 4
    rows = found["cases"][0]["vertebrae"]
    assert [row["label"] for row in rows] == ["L1", "L2", "L3", "L4"]
    assert all(row["dice"] == pytest.approx(4 / 6) for row in rows)


@pytest.mark.parametrize(("names", "shift"), [((21, 22, 23, 24), "+1"), ((19, 20, 21, 22), "-1")])
def test_names_off_by_one_identify_nothing_but_the_masks_stay_right(folder, names, shift):
    add_case(folder, labels=column())
    summary = run(folder, FakeSegmenter(column(names), confidence=0.97))["summary"]
    figures = summary["identification"]
    assert figures["identification_rate"]["value"] == 0.0
    assert figures["level_shift"][shift] == 4
    assert figures["missed"] == figures["invented"] == 0
    assert figures["localisation_error_mm"] == pytest.approx(24.0)
    assert figures["centre_error_mm"] == pytest.approx(0.0, abs=1e-9)
    assert summary["overlap"]["dice"] == 0.0
    assert summary["overlap"]["dice_any_name"] == 1.0
    assert summary["overlap"]["hausdorff95_any_name_mm"] == 0.0
    assert summary["overlap"]["without_hausdorff"] == 1
    assert summary["reliability"]["wrong_among_confident"]["hits"] == 4


def test_missed_and_invented_vertebrae_are_counted(folder):
    """The truth lists the upper three; the answer holds the lower three."""
    truth, answer = column(), column()
    truth[truth == 23] = 0
    answer[answer == 20] = 0
    add_case(folder, labels=truth)
    found = run(folder, FakeSegmenter(answer))
    assert found["cases"][0]["invented"] == ["L4"]
    figures = found["summary"]["identification"]
    assert (figures["missed"], figures["invented"]) == (1, 1)
    assert figures["identification_rate"]["hits"] == 2
    assert found["summary"]["overlap"]["dice"] == pytest.approx(2 / 3)
    names = found["summary"]["reliability"]["bins"][-1]
    assert names["fraction_right"]["hits"] == 2
    assert names["vertebrae"] == 3


def test_a_cut_vertebra_that_readers_left_out_is_not_invented(folder):
    truth = column()
    truth[truth == 23] = 0
    add_case(folder, labels=truth)
    figures = run(folder, FakeSegmenter(column(), partial=frozenset({23})))["summary"]
    assert figures["identification"]["invented"] == 0
    assert figures["identification"]["extra_partial"] == 1
    assert figures["reliability"]["bins"][-1]["vertebrae"] == 3


def test_vertebrae_in_a_scan_without_a_spine_are_invented(folder):
    add_case(folder, labels=np.zeros(SHAPE_KJI, dtype=np.uint8))
    summary = run(folder, FakeSegmenter(column()))["summary"]
    assert summary["identification"]["invented"] == 4
    assert summary["identification"]["identification_rate"]["value"] is None


def test_a_refused_scan_counts_its_vertebrae_as_missed(folder):
    derived = add_case(folder, labels=column())
    (derived / "sub-a_grades.json").write_text('{"L1": 2, "L2": 0}')
    refusal = NotAnalysable("no_vertebra", "No vertebra was found in the scan.")
    found = run(folder, FakeSegmenter(None, refusal=refusal))
    assert found["cases"][0]["status"] == "not_analysable"
    assert found["cases"][0]["reason"].startswith("no_vertebra")
    summary = found["summary"]
    assert summary["overlap"]["dice"] == 0.0
    assert summary["overlap"]["hausdorff95_mm"] is None
    assert summary["identification"]["missed"] == 4
    assert summary["fractures"]["sensitivity"]["value"] == 0.0
    assert summary["fractures"]["missed"] == [1, 0, 1, 0]


def test_without_mask_and_centroids_nothing_is_claimed(folder):
    add_case(folder)
    found = run(folder, FakeSegmenter(column()))
    case = found["cases"][0]
    assert case["overlap"] is case["identification"] is case["fractures"] is None
    assert found["summary"]["overlap"] is None
    assert any("no mask" in text for text in case["absent"])
    assert any("no centroids" in text for text in case["absent"])


def test_sacrum_and_other_labels_are_no_vertebrae(folder):
    truth, answer = column(), column()
    truth[0:3, 0:4, 0:4] = 26
    answer[0:3, 0:4, 0:4] = 26
    add_case(folder, labels=truth)
    found = run(folder, FakeSegmenter(answer))
    assert [row["label"] for row in found["cases"][0]["vertebrae"]] == ["L1", "L2", "L3", "L4"]
    assert found["summary"]["identification"]["invented"] == 0


def test_a_broken_file_is_named_and_the_other_cases_go_on(folder):
    derived = add_case(folder, "sub-bad", labels=column())
    (derived / "sub-bad_seg-vert_msk.nii.gz").write_bytes(b"no image")
    add_case(folder, "sub-good", labels=column())
    found = run(folder, FakeSegmenter(column()))
    bad, good = found["cases"]
    assert bad["status"] == "failed"
    assert "sub-bad_seg-vert_msk.nii.gz" in bad["reason"]
    assert good["status"] == "evaluated"
    assert found["summary"]["cases"] == {"evaluated": 1, "not_analysable": 0, "failed": 1}
    assert found["summary"]["overlap"]["vertebrae"] == 4


def test_when_every_case_is_broken_the_command_fails_after_writing_why(folder):
    derived = add_case(folder, labels=column())
    (derived / "sub-a_seg-vert_msk.nii.gz").write_bytes(b"no image")
    with pytest.raises(UnreadableInput, match="sub-a_seg-vert_msk"):
        evaluate_folder(folder, folder.parent / "out", FakeSegmenter(column()))
    assert "sub-a_seg-vert_msk" in (folder.parent / "out" / "evaluation.md").read_text()


def test_a_folder_without_cases_is_refused(folder):
    with pytest.raises(UnreadableInput, match="no case"):
        evaluate_folder(folder, folder.parent / "out", FakeSegmenter(column()))
    with pytest.raises(UnreadableInput, match="no such folder"):
        evaluate_folder(folder / "absent", folder.parent / "out", FakeSegmenter(column()))


def test_a_model_that_cannot_be_used_stops_everything(folder):
    add_case(folder, labels=column())
    refusal = ModelUnavailable("the released weights are missing")
    with pytest.raises(ModelUnavailable):
        evaluate_folder(folder, folder.parent / "out", FakeSegmenter(None, refusal=refusal))


def test_progress_grows_to_one(folder):
    add_case(folder, "sub-a", labels=column())
    add_case(folder, "sub-b", labels=column())
    seen: list[float] = []
    evaluate_folder(folder, folder.parent / "out", FakeSegmenter(column()), seen.append)
    assert seen == [0.25, 0.5, 0.75, 1.0]


def test_the_table_holds_the_figures_and_is_written(folder):
    add_case(folder, labels=column())
    text = evaluate_folder(folder, folder.parent / "out", FakeSegmenter(column(shift_k=2)))
    assert text == (folder.parent / "out" / "evaluation.md").read_text()
    assert "| Dice per vertebra, mean " in text
    assert "0.667 (n 4)" in text
    assert "100.0% (51.0% to 100.0%; 4 of 4)" in text
    assert "sub-a: no Genant grades" in text
    assert "nan" not in text.lower().split()


def phantom_answer(home: Path) -> FakeSegmenter:
    """A segmenter that answers with the phantom's own masks, complete as its truth says."""
    volume = CTVolume.from_dicom(home / "dicom")
    labels = load_labels(home / "labels.nii.gz", volume)
    bodies = load_labels(home / "bodies.nii.gz", volume)
    rows = json.loads((home / "truth.json").read_text())["vertebrae"]
    complete = {row["verse_label"] for row in rows if row["complete"]}
    partial = frozenset(set(np.unique(labels).tolist()) - complete)
    return FakeSegmenter(labels, bodies=bodies, partial=partial)


def test_a_phantom_folder_is_a_case_with_bodies_and_grades(folder):
    spec = PhantomSpec(
        seed=4,
        levels=parse_levels("L1-L3"),
        fractures=(parse_fracture("L2:wedge:0.35"),),
        spacing_xyz_mm=(1.5, 1.5, 1.5),
        field_of_view_mm=110.0,
    )
    write_phantom(spec, folder / "one")
    found = run(folder, phantom_answer(folder / "one"))
    case, summary = found["cases"][0], found["summary"]
    assert case["name"] == "one"
    assert [row["label"] for row in case["vertebrae"]] == ["L1", "L2", "L3"]
    assert "L4" in case["cut_in_truth"]
    assert summary["overlap"]["dice"] == summary["overlap"]["body_dice"] == 1.0
    assert summary["identification"]["identification_rate"]["hits"] == 3
    assert summary["identification"]["localisation_error_mm"] < 1.0
    fractures = summary["fractures"]
    assert fractures["genant_confusion"] == [[2, 0, 0, 0], [0] * 4, [0, 0, 1, 0], [0] * 4]
    assert fractures["sensitivity"]["value"] == fractures["specificity"]["value"] == 1.0
    assert fractures["false_positives_per_patient"]["value"] == 0.0
    assert fractures["false_positives_per_patient"]["high"] == pytest.approx(-math.log(0.025))
