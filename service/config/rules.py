"""``rules:``: which complete series are analysed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from service.config.section import Section


class RulesConfig(Section):
    """Which complete series are analysed."""

    min_instances: Annotated[int, Field(ge=1)] = 8
    exclude_description: tuple[str, ...] = ()
    include_description: tuple[str, ...] = ()
    max_slice_thickness_mm: Annotated[float, Field(gt=0)] | None = None
