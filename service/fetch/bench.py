"""The analysis of fetched series without a running node: its own road, run here one by one."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from inference import Notice, UnreadableInput
from node import ReceivedSeries
from service.config import Config
from service.fetch.local_queue import LocalQueue
from service.intake import Intake
from service.layout import jobs_folder
from service.metrics import Metrics
from service.pipeline import Analysis, Progress
from service.second_choice import SecondChoice
from service.series_register import SeriesRegister, register_location
from service.steps import STEPS
from service.toolbox import Toolbox
from service.workspace import Workspace


@dataclass(frozen=True)
class Ending:
    """How a job ended: the status of its findings, and the reasons where it has any."""

    status: str
    reason: str = ""


class Bench:
    """Analyses whole series, by the same rules as the node.

    Parameters
    ----------
    config
        Of `offline_config`.
    """

    def __init__(self, config: Config, results: Path) -> None:
        self._toolbox = Toolbox(config)
        metrics = Metrics(dict, config.node.spool)
        self.register = SeriesRegister(register_location(config.database_url))
        self.queue = LocalQueue(results)
        self._intake = Intake(self._toolbox, self.queue, self.register, metrics)
        self._jobs = jobs_folder(config)
        self._choice = SecondChoice(self._status, self.register, self._jobs)

    def enter(self, series: ReceivedSeries) -> None:
        """Take a whole series; `decide` says when its study is."""
        self._intake.series_complete(series)

    def decide(self, study_instance_uid: str) -> tuple[str, ...]:
        """Choose among the series of a study; return the jobs to run, none at the end.

        To be called again once they ran: the next best series has its turn then.
        """
        self._intake.desk.decide(study_instance_uid)
        return self.queue.take()

    def run(self, job_id: str, progress: Progress) -> None:
        """Analyse; the results appear as a whole."""
        workspace = Workspace(self._jobs / job_id)
        analysis = Analysis(workspace, self._toolbox, progress)
        for step in STEPS:
            try:
                analysis.run(step)
            except UnreadableInput as error:
                # One of many series: an answer like any other, as at the node.
                workspace.put_reasons((Notice("unreadable_input", str(error)),))
        self._choice.finish(job_id)
        target = self.queue.folder_of(job_id)
        target.parent.mkdir(parents=True, exist_ok=True)
        workspace.results.rename(target)
        shutil.rmtree(workspace.folder, ignore_errors=True)

    def _status(self, job_id: str) -> str:
        return Workspace(self._jobs / job_id).findings().status

    def ending_of(self, job_id: str) -> Ending | None:
        """How a job ended; None without results."""
        folder = self.queue.folder_of(job_id)
        if not folder.is_dir():
            return None
        findings = json.loads((folder / "findings.json").read_bytes())
        reasons = [f"{each['code']}: {each['text']}" for each in findings["reasons"]]
        return Ending(findings["status"], "; ".join(reasons))

    def close(self) -> None:
        """Close the register."""
        self.register.close()
