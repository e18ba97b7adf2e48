"""Bodies cut out of whole-vertebra masks."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from inference import SACRUM_LABEL, VertebraLevel
from inference.bodies import separate_bodies

DATA = Path(__file__).parents[2].parent / "shared" / "data"
L2 = int(VertebraLevel.L2)


def vertebra(spacing_kji: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Mask and true body of a schematic vertebra in axial LPS order (z up, y back, x left)."""
    spacing = np.array(spacing_kji)
    shape = np.ceil(np.array([50.0, 100.0, 90.0]) / spacing).astype(int)
    z, y, x = np.moveaxis(np.moveaxis(np.indices(shape), 0, -1) * spacing, -1, 0)
    z, y, x = z - 25, y - 30, x - 45
    body = ((x / 22) ** 2 + (y / 16) ** 2 < 1) & (np.abs(z) < 13)
    pedicles = (np.abs(np.abs(x) - 15) < 4) & (y > 0) & (y < 30) & (np.abs(z - 4) < 7)
    transverse = (np.abs(x) < 42) & (np.abs(y - 30) < 4) & (np.abs(z - 4) < 5) & (np.abs(x) > 12)
    lamina = (np.abs(x) < 19) & (np.abs(y - 34) < 4) & (np.abs(z) < 10)
    spinous = (np.abs(x) < 4) & (y > 34) & (y < 62) & (np.abs(z + 4) < 9)
    return body | pedicles | transverse | lamina | spinous, body


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2.0 * float((a & b).sum()) / float(a.sum() + b.sum())


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.9, 0.9), (5.0, 0.8, 0.8)])
def test_body_is_found_in_any_axis_order_and_spacing(
    spacing: tuple[float, float, float], axes: tuple[int, int, int]
) -> None:
    mask, body = vertebra(spacing)
    labels = np.where(mask, L2, 0).astype(np.uint8).transpose(axes)
    turned = (spacing[axes[0]], spacing[axes[1]], spacing[axes[2]])
    found = separate_bodies(labels, turned)
    assert dice(found == L2, body.transpose(axes)) > 0.93


def test_posterior_elements_alone_give_no_body() -> None:
    """A level cut by the field of view behind its body gets no body, not a wrong one."""
    mask, _ = vertebra((1.0, 1.0, 1.0))
    labels = np.where(mask, L2, 0).astype(np.uint8)
    labels[:, :54] = 0
    affine = np.eye(4)[:, [2, 1, 0, 3]]
    assert not separate_bodies(labels, (1.0, 1.0, 1.0), affine).any()


def test_a_body_behind_its_own_arch_is_refused() -> None:
    """With the affine turned by 180 degrees the body would lie behind: refused."""
    mask, _ = vertebra((1.0, 1.0, 1.0))
    labels = np.where(mask, L2, 0).astype(np.uint8)
    affine = np.eye(4)[:, [2, 1, 0, 3]]
    assert separate_bodies(labels, (1.0, 1.0, 1.0), affine).any()
    affine[1, 1] = -1.0
    assert not separate_bodies(labels, (1.0, 1.0, 1.0), affine).any()


@pytest.mark.parametrize("label", [SACRUM_LABEL, int(VertebraLevel.C1), 40])
def test_sacrum_atlas_and_other_structures_have_no_body(label: int) -> None:
    mask, _ = vertebra((1.0, 1.0, 1.0))
    labels = np.where(mask, label, 0).astype(np.uint8)
    assert not separate_bodies(labels, (1.0, 1.0, 1.0)).any()


def test_bodies_lie_inside_their_labels() -> None:
    mask, _ = vertebra((3.0, 0.9, 0.9))
    labels = np.where(mask, L2, 0).astype(np.uint8)
    found = separate_bodies(labels, (3.0, 0.9, 0.9))
    assert set(np.unique(found)) == {0, L2}
    assert (labels[found > 0] == found[found > 0]).all()


def test_empty_labels_give_empty_bodies() -> None:
    assert not separate_bodies(np.zeros((4, 5, 6), np.uint8), (1.0, 1.0, 1.0)).any()


def test_agrees_with_expert_body_labels() -> None:
    """TPTBox L3 crop: sub-regions 49 and 50 are the body; Dice at least 0.95."""
    folder = DATA / "labels"
    if not (folder / "tptbox_L3_subreg.nii.gz").exists():
        pytest.skip("real label maps are not beside the repository")
    image = nib.load(folder / "tptbox_L3_vert_verse.nii.gz")
    labels = np.asarray(image.dataobj).astype(np.uint8)
    parts = np.asarray(nib.load(folder / "tptbox_L3_subreg.nii.gz").dataobj)
    found = separate_bodies(labels, tuple(float(s) for s in image.header.get_zooms()))
    for level in (VertebraLevel.L3, VertebraLevel.L4):
        expert = (labels == level) & np.isin(parts, (49, 50))
        assert dice(found == level, expert) > 0.95
