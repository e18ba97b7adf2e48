"""``service:``: queue, workers, pages, retention, logs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from service.config.audit import AuditConfig
from service.config.dashboard import DashboardConfig
from service.config.notifications import NotificationsConfig
from service.config.section import Section


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
    audit: AuditConfig = AuditConfig()
    notifications: NotificationsConfig = NotificationsConfig()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
