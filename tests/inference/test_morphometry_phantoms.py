"""Heights, grades and types of the project's phantoms, given their true masks."""

from __future__ import annotations

import numpy as np
import pytest

from inference import CTVolume, LabelledVertebra, ModelIdentity, Segmentation, VertebraLevel
from inference.morphometry import measure
from inference.phantom.fractures import Fracture
from inference.phantom.layout import field_of_view, phantom_anatomy
from inference.phantom.render import render
from inference.phantom.spec import PhantomSpec, parse_levels
from inference.phantom.truth import truth

V = VertebraLevel
CASES = {
    "axial": (
        PhantomSpec(
            seed=3,
            levels=parse_levels("T12-L4"),
            fractures=(Fracture(V.L1, "wedge", 0.32), Fracture(V.L3, "biconcave", 0.48)),
            spacing_xyz_mm=(0.9, 0.9, 1.25),
            field_of_view_mm=90.0,
        ),
        0.5,
    ),
    "sagittal": (
        PhantomSpec(
            seed=4,
            levels=parse_levels("T7-T11"),
            fractures=(Fracture(V.T9, "crush", 0.34),),
            orientation="sagittal",
            spacing_xyz_mm=(3.0, 1.0, 1.0),
            field_of_view_mm=90.0,
            noise_hu=25.0,
        ),
        0.5,
    ),
    "thick": (
        PhantomSpec(
            seed=5,
            levels=parse_levels("T11-L3"),
            fractures=(Fracture(V.L1, "biconcave", 0.5),),
            bmd_mg_cm3=70.0,
            spacing_xyz_mm=(1.0, 1.0, 3.0),
            field_of_view_mm=90.0,
        ),
        1.0,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_phantom_is_measured_as_it_was_built(name: str) -> None:
    """Mean height error 0.5 mm (1 mm at 3 mm slices); the fractures and nothing else flagged."""
    spec, largest_mean_mm = CASES[name]
    anatomy = phantom_anatomy(spec)
    affine, shape = field_of_view(spec, anatomy)
    known = {row["label"]: row for row in truth(spec, anatomy, affine, shape)["vertebrae"]}
    rendered = render(spec, anatomy, affine, shape)
    found = tuple(
        LabelledVertebra(V(row["verse_label"]), 1.0, row["complete"]) for row in known.values()
    )
    model = ModelIdentity("phantom truth", "1", "0" * 64)
    masks = Segmentation(rendered.labels, rendered.bodies, found, model)
    measured = {m.level.name: m for m in measure(CTVolume(rendered.hu, affine), masks)}
    errors, grades, true_grades, types = [], {}, {}, {}
    for label, row in known.items():
        here = measured[label]
        assert here.complete == row["complete"]
        if not row["complete"]:
            continue
        assert here.heights_mm is not None
        assert here.fracture is not None
        errors += [getattr(here.heights_mm, s) - v for s, v in row["heights_mm"].items()]
        distance_mm = np.linalg.norm(np.subtract(here.centroid_lps_mm, row["centroid_lps_mm"]))
        assert distance_mm < 1.5
        grades[label], true_grades[label] = here.fracture.grade, row["genant"]["grade"]
        types[label] = (here.fracture.type, row["genant"]["type"])
    assert np.abs(errors).mean() <= largest_mean_mm
    assert grades == true_grades
    assert all(ours == built for ours, built in types.values())
