"""``rules:``: which complete series are analysed, which of a study, and in which order."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from service.config.section import Section

Orientation = Literal["axial", "sagittal", "coronal"]
Criterion = Literal["coverage", "thickness", "plane", "kernel", "contrast", "original"]
CRITERIA: tuple[Criterion, ...] = (
    "coverage", "thickness", "plane", "kernel", "contrast", "original",
)  # fmt: skip


class RulesConfig(Section):
    """Which complete series are analysed, which one of a study, and what goes first."""

    min_instances: Annotated[int, Field(ge=1)] = 8
    modalities: tuple[str, ...] = ("CT",)
    orientations: tuple[Orientation, ...] = ("axial", "sagittal", "coronal")
    include_description: tuple[str, ...] = ()
    exclude_description: tuple[str, ...] = ()
    include_kernel: tuple[str, ...] = ()
    exclude_kernel: tuple[str, ...] = ()
    max_slice_thickness_mm: Annotated[float, Field(gt=0)] | None = None
    min_levels: Annotated[int, Field(ge=0, le=26)] = 0
    best_of: Literal["study", "none"] = "study"
    study_quiet_seconds: Annotated[float, Field(ge=0)] = 20.0
    study_max_wait_seconds: Annotated[float, Field(ge=0)] = 1800.0
    prefer: tuple[Criterion, ...] = CRITERIA
    prefer_kernel: tuple[str, ...] = ()
    stat_calling_ae_titles: tuple[str, ...] = ()
    stat_description: tuple[str, ...] = ()
    backfill_calling_ae_titles: tuple[str, ...] = ()
