"""How vertebrae stand to one another: kyphosis, lordosis, scoliosis, the chain of centres."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.anatomy import VertebraLevel
from inference.phantom.fractures import Fracture
from inference.phantom.options import AnatomyOptions
from inference.phantom.shapes import Vector
from inference.phantom.sizes import LevelSize
from inference.report import Heights

Angles = tuple[float, float, float]
"""Pitch (forward), tilt (to the left) and yaw (about the body's axis) in degrees."""
Rotation = npt.NDArray[np.float64]


def axis_rotation(pitch_deg: float, tilt_deg: float, yaw_deg: float) -> Rotation:
    """Rotation whose columns are a body's axes in LPS; pitch leans the head end forward."""
    p, t, w = np.radians([pitch_deg, tilt_deg, yaw_deg])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_y = np.array([[np.cos(t), 0, np.sin(t)], [0, 1, 0], [-np.sin(t), 0, np.cos(t)]])
    about_z = np.array([[np.cos(w), -np.sin(w), 0], [np.sin(w), np.cos(w), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, np.float64)


def sample_angles(
    levels: tuple[VertebraLevel, ...],
    sizes: list[LevelSize],
    fractures: list[Fracture | None],
    heights: list[Heights],
    draw: tuple[np.random.Generator, AnatomyOptions],
) -> list[Angles]:
    """Pitch, tilt and yaw of every level; a wedged body bends the spine above it forward."""
    rng, options = draw
    count = len(levels)
    spread = options.variation
    pitch = np.array([size.pitch for size in sizes]) * options.curvature
    pitch += spread * (rng.normal(0, 1.0, count) + rng.normal(0, 3.0))
    position = np.arange(count) / count
    tilt = np.zeros(count)
    for waves in (0.7, 1.3, 2.0):
        amplitude = rng.normal(0, options.scoliosis_deg / 2)
        tilt += amplitude * np.sin(2 * np.pi * (position * waves + rng.random()))
    tilt += spread * rng.normal(0, 0.5, count)
    yaw = -tilt * rng.uniform(-0.2, 0.7) + spread * rng.normal(0, 0.7, count)
    for index, fracture in enumerate(fractures):
        if fracture is None:
            continue
        lost = heights[index].posterior - heights[index].anterior
        wedge = np.degrees(np.arctan2(max(0.0, lost), 0.7 * sizes[index].depth))
        pitch[index] += 0.3 * wedge
        pitch[:index] += 0.6 * wedge
    return [(float(a), float(b), float(c)) for a, b, c in zip(pitch, tilt, yaw, strict=True)]


def place_centers(
    heights: list[Heights], rotations: list[Rotation], sacral: Rotation, discs: list[float]
) -> list[Vector]:
    """Body centres in LPS, built upward from the sacral endplate at the origin."""
    position = np.zeros(3)
    half_below, axis_below = 0.0, sacral[:, 2]
    centers: list[Vector] = []
    for height, rotation, disc in zip(heights[::-1], rotations[::-1], discs[::-1], strict=True):
        half = (height.anterior + height.posterior) / 4
        axis = rotation[:, 2]
        position = position + axis_below * half_below + axis * half
        between = axis + axis_below
        position = position + between / np.linalg.norm(between) * disc
        centers.append(position)
        half_below, axis_below = half, axis
    return centers[::-1]
