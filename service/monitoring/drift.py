"""Distributions over series, in which a change of scanner, protocol or model would show.

All labels come from small fixed sets: kernels by how sharp they are, reasons and warnings by code.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from service.kernels import kernel_class
from sr_writer import Findings

_HU = (-200, -100, 0, 25, 50, 75, 100, 125, 150, 175, 200, 250, 300, 400, 600)
_BMD = (0, 40, 60, 80, 100, 120, 140, 160, 180, 200, 250, 300)
_SLICE_MM = (0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5)
_PIXEL_MM = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.5)
_LEVELS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 21, 25)
_CONFIDENCE = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)


class Drift:
    """Observes each finished series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._hu = self._histogram("hu", "Mean HU of complete vertebral bodies", _HU)
        self._bmd = self._histogram("bmd_mg_cm3", "Bone density of complete vertebral bodies", _BMD)
        self._slice = self._histogram(
            "slice_spacing_mm", "Distance between slices of analysed series", _SLICE_MM
        )
        self._pixel = self._histogram(
            "pixel_spacing_mm", "Row spacing of analysed series", _PIXEL_MM
        )
        self._levels = self._histogram("levels", "Complete vertebrae per analysed series", _LEVELS)
        self._confidence = self._histogram(
            "confidence", "Confidence in the name of each vertebra", _CONFIDENCE
        )
        self._kernels = self._counter(
            "kernels_total", "Analysed series by how sharp their kernel is", "sharpness"
        )
        self._series = self._counter(
            "series_total", "Analysed series by whether a fracture was flagged", "flagged"
        )
        self._warnings = self._counter("warnings_total", "Warnings of results, by code", "code")
        self._reasons = self._counter(
            "not_analysable_total", "Series that were not analysable, by code", "code"
        )

    def observe(self, findings: Findings, kernel: str) -> None:
        """Count one finished series; `kernel` is its ConvolutionKernel."""
        for warning in findings.warnings:
            self._warnings.labels(warning.code).inc()
        if findings.status != "analysed":
            for reason in findings.reasons:
                self._reasons.labels(reason.code).inc()
            return
        self._kernels.labels(kernel_class(kernel)).inc()
        self._observe_geometry(findings)
        self._observe_vertebrae(findings)

    def _observe_geometry(self, findings: Findings) -> None:
        if findings.source.spacing_mm is not None:
            k, j, _ = findings.source.spacing_mm
            self._slice.observe(k)
            self._pixel.observe(j)

    def _observe_vertebrae(self, findings: Findings) -> None:
        complete = [vertebra for vertebra in findings.vertebrae if vertebra.complete]
        self._levels.observe(len(complete))
        flagged = any(vertebra.fractured for vertebra in findings.vertebrae)
        self._series.labels("yes" if flagged else "no").inc()
        for vertebra in complete:
            self._confidence.observe(vertebra.confidence)
            if vertebra.hu.mean is not None:
                self._hu.observe(vertebra.hu.mean)
            if vertebra.bmd_mg_cm3 is not None:
                self._bmd.observe(vertebra.bmd_mg_cm3)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(
            f"spinenode_drift_{name}", meaning, buckets=buckets, registry=self._registry
        )

    def _counter(self, name: str, meaning: str, label: str) -> Counter:
        return Counter(f"spinenode_drift_{name}", meaning, [label], registry=self._registry)
