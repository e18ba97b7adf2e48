"""A metal bead on the patient's left, and where the skin is."""

from __future__ import annotations

import numpy as np

from inference.phantom.anatomy import SpineAnatomy
from inference.phantom.grid import Grid
from inference.phantom.shapes import Vector
from inference.phantom.torso import skin_depth
from inference.volume import Affine

MARKER_RADIUS_MM = 3.0
_LEFT_OF_SPINE_SHARE = 0.30
"""Distance from the middle of the field as a share of its extent."""


def marker_center_lps_mm(
    anatomy: SpineAnatomy, affine_lps: Affine, shape_kji: tuple[int, int, int]
) -> Vector:
    """Centre of the bead: on the front skin, left of the middle, halfway along the field.

    In a field too small to reach the front skin it lies at the field's front edge.
    """
    corners = np.array([[-0.5, -0.5, -0.5], np.asarray(shape_kji) - 0.5])
    edges = corners @ affine_lps[:3, :3].T + affine_lps[:3, 3]
    low, high = edges.min(axis=0), edges.max(axis=0)
    x = (low[0] + high[0]) / 2 + _LEFT_OF_SPINE_SHARE * (high[0] - low[0])
    z = (low[2] + high[2]) / 2
    front = low[1] + 2 * MARKER_RADIUS_MM
    line = np.eye(4)
    line[:3, :3] = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    line[:3, 3] = (x, front, z)
    depth = skin_depth(anatomy, Grid(line, (max(1, int(high[1] - front)), 1, 1))).ravel()
    outside = int(np.argmax(depth > 0))
    return np.array([x, front + outside, z])
