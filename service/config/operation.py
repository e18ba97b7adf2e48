"""``service:``: queue, workers, pages, retention, logs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from service.config.section import Port, Section


class DashboardConfig(Section):
    """The web pages; bound to loopback unless changed."""

    host: str = "127.0.0.1"
    port: Port = 8042
    users: dict[str, str] = Field(default_factory=dict)


class RetentionConfig(Section):
    """How long finished work stays on disk, in days."""

    images_days: Annotated[float, Field(gt=0)] = 7.0
    results_days: Annotated[float, Field(gt=0)] = 30.0


class ServiceConfig(Section):
    """Queue, workers, pages, logs."""

    database: str = ""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    dashboard: DashboardConfig = DashboardConfig()
    retention: RetentionConfig = RetentionConfig()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
