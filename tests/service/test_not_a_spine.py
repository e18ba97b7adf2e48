"""Head, hip, limb and belly: the node says that there is no spine, and never invents a vertebra.

The bodies are drawn here, of shapes the model's training did not use.
"""

import numpy as np
import pytest
from scipy import ndimage

from inference import CTVolume
from inference.phantom.layout import field_of_view, phantom_anatomy
from inference.phantom.render import render
from inference.phantom.spec import PhantomSpec, parse_levels
from service.config import Config
from service.offline import analyze_path

VOXEL_MM = 2.5
AIR, FAT, MUSCLE, BRAIN = -1000.0, -90.0, 50.0, 35.0


def coordinates(shape):
    """z, y and x in mm from the middle of the array."""
    index = np.indices(shape).astype(np.float32)
    return [(axis - (n - 1) / 2) * VOXEL_MM for axis, n in zip(index, shape, strict=True)]


def volume(hu, seed):
    noisy = ndimage.gaussian_filter(hu, 0.4) + np.random.default_rng(seed).normal(0, 10, hu.shape)
    affine = np.zeros((4, 4))
    affine[:3, :3] = np.eye(3)[::-1] * VOXEL_MM
    affine[3, 3] = 1
    return CTVolume(np.clip(np.rint(noisy), -1024, 3071).astype(np.int16), affine)


def head(seed):
    """A skull of bone around a brain, jaw, petrous bone and the clivus in front of the stem."""
    z, y, x = coordinates((72, 88, 76))
    z = z - 15
    inner = (np.sqrt((x / 70) ** 2 + (y / 88) ** 2 + (z / 72) ** 2) - 1) * 70
    hu = np.full(x.shape, AIR, np.float32)
    skin = np.where(z < -30, np.minimum(np.hypot(x, y - 10) - 60, inner - 14), inner - 14)
    hu[skin < 0], hu[skin < -5] = FAT, MUSCLE
    vault = (inner > 0) & (inner < 7) & (z > -50)
    hu[vault], hu[vault & (inner > 2) & (inner < 5)] = 900, 500
    hu[inner < 0] = BRAIN
    hu[(np.hypot(y + 8 - np.abs(x) * 0.6, z + 35) < 11) & (np.abs(x) < 60) & (inner < 6)] = 1100
    hu[(np.abs(np.hypot(x, (y + 20) * 0.8) - 48) < 6) & (abs(z + 80) < 15) & (y < 0)] = 1200
    hu[(np.abs(x) < 12) & (np.abs(y - 2 + (z + 45) * 0.6) < 8) & (np.abs(z + 45) < 22)] = 400
    return volume(hu, seed)


def limb(seed):
    """One long bone with flared ends and a joint, in muscle and fat."""
    z, y, x = coordinates((88, 60, 60))
    r = np.hypot(x, y)
    hu = np.full(x.shape, AIR, np.float32)
    hu[r < 65], hu[r < 56] = FAT, MUSCLE
    shaft = 15 + 10 * np.clip((np.abs(z) - 60) / 50, 0, 1)
    hu[r < shaft] = 1300
    marrow = r < shaft - 5
    hu[marrow] = np.where(np.abs(z) > 60, 200, -60)[marrow]
    hu[(np.abs(z + 70) < 3) & (r < shaft + 4)] = 30
    return volume(hu, seed)


def belly(seed):
    """Soft tissue only, with a bright liver and a contrast-filled kidney."""
    z, y, x = coordinates((60, 72, 100))
    outline = np.sqrt((x / 115) ** 2 + (y / 82) ** 2)
    hu = np.full(x.shape, AIR, np.float32)
    hu[outline < 1], hu[outline < 0.85] = FAT, MUSCLE
    hu[np.sqrt(((x - 40) / 45) ** 2 + (y / 40) ** 2 + (z / 60) ** 2) < 1] = 110
    hu[np.sqrt(((x + 40) / 25) ** 2 + ((y - 10) / 20) ** 2 + (z / 50) ** 2) < 1] = 250
    return volume(hu, seed)


def pelvis(seed, head_end_mm, foot_end_mm):
    """A slab of a phantom's pelvis, ends counted from the first sacral endplate."""
    spec = PhantomSpec(
        seed=seed,
        levels=parse_levels("L4-L5"),
        spacing_xyz_mm=(VOXEL_MM, VOXEL_MM, VOXEL_MM),
        field_of_view_mm=280.0,
    )
    anatomy = phantom_anatomy(spec)
    affine, (_, rows, columns) = field_of_view(spec, anatomy)
    affine[2, 3] = foot_end_mm
    slices = int((head_end_mm - foot_end_mm) / VOXEL_MM)
    return CTVolume(render(spec, anatomy, affine, (slices, rows, columns)).hu, affine)


def hips(seed):
    """Femora and ischia below the sacrum."""
    return pelvis(seed, -100.0, -200.0)


def sacrum(seed):
    """Sacrum and iliac wings, cut just below the last disc."""
    return pelvis(seed, -8.0, -120.0)


@pytest.mark.parametrize("body", [head, limb, belly, hips, sacrum])
def test_what_is_no_spine_gets_a_coded_refusal_and_no_vertebra(body, tmp_path):
    from inference.nifti import save_volume

    ct = tmp_path / "ct.nii.gz"
    save_volume(ct, body(seed=4))
    findings = analyze_path(ct, tmp_path / "out", Config(inference={"threads": 1}))
    assert findings.status == "not_analysable"
    assert {reason.code for reason in findings.reasons} <= {"no_vertebra", "spine_too_short"}
    assert findings.vertebrae == ()
    assert not list((tmp_path / "out").glob("*.nii.gz"))
