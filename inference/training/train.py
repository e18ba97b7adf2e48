"""A whole run: patches in, checkpoints, evaluations and the best weights out.

Files of a run folder: ``state.pt`` (resumes exactly), ``best.safetensors`` (averaged weights of
the best evaluation), ``metrics.jsonl`` (one line per evaluation and per logged stretch).
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from inference.training.checkpoint import Checkpoint, export_safetensors
from inference.training.config import TrainingConfig
from inference.training.evaluation import (
    LabelledCT,
    combined_score,
    judge_ct,
    judge_patches,
)
from inference.training.patches import PatchDataset, SourceMix
from inference.training.trainer import Trainer

_log = logging.getLogger(__name__)

STATE = "state.pt"
BEST = "best.safetensors"
METRICS = "metrics.jsonl"

_HELD_OUT_SEED_SHIFT = 7_000_003
_HELD_OUT_PATCHES = 8

Reports = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Examination:
    """What a network is judged by during a run.

    Attributes
    ----------
    cases
        Labelled CTs that are never trained on.
    patches
        Numbered patches by the name they are reported under.
    """

    cases: tuple[LabelledCT, ...]
    patches: Mapping[str, PatchDataset]

    @staticmethod
    def of(
        config: TrainingConfig,
        mixes: Mapping[str, SourceMix],
        cases: tuple[LabelledCT, ...],
    ) -> Examination:
        """Labelled CTs, and from every mix some patches that no training step sees."""
        seed = config.seed + _HELD_OUT_SEED_SHIFT
        patches = {
            name: PatchDataset(mix, config.patch_size, seed, _HELD_OUT_PATCHES)
            for name, mix in mixes.items()
        }
        return Examination(cases, patches)

    def judge(self, network: nn.Module) -> Reports:
        """Figures of every CT and of every set of patches."""
        reports = {case.name: judge_ct(network, case) for case in self.cases}
        for name, patches in self.patches.items():
            reports[name] = judge_patches(network, patches)
        return reports


class Run:
    """A run in its folder.

    Parameters
    ----------
    trainer
        Fresh, or resumed from the folder's state.
    mix
        Where patches come from.
    examination
        How the averaged network is judged.
    folder
        Receives everything.
    clock
        Seconds, monotonic.
    """

    def __init__(
        self,
        trainer: Trainer,
        mix: SourceMix,
        examination: Examination,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.trainer = trainer
        self.best_score = float("-inf")
        self._mix = mix
        self._examination = examination
        self._folder = folder
        self._clock = clock
        self._seconds_before = 0.0
        self._started = clock()
        folder.mkdir(parents=True, exist_ok=True)

    def resume(self) -> None:
        """Take up the state saved in the folder."""
        checkpoint = Checkpoint.load(self._folder / STATE)
        self.trainer.resume(checkpoint)
        self.best_score = checkpoint.best_score
        self._seconds_before = checkpoint.seconds
        _log.info("resumed at step %d", checkpoint.step)

    def train(self) -> None:
        """Run to the end of the schedule."""
        config = self.trainer.config
        cadence = config.cadence
        if self.trainer.step == 0:
            self._examine()
        saved = examined = self._clock()
        recent: list[dict[str, float]] = []
        for batch in self._batches():
            recent.append(self.trainer.train_step(batch).values())
            if self.trainer.step % cadence.log_steps == 0:
                self._note_losses(recent)
                recent = []
            if self._clock() - examined > 60 * cadence.evaluation_minutes:
                self._examine()
                examined = self._clock()
            if self._clock() - saved > 60 * cadence.checkpoint_minutes:
                self._save()
                saved = self._clock()
        self._examine()
        self._save()

    @property
    def seconds(self) -> float:
        """Wall time spent on this run, earlier stretches included."""
        return self._seconds_before + self._clock() - self._started

    def _batches(self) -> Iterator[list[Tensor]]:
        config = self.trainer.config
        steps = config.schedule.steps
        patches = PatchDataset(self._mix, config.patch_size, config.seed, steps)
        ahead = Subset(patches, range(self.trainer.step, steps))
        loader = DataLoader(
            ahead,
            batch_size=1,
            num_workers=config.workers,
            prefetch_factor=4 if config.workers else None,
            worker_init_fn=_single_thread,
        )
        return iter(loader)

    def _examine(self) -> None:
        reports = self._examination.judge(self.trainer.averaged)
        score = combined_score(reports.values())
        self._write({"step": self.trainer.step, "score": score, "reports": reports})
        _log.info("step %d: score %.4f %s", self.trainer.step, score, _rounded(reports))
        if score > self.best_score:
            self.best_score = score
            notes = {"step": str(self.trainer.step), "score": f"{score:.4f}"}
            state = self.trainer.averaged.state_dict()
            export_safetensors(state, self._folder / BEST, notes)

    def _save(self) -> None:
        self.trainer.checkpoint(self.seconds, self.best_score).save(self._folder / STATE)

    def _note_losses(self, recent: list[dict[str, float]]) -> None:
        means = {name: float(np.mean([entry[name] for entry in recent])) for name in recent[0]}
        self._write({"step": self.trainer.step, "seconds": round(self.seconds), "loss": means})

    def _write(self, line: dict[str, object]) -> None:
        with (self._folder / METRICS).open("a", encoding="utf-8") as metrics:
            metrics.write(json.dumps(line) + "\n")


def _single_thread(_: int) -> None:
    torch.set_num_threads(1)


def _rounded(reports: Reports) -> Reports:
    return {
        case: {name: round(value, 3) for name, value in report.items()}
        for case, report in reports.items()
    }
