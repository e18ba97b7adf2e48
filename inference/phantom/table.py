"""The patient table: a thin curved shell with a foam core below the back."""

from __future__ import annotations

import numpy as np

from inference.phantom.anatomy import SpineAnatomy
from inference.phantom.grid import Grid
from inference.phantom.shapes import Field
from inference.phantom.torso import back_mm

SHELL_HU, FOAM_HU, AIR_HU = -120.0, -930.0, -1000.0
SHELL_MM, CORE_MM = 2.2, 26.0
GAP_MM = 3.0
"""Mattress between the back and the table."""
CURVE_PER_MM = 0.0007


def table_hu(anatomy: SpineAnatomy, grid: Grid) -> Field:
    """HU of air and table, broadcastable to the grid; only meaningful outside the patient."""
    whole = tuple(slice(0, n) for n in grid.shape_kji)
    x, y, _ = grid.local_points((whole[0], whole[1], whole[2]), np.eye(3), np.zeros(3))
    middle = float(np.mean([v.center_lps_mm[0] for v in anatomy.vertebrae]))
    surface = back_mm(anatomy) + GAP_MM - np.float32(CURVE_PER_MM) * (x - middle) ** 2
    below = y - surface
    shell = (np.abs(below) < SHELL_MM / 2) | (np.abs(below - CORE_MM) < SHELL_MM / 2)
    core = (below > 0) & (below < CORE_MM)
    hu = np.where(shell, SHELL_HU, np.where(core, FOAM_HU, AIR_HU))
    return np.asarray(hu, np.float32)
