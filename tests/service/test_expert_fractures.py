"""Real fracture shapes: the VerSe patient with expert grades, over a CT rendered from the masks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

MAP = (
    Path(__file__).parents[2].parent
    / "shared" / "data" / "labels" / "verse004_vert_verse.nii.gz"
)  # fmt: skip
EXPERT = {"T9": 2, "T10": 2, "L1": 3}
"""All other levels are grade 0."""
CORTEX_MM, CORTEX_HU, TRABECULAR_HU, SOFT_TISSUE_HU = 1.6, 420, 140, 45
NOISE_HU = 15.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MAP.exists(), reason="real label maps are not beside the repository"),
]


@pytest.fixture(scope="module")
def rendered_ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cortex, trabecular bone and soft tissue, slightly blurred, with noise."""
    image = nib.load(MAP)
    labels = np.asarray(image.dataobj)
    spacing = np.linalg.norm(image.affine[:3, :3], axis=0)
    depth = ndimage.distance_transform_edt(labels > 0, sampling=spacing)
    bone = np.where(depth > CORTEX_MM, TRABECULAR_HU, CORTEX_HU)
    hu = ndimage.gaussian_filter(
        np.where(labels > 0, bone, SOFT_TISSUE_HU).astype(float), 0.5 / spacing
    )
    hu += np.random.default_rng(1).normal(0, NOISE_HU, hu.shape)
    path = tmp_path_factory.mktemp("expert") / "ct.nii.gz"
    nib.save(nib.Nifti1Image(hu.round().astype(np.int16), image.affine), path)
    return path


@pytest.mark.parametrize(
    "masks", [["--segmentation", str(MAP)], []], ids=["expert masks", "released model"]
)
def test_expert_grades_are_found(rendered_ct: Path, tmp_path: Path, masks: list[str]) -> None:
    """Every expert fracture is flagged, at most one other, and grades differ by at most one."""
    command = [sys.executable, "-m", "service", "analyze", str(rendered_ct), "--out", str(tmp_path)]
    subprocess.run([*command, *masks], check=True, capture_output=True, timeout=1200)
    document = json.loads((tmp_path / "findings.json").read_text())
    grades = {v["label"]: v["genant"]["grade"] for v in document["vertebrae"]}
    sys.stdout.write(f"expert {EXPERT}, found {grades}\n")
    flagged = {label for label, grade in grades.items() if grade}
    assert flagged >= set(EXPERT)
    assert len(flagged - set(EXPERT)) <= 1
    assert all(abs(grades[label] - grade) <= 1 for label, grade in EXPERT.items())
