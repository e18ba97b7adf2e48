"""`spinenode fetch --dry-run`: what would be fetched, what is there, what is left out."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.query import FoundSeries
from service.config import Config
from service.exits import DONE, NOT_ANALYSABLE, UNREADABLE
from service.fetch.known import Known, KnownToNode, analysed_before, nothing_known
from service.fetch.ledger import FetchLedger
from service.fetch.plan import Plan
from service.layout import fetch_ledger_file, offline_config
from service.series_register import SeriesRegister, register_location
from service.tables import table

SCHEMA = "spinenode.fetch.plan/1"


@dataclass(frozen=True)
class PreviewedSeries:
    """One series of the plan; `already` says why it need not be fetched."""

    series: FoundSeries
    already: str


@dataclass(frozen=True)
class Preview:
    """The plan, and what of it is there already."""

    source: str
    plan: Plan
    series: tuple[PreviewedSeries, ...]

    def exit_code(self) -> int:
        """As of the fetch itself, as far as it can be foreseen."""
        if self.plan.not_found:
            return UNREADABLE
        return DONE if self.series else NOT_ANALYSABLE

    def text(self) -> str:
        """For people."""
        rows = [
            (
                "there" if each.already else "fetch",
                "?" if each.series.images is None else str(each.series.images),
                each.series.SeriesDescription,
                each.series.SeriesInstanceUID,
                each.already,
            )
            for each in self.series
        ]
        rows += [
            ("leave", "", left.description, left.SeriesInstanceUID or "whole study", left.reason)
            for left in self.plan.left_out
        ]
        wanted = [each.series for each in self.series if not each.already]
        images = sum(series.images or 0 for series in wanted)
        lines = [table(("what", "images", "description", "series", "why"), rows)] if rows else []
        lines.append(
            f"{self.source}: {len(self.plan.studies)} studies; {len(wanted)} series to fetch "
            f"({images} images), {len(self.series) - len(wanted)} there already, "
            f"{len(self.plan.left_out)} left out"
        )
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        planned = [
            {**_uids(each.series), "images": each.series.images, "already": each.already}
            for each in self.series
        ]
        left_out = [
            {
                "study_instance_uid": left.StudyInstanceUID,
                "series_instance_uid": left.SeriesInstanceUID,
                "description": left.description,
                "reason": left.reason,
            }
            for left in self.plan.left_out
        ]
        return {
            "schema": SCHEMA,
            "source": self.source,
            "not_found": self.plan.not_found,
            "warnings": list(self.plan.warnings),
            "series": planned,
            "left_out": left_out,
        }


def preview(config: Config, out: Path | None, source: str, plan: Plan) -> Preview:
    """Compare a plan with what is known; changes nothing."""
    with ExitStack() as opened:
        known = _known(config if out is None else offline_config(config, out), out, opened)
        series = tuple(PreviewedSeries(each, known(each)) for _, each in plan.series)
    return Preview(source, plan, series)


def _known(config: Config, out: Path | None, opened: ExitStack) -> Known:
    """Who knows what is there; where nothing was ever fetched, nobody."""
    if not fetch_ledger_file(config).is_file():
        return nothing_known
    ledger = FetchLedger(fetch_ledger_file(config))
    opened.callback(ledger.close)
    if out is not None:
        return lambda series: analysed_before(ledger, series)
    register = SeriesRegister(register_location(config.database_url))
    opened.callback(register.close)
    return KnownToNode(ledger, register)


def _uids(series: FoundSeries) -> dict[str, str]:
    return {
        "study_instance_uid": series.StudyInstanceUID,
        "series_instance_uid": series.SeriesInstanceUID,
        "description": series.SeriesDescription,
    }
