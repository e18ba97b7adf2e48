"""Which rule leaves a series out, and how kernels are read."""

import pytest

from service.config import RulesConfig
from service.kernels import kernel_class
from service.patterns import matches
from service.rules import reason_to_leave_out
from service.series_facts import SeriesFacts

AXIAL = SeriesFacts(images=100, Modality="CT", orientation="axial")


@pytest.mark.parametrize(
    ("facts", "rules", "rule", "word"),
    [
        ({}, {}, None, ""),
        ({"images": 3}, {"min_instances": 4}, "min_instances", "3 images"),
        ({"Modality": "MR"}, {}, "modalities", "MR"),
        ({"Modality": "PT"}, {"modalities": ("CT", "PT")}, None, ""),
        (
            {"SeriesDescription": "Lung 1.0"},
            {"exclude_description": ("lung",)},
            "exclude_description",
            "'lung'",
        ),
        ({"SeriesDescription": "Spine"}, {"include_description": ("SPINE",)}, None, ""),
        ({"SeriesDescription": "x"}, {"include_description": ("sp*",)}, "include_description", ""),
        ({"kernel": "B70s"}, {"exclude_kernel": ("B7*",)}, "exclude_kernel", "B70s"),
        ({"kernel": "I70f\\2"}, {"exclude_kernel": ("I70*",)}, "exclude_kernel", "I70f"),
        ({"kernel": "B30f"}, {"exclude_kernel": ("B7*",)}, None, ""),
        ({}, {"exclude_kernel": ("*",)}, None, ""),
        ({"kernel": "B70s"}, {"include_kernel": ("B3*",)}, "include_kernel", "B70s"),
        ({}, {"include_kernel": ("B3*",)}, "include_kernel", "not given"),
        ({"thickness_mm": 5.0}, {"max_slice_thickness_mm": 3.0}, "max_slice_thickness_mm", "5 mm"),
        ({"thickness_mm": 3.0}, {"max_slice_thickness_mm": 3.0}, None, ""),
        ({}, {"max_slice_thickness_mm": 3.0}, None, ""),
        ({"orientation": "coronal"}, {"orientations": ("axial",)}, "orientations", "coronal"),
        ({"orientation": ""}, {"orientations": ("axial",)}, None, ""),
    ],
)
def test_the_rule_that_leaves_a_series_out_is_named(facts, rules, rule, word):
    left_out = reason_to_leave_out(
        SeriesFacts(**{**AXIAL.__dict__, **facts}), RulesConfig(**{"min_instances": 1, **rules})
    )
    assert (left_out and left_out.rule) == rule
    assert word in (left_out.text if left_out else "")


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("lung", "Thorax LUNG 1.0", True),
        ("B7*", "B70f", True),
        ("B7*", "xB70f", False),
        ("B?0f", "B30f", True),
        ("1.0 [x]", "spine 1.0 [X] b", True),
        ("1.0*", "1x0", False),
    ],
)
def test_a_pattern_is_a_fragment_or_with_wildcards_the_whole(pattern, text, fits):
    assert matches(pattern, text) is fits


@pytest.mark.parametrize(
    ("kernel", "sharpness"),
    [
        ("B30f", "smooth"),
        ("Br40d\\3", "smooth"),
        ("B50s", "medium"),
        ("B70f", "sharp"),
        ("I70f\\2", "sharp"),
        ("Bl57", "sharp"),
        ("STANDARD", "smooth"),
        ("BONEPLUS", "sharp"),
        ("LUNG", "sharp"),
        ("FC08", "smooth"),
        ("FC30", "sharp"),
        ("FC51", "sharp"),
        ("B", "smooth"),
        ("YA", "unknown"),
        ("YC", "sharp"),
        ("", "unknown"),
    ],
)
def test_kernels_of_the_makers_by_how_sharp_they_are(kernel, sharpness):
    assert kernel_class(kernel) == sharpness
