"""Drift is counted per series and per complete vertebra, under labels from fixed sets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from notified_job import findings
from prometheus_client import CollectorRegistry

from inference import Notice
from service.monitoring.drift import Drift


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def sample(registry, name, **labels):
    return registry.get_sample_value(f"spinenode_drift_{name}", labels)


def test_an_analysed_series_is_counted_with_its_geometry_and_its_levels(registry):
    drift = Drift(registry)
    result = findings("L2")
    source = replace(result.source, spacing_mm=(2.5, 0.7, 0.7))
    first = replace(result.vertebrae[0], hu=replace(result.vertebrae[0].hu, mean=140.0))
    cut = replace(result.vertebrae[1], complete=False)
    result = replace(result, source=source, vertebrae=(first, cut, *result.vertebrae[2:]))
    drift.observe(result, "Br64d")
    assert sample(registry, "series_total", flagged="yes") == 1
    assert sample(registry, "kernels_total", sharpness="sharp") == 1
    assert sample(registry, "levels_sum") == 4, "the cut vertebra does not count"
    assert sample(registry, "slice_spacing_mm_sum") == 2.5
    assert sample(registry, "pixel_spacing_mm_sum") == 0.7
    assert sample(registry, "hu_bucket", le="150.0") == 1
    assert sample(registry, "hu_bucket", le="125.0") == 0
    assert sample(registry, "hu_count") == 1, "what was not measured is not observed"
    assert sample(registry, "confidence_count") == 4


def test_a_series_that_was_not_analysable_counts_by_reason_only(registry):
    result = replace(findings(status="not_analysable"), warnings=(Notice("w", "text with a name"),))
    Drift(registry).observe(result, "")
    assert sample(registry, "not_analysable_total", code="no_vertebra") == 1
    assert sample(registry, "warnings_total", code="w") == 1
    assert sample(registry, "levels_count") == 0


def test_kernel_names_of_peers_make_no_labels_of_their_own(registry):
    drift = Drift(registry)
    for name in ("Qponm^Agota", "B30f", "BONE", "x" * 500, ""):
        drift.observe(findings(), name)
    (family,) = [f for f in registry.collect() if f.name == "spinenode_drift_kernels"]
    labels = {s.labels["sharpness"] for s in family.samples}
    assert labels <= {"smooth", "medium", "sharp", "unknown"}
