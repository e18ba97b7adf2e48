"""What is known exactly about a phantom, as `truth.json`.

Heights follow the station definition of `inference.phantom.body`; loss, grade and type follow
`inference.phantom.fractures`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.anatomy import VertebraLevel
from inference.phantom.anatomy import SpineAnatomy, Vertebra
from inference.phantom.body import station_heights, volumetric_centroid
from inference.phantom.fractures import expected_posterior, fracture_type, grade, height_loss
from inference.phantom.marker import marker_center_lps_mm
from inference.phantom.materials import HU_AT_ZERO_BMD, HU_PER_MG_CM3
from inference.phantom.spec import PhantomSpec
from inference.report import Heights
from inference.volume import Affine

SCHEMA = "spinenode.phantom/1"
STATION_DEFINITION = (
    "distance between the endplate surfaces along the body's own craniocaudal axis, mean over the "
    "mid-sagittal slab of +-4 mm, at 15 % (posterior), 50 % (middle) and 85 % (anterior) of the "
    "body's anteroposterior extent at mid-height, counted from the posterior wall"
)
SMALLEST_PART = 0.02
"""A body with less than this share inside the field of view is not listed."""


def truth(
    spec: PhantomSpec, anatomy: SpineAnatomy, affine_lps: Affine, shape_kji: tuple[int, int, int]
) -> dict[str, Any]:
    """The content of `truth.json`, JSON values only."""
    inside = {v.level: _share_inside(v, affine_lps, shape_kji) for v in anatomy.vertebrae}
    seen = [v for v in anatomy.vertebrae if inside[v.level] > SMALLEST_PART]
    complete = [v for v in seen if inside[v.level] == 1.0]
    heights = {v.level: station_heights(v.body) for v in complete}
    healthy = {v.level: heights[v.level].posterior for v in complete if v.fracture is None}
    rows = [_entry(v, heights.get(v.level), healthy, spec) for v in seen]
    marker = marker_center_lps_mm(anatomy, affine_lps, shape_kji) if spec.left_marker else None
    return {
        "schema": SCHEMA,
        "seed": spec.seed,
        "orientation": spec.orientation,
        "shape_kji": list(shape_kji),
        "spacing_kji_mm": [float(v) for v in np.linalg.norm(affine_lps[:3, :3], axis=0)],
        "affine_lps": affine_lps.tolist(),
        "station_definition": STATION_DEFINITION,
        "calibration": {
            "name": "generic-120kvp",
            "hu_per_mg_cm3": HU_PER_MG_CM3,
            "hu_at_zero_bmd": HU_AT_ZERO_BMD,
        },
        "left_marker_lps_mm": None if marker is None else [float(v) for v in marker],
        "vertebrae": rows,
        "spine": {
            "bmd_mg_cm3": spec.bmd_mg_cm3,
            "fractured_levels": [row["label"] for row in rows if row["fractured"]],
        },
    }


def _entry(
    vertebra: Vertebra,
    heights: Heights | None,
    healthy: dict[VertebraLevel, float],
    spec: PhantomSpec,
) -> dict[str, Any]:
    centroid = vertebra.to_lps(volumetric_centroid(vertebra.body))
    entry: dict[str, Any] = {
        "label": vertebra.level.name,
        "verse_label": int(vertebra.level),
        "complete": heights is not None,
        "centroid_lps_mm": [round(float(v), 3) for v in centroid],
        "heights_mm": None,
        "height_loss": None,
        "genant": None,
        "fractured": None,
        "bmd_mg_cm3": spec.bmd_mg_cm3,
    }
    if heights is None:
        return entry
    expected = None
    if vertebra.fracture is not None and vertebra.fracture.type == "crush":
        # only a crush lowers the posterior wall; all other bodies are their own reference
        expected = expected_posterior(vertebra.level, healthy)
    loss = height_loss(heights, expected, tolerance=0.0)
    number = grade(loss)
    entry["heights_mm"] = {name: round(value, 3) for name, value in vars(heights).items()}
    entry["height_loss"] = round(loss, 4)
    kind = fracture_type(heights, expected) if number else "none"
    entry["genant"] = {"grade": number, "type": kind}
    entry["fractured"] = number >= 1
    return entry


def _share_inside(vertebra: Vertebra, affine_lps: Affine, shape_kji: tuple[int, int, int]) -> float:
    """Share of the body's bounding grid points (on the body) that lie in the field of view."""
    body = vertebra.body
    half = np.array([body.width_mm, body.depth_mm, body.mean_height_mm]) / 2
    steps = np.linspace(-1, 1, 21)
    x, y, z = np.meshgrid(steps, steps, steps, indexing="ij")
    round_section = x**2 + y**2 <= 1
    local = np.stack([x, y, z], axis=-1)[round_section] * half
    inverse = np.linalg.inv(affine_lps)
    index = vertebra.to_lps(local) @ inverse[:3, :3].T + inverse[:3, 3]
    inside = np.all((index >= -0.5) & (index <= np.array(shape_kji) - 0.5), axis=1)
    return float(inside.mean())
