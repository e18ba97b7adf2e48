"""When the best series of a study turns out not to be analysable, the next best has its turn."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from service.best_series import Candidate, regions
from service.request import read_request
from service.series_register import RegisteredSeries, SeriesRegister, SeriesState
from service.study_desk import RULE

log = logging.getLogger(__name__)


class SecondChoice:
    """Stands between the queue and the end of an analysis.

    Parameters
    ----------
    finish
        ``finish(job_id)`` returns ``analysed`` or ``not_analysable``.
    folder
        Holds one workspace per job.
    """

    def __init__(
        self, finish: Callable[[str], str], register: SeriesRegister, folder: Path
    ) -> None:
        self._finish = finish
        self._register = register
        self._folder = folder

    def finish(self, job_id: str) -> str:
        """End a job; let others wait for a decision again that were left out for its sake."""
        outcome = self._finish(job_id)
        if outcome == "not_analysable":
            self._give_turn(job_id)
        return outcome

    def _give_turn(self, job_id: str) -> None:
        series_uid = read_request(self._folder / job_id).SeriesInstanceUID
        failed = self._register.find(series_uid) if series_uid else None
        if failed is None or failed.job_id != job_id or failed.state is not SeriesState.CHOSEN:
            return
        others = self._left_out_for(failed)
        self._register.enter_all(
            [
                replace(failed, state=SeriesState.NOT_ANALYSABLE),
                *(replace(s, state=SeriesState.WAITING, rule="", reason="") for s in others),
            ]
        )
        if others:
            log.info(
                "not analysable: the next best series of the study has its turn",
                extra={"job": job_id, "series": [s.SeriesInstanceUID for s in others]},
            )

    def _left_out_for(self, failed: RegisteredSeries) -> tuple[RegisteredSeries, ...]:
        """Series of the same region that were left out because another suited better."""
        study = {
            each.SeriesInstanceUID: each
            for each in self._register.of_study(failed.StudyInstanceUID)
            if each == failed or (each.state is SeriesState.LEFT_OUT and each.rule == RULE)
        }
        groups = regions([Candidate(uid, each.facts) for uid, each in study.items()])
        group = next(
            g for g in groups if any(c.SeriesInstanceUID == failed.SeriesInstanceUID for c in g)
        )
        return tuple(
            study[c.SeriesInstanceUID]
            for c in group
            if c.SeriesInstanceUID != failed.SeriesInstanceUID
        )
