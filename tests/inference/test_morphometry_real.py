"""Real fracture shapes: the VerSe patient with expert grades, over a CT rendered from the mask."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from inference import CTVolume, LabelledVertebra, ModelIdentity, Segmentation, VertebraLevel
from inference.bodies import separate_bodies
from inference.morphometry import measure

LABELS = Path(__file__).parents[2].parent / "shared" / "data" / "labels"
MAP = LABELS / "verse004_vert_verse.nii.gz"
V = VertebraLevel


@pytest.mark.skipif(not MAP.exists(), reason="real label maps are not beside the repository")
def test_expert_grades_of_a_fractured_spine_are_found() -> None:
    """Expert: T9 and T10 grade 2, L1 grade 3, all others 0; one other flag is allowed."""
    image = nib.as_closest_canonical(nib.load(MAP))
    labels = np.ascontiguousarray(np.asarray(image.dataobj).astype(np.uint8).transpose(2, 1, 0))
    affine = (np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine)[:, [2, 1, 0, 3]]
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    depth = ndimage.distance_transform_edt(labels > 0, sampling=spacing)
    hu = np.where(labels > 0, np.where(depth > 2.1, 200, 600), 60).astype(np.int16)
    bodies = separate_bodies(labels, tuple(spacing), affine)
    found = tuple(
        LabelledVertebra(V(int(label)), 1.0, True) for label in np.unique(labels[labels > 0])
    )
    masks = Segmentation(labels, bodies, found, ModelIdentity("expert", "1", "0" * 64))
    grades = {m.level: m.fracture.grade for m in measure(CTVolume(hu, affine), masks) if m.fracture}
    flagged = {level for level, grade in grades.items() if grade > 0}
    assert flagged >= {V.T9, V.T10, V.L1}
    assert len(flagged) <= 4
    assert (grades[V.T9], grades[V.T10], grades[V.L1]) == (2, 2, 3)
