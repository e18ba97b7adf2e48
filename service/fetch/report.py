"""What a fetch says at its end: counts and reasons for people, everything for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from service.exits import DONE, NOT_ANALYSABLE, UNREADABLE
from service.fetch.ledger import FetchLedger, FetchState, LedgerEntry
from service.fetch.plan import Plan
from service.fetch.transfer import Run

SCHEMA = "spinenode.fetch/1"
WORDS = {
    FetchState.ASKED: "not fetched yet",
    FetchState.FAILED: "not fetched",
    FetchState.FETCHED: "fetched",
    FetchState.ANALYSED: "analysed",
    FetchState.NOT_ANALYSABLE: "not analysable",
    FetchState.LEFT_OUT: "left out by the rules",
    FetchState.ERROR: "the program failed on them",
}
FAILURES = (FetchState.ASKED, FetchState.FAILED, FetchState.ERROR)
MOST_NAMED = 10


@dataclass(frozen=True)
class SeriesReport:
    """One planned series at the end of a run; `skipped` if nothing had to be done for it."""

    StudyInstanceUID: str
    SeriesInstanceUID: str
    description: str
    entry: LedgerEntry | None
    skipped: bool = False

    @property
    def state(self) -> FetchState:
        """Where it stands; a series that the node had before counts as fetched."""
        state = FetchState.ASKED if self.entry is None else self.entry.state
        return FetchState.FETCHED if self.skipped and state in FAILURES else state


@dataclass(frozen=True)
class Report:
    """A whole run."""

    source: str
    plan: Plan
    series: tuple[SeriesReport, ...]
    stopped: str = ""

    @property
    def counts(self) -> dict[FetchState, int]:
        """Series by where they stand."""
        return dict(Counter(each.state for each in self.series))

    def exit_code(self) -> int:
        """See contract.md; `UNREADABLE` asks for another run."""
        if self.stopped or self.plan.not_found or any(s in self.counts for s in FAILURES):
            return UNREADABLE
        useless = (FetchState.NOT_ANALYSABLE, FetchState.LEFT_OUT)
        if not self.series or all(each.state in useless for each in self.series):
            return NOT_ANALYSABLE
        return DONE

    def lines(self) -> Iterator[str]:
        """For people."""
        studies = len({each.StudyInstanceUID for each in self.series})
        skipped = sum(each.skipped for each in self.series)
        yield f"{self.source}: {studies} studies, {len(self.series)} series asked for"
        for state, count in sorted(
            self.counts.items(), key=lambda item: list(WORDS).index(item[0])
        ):
            yield f"{count:6d} {WORDS[state]}"
        if skipped:
            yield f"{skipped:6d} of them needed nothing: they were done before"
        if self.plan.left_out:
            yield f"{len(self.plan.left_out)} series were not asked for (see --dry-run)"

    def problems(self) -> Iterator[str]:
        """What went wrong, at most some of each kind."""
        yield from self.plan.warnings[:MOST_NAMED]
        failed = [each for each in self.series if each.state in FAILURES and each.entry]
        for each in failed[:MOST_NAMED]:
            reason = each.entry.reason if each.entry else ""
            yield f"series {each.SeriesInstanceUID}: {reason or WORDS[each.state]}"
        rest = max(0, len(self.plan.warnings) - MOST_NAMED) + max(0, len(failed) - MOST_NAMED)
        if rest:
            yield f"and {rest} more (see --json)"
        if self.stopped:
            yield self.stopped
        if self.stopped or failed:
            yield "the same command goes on where this one ended"

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "schema": SCHEMA,
            "source": self.source,
            "stopped": self.stopped,
            "not_found": self.plan.not_found,
            "warnings": list(self.plan.warnings),
            "counts": {state.value: count for state, count in self.counts.items()},
            "series": [_series(each) for each in self.series],
            "left_out": [
                {
                    "study_instance_uid": each.StudyInstanceUID,
                    "series_instance_uid": each.SeriesInstanceUID,
                    "reason": each.reason,
                }
                for each in self.plan.left_out
            ],
        }


def report_of(source: str, plan: Plan, run: Run, ledger: FetchLedger) -> Report:
    """Put together what the plan wanted and what the ledger says now."""
    skipped = {each.series.SeriesInstanceUID for each in run.outcomes if each.skipped}
    series = tuple(
        SeriesReport(
            StudyInstanceUID=study.StudyInstanceUID,
            SeriesInstanceUID=each.SeriesInstanceUID,
            description=each.SeriesDescription,
            entry=ledger.find(each.SeriesInstanceUID),
            skipped=each.SeriesInstanceUID in skipped,
        )
        for study, each in plan.series
    )
    return Report(source, plan, series, run.stopped)


def _series(each: SeriesReport) -> dict[str, Any]:
    entry = each.entry
    return {
        "study_instance_uid": each.StudyInstanceUID,
        "series_instance_uid": each.SeriesInstanceUID,
        "state": each.state.value,
        "skipped": each.skipped,
        "images": entry.images if entry else None,
        "reason": entry.reason if entry else "",
        "results": entry.results if entry else "",
    }
