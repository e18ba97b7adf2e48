"""Which patient a spec asks for, and where its slices lie."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.anatomy import VertebraLevel
from inference.phantom.anatomy import AnatomyOptions, SpineAnatomy, Vertebra, sample_anatomy
from inference.phantom.spec import PhantomSpec
from inference.volume import Affine

BEHIND_SPINE_MM = 112.0
"""How far the field of view reaches behind the bodies at the usual extent; holds the table."""
USUAL_FIELD_MM = 300.0
SACRUM_SHOWN_MM = 62.0
"""How much of the sacrum is shown below L5."""

_AXES = {
    # columns: direction of k, j, i in LPS; k follows the normal (row x column direction)
    "axial": np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=np.float64),
    "sagittal": np.array([[-1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=np.float64),
    "coronal": np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], dtype=np.float64),
}


def phantom_anatomy(spec: PhantomSpec) -> SpineAnatomy:
    """The patient of `spec`: depends on its seed, fractures and marker, not on the scan."""
    extra = "none"
    if spec.left_marker:
        extra = "thirteenth" if VertebraLevel.L1 in spec.levels else "cervical"
    options = AnatomyOptions(
        fractures=spec.fractures, reference_levels=spec.levels, left_extra_rib=extra
    )
    return sample_anatomy(np.random.default_rng([spec.seed, 0]), options)


def field_of_view(spec: PhantomSpec, anatomy: SpineAnatomy) -> tuple[Affine, tuple[int, int, int]]:
    """Affine (index k, j, i to LPS mm) and shape of the series.

    The field holds every level of the spec completely, and half of the next one on either side
    (below L5: a part of the sacrum).
    """
    shown = [anatomy.vertebra(level) for level in spec.levels]
    low_z, high_z = _lower_edge(shown[-1], anatomy), _upper_edge(shown[0], anatomy)
    centers = np.array([vertebra.center_lps_mm for vertebra in shown])
    middle_x = float(centers[:, 0].mean())
    share = spec.field_of_view_mm / USUAL_FIELD_MM
    back = float(centers[:, 1].mean()) + BEHIND_SPINE_MM * min(1.0, share) + _lean(centers)
    half = spec.field_of_view_mm / 2
    low = np.array([middle_x - half, back - spec.field_of_view_mm, low_z])
    high = np.array([middle_x + half, back, high_z])
    return scan_box(spec, low, high)


def scan_box(
    spec: PhantomSpec, low_lps_mm: npt.NDArray[np.float64], high_lps_mm: npt.NDArray[np.float64]
) -> tuple[Affine, tuple[int, int, int]]:
    """Affine and shape of a series over a box of the patient, in the spec's plane and spacing."""
    axes = _AXES[spec.orientation]
    spacing = np.abs(axes).T @ np.asarray(spec.spacing_xyz_mm)
    extent = np.abs(axes).T @ (high_lps_mm - low_lps_mm)
    shape = np.maximum(np.floor(extent / spacing).astype(int), 4)
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    center_index = (shape - 1) / 2
    affine[:3, 3] = (low_lps_mm + high_lps_mm) / 2 - affine[:3, :3] @ center_index
    return affine, (int(shape[0]), int(shape[1]), int(shape[2]))


def _lean(centers: npt.NDArray[np.float64]) -> float:
    """Half of how much the curve of the spine moves it forward and back."""
    return float(np.ptp(centers[:, 1])) / 2


def _tip(vertebra: Vertebra, end: float) -> float:
    """Height of the outermost rim of the body: end 1 above, -1 below."""
    body = vertebra.body
    height = max(body.anterior_mm, body.posterior_mm) / 2 + 1.5
    corners = [(x, y, end * height) for x in (-1, 1) for y in (-1, 1)]
    half = np.array([body.width_mm / 2, body.depth_mm / 2, 1.0])
    z = vertebra.to_lps(np.array(corners) * half)[:, 2]
    return float(z.max() if end > 0 else z.min())


def _upper_edge(top: Vertebra, anatomy: SpineAnatomy) -> float:
    rim = _tip(top, 1) + 3.0
    index = anatomy.vertebrae.index(top)
    if index == 0:
        return rim + 25.0
    return max(rim, float(anatomy.vertebrae[index - 1].center_lps_mm[2]))


def _lower_edge(bottom: Vertebra, anatomy: SpineAnatomy) -> float:
    rim = _tip(bottom, -1) - 3.0
    index = anatomy.vertebrae.index(bottom)
    if index + 1 == len(anatomy.vertebrae):
        return min(rim, -SACRUM_SHOWN_MM)
    return min(rim, float(anatomy.vertebrae[index + 1].center_lps_mm[2]))
