"""Waits until a study has come to rest, and decides which of its series are analysed.

Of series that show the same part of the patient the best one is (`service.best_series`). A better
series that comes after the decision is analysed as well, in place of the first where that one has
not begun; one that is not better is left out. Every decision is kept in the register with its
reason. Urgent series do not wait.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy.exc import SQLAlchemyError

from node import NodeError
from service.best_series import Candidate, Choice, choose, regions
from service.config import RulesConfig
from service.priority import STAT_PRIORITY
from service.series_register import RegisteredSeries, SeriesRegister, SeriesState
from service.submission import Submission

log = logging.getLogger(__name__)

RULE = "best_of"
_TICK_SECONDS = 0.25
_MOST_NAMED = 3
_LOOK_SECONDS = 5.0
"""A worker elsewhere may have let series wait again (`service.second_choice`)."""
_RETRY_SECONDS = 5.0


@dataclass(frozen=True)
class _Rest:
    """Since when a study waits, and since when nothing of it has come; monotonic seconds."""

    first_at: float
    last_at: float


class StudyDesk:
    """Decides per study.

    Parameters
    ----------
    still_arriving
        Whether a study has series that are not complete yet.
    on_left_out
        Told the name of the rule for each series that is left out.
    """

    def __init__(
        self,
        register: SeriesRegister,
        submission: Submission,
        rules: RulesConfig,
        still_arriving: Callable[[str], bool],
        on_left_out: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._register = register
        self._submission = submission
        self._rules = rules
        self._still_arriving = still_arriving
        self._on_left_out = on_left_out
        self._clock = clock
        self._lock = threading.Lock()
        self._studies: dict[str, _Rest] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="study-desk", daemon=True)

    def start(self) -> None:
        """Take up what waited at the last stop, and decide from now on."""
        self.take_up()
        self._thread.start()

    def take_up(self) -> None:
        """Note the studies that wait by the register and not by our memory."""
        for series in self._register.waiting():
            with self._lock:
                known = series.StudyInstanceUID in self._studies
            if not known:
                self._note(series.StudyInstanceUID)

    def stop(self) -> None:
        """Stop after the decision in progress."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def follow(self, rules: RulesConfig) -> None:
        """Decide by these rules from now on."""
        self._rules = rules

    def entered(self, series: RegisteredSeries) -> None:
        """A series waits; it is decided at once where there is nothing to wait for."""
        self._note(series.StudyInstanceUID)
        rules = self._rules
        waits = rules.best_of == "study" and rules.study_quiet_seconds > 0
        if not waits or series.facts.priority == STAT_PRIORITY:
            self.decide(series.StudyInstanceUID)

    def decide_due(self) -> None:
        """Decide the studies that have come to rest."""
        with self._lock:
            studies = dict(self._studies)
        now = self._clock()
        for study, rest in studies.items():
            quiet = now - rest.last_at >= self._rules.study_quiet_seconds
            overdue = now - rest.first_at >= self._rules.study_max_wait_seconds
            if overdue or (quiet and not self._still_arriving(study)):
                self.decide(study)

    def decide(self, study: str) -> None:
        """Decide about what waits of a study."""
        with self._lock:
            seen = self._studies.get(study)
        series = self._register.of_study(study)
        waiting = [each for each in series if each.state is SeriesState.WAITING]
        if self._rules.best_of == "none":
            for each in waiting:
                self._take(each, "")
        else:
            chosen = [each for each in series if each.state is SeriesState.CHOSEN]
            self._decide_regions({s.SeriesInstanceUID: s for s in (*chosen, *waiting)})
        with self._lock:
            if self._studies.get(study) == seen:
                self._studies.pop(study, None)

    def _decide_regions(self, series: dict[str, RegisteredSeries]) -> None:
        candidates = [Candidate(uid, each.facts) for uid, each in series.items()]
        for group in regions(candidates):
            choice = choose(group, self._rules)
            best = series[choice.best.SeriesInstanceUID]
            if best.state is SeriesState.WAITING:
                self._take(best, _why_chosen(choice))
            for other, why in choice.others:
                self._pass_over(series[other.SeriesInstanceUID], best, why)

    def _take(self, series: RegisteredSeries, reason: str) -> None:
        taken = replace(series, state=SeriesState.CHOSEN, rule="", reason=reason)
        self._submission.submit(taken)
        self._register.enter(taken)

    def _pass_over(self, series: RegisteredSeries, best: RegisteredSeries, why: str) -> None:
        """Leave a series out for a better one; a job that has begun is left to end."""
        if series.state is SeriesState.CHOSEN and not self._submission.withdraw(series):
            return
        reason = f"series {best.SeriesInstanceUID} of this study suits better: {why}"
        self._register.enter(replace(series, state=SeriesState.LEFT_OUT, rule=RULE, reason=reason))
        self._on_left_out(RULE)
        log.info(
            "series left out",
            extra={"series": series.SeriesInstanceUID, "rule": RULE, "reason": reason},
        )

    def _note(self, study: str) -> None:
        now = self._clock()
        with self._lock:
            known = self._studies.get(study)
            self._studies[study] = _Rest(known.first_at if known else now, now)

    def _run(self) -> None:
        pause, next_look = _TICK_SECONDS, 0.0
        while not self._stopping.wait(pause):
            pause = _TICK_SECONDS
            try:
                if self._clock() >= next_look:
                    self.take_up()
                    next_look = self._clock() + _LOOK_SECONDS
                self.decide_due()
            except (NodeError, SQLAlchemyError, sqlite3.Error, OSError) as error:
                # Nothing is lost: the register still says that the series wait.
                log.error("cannot decide about a study", extra={"problem": type(error).__name__})
                pause = _RETRY_SECONDS


def _why_chosen(choice: Choice) -> str:
    if not choice.others:
        return ""
    named = [f"{c.SeriesInstanceUID} ({why})" for c, why in choice.others[:_MOST_NAMED]]
    more = len(choice.others) - len(named)
    return "chosen before series " + ", ".join(named) + (f" and {more} more" if more else "")
