"""The optimiser's side of a run: one step at a time, with averaged weights and exact resume."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from inference.networks import SpineUNet
from inference.training.checkpoint import Checkpoint, State, load_into
from inference.training.config import Schedule, TrainingConfig
from inference.training.losses import LossTerms, Targets, loss_terms


class Trainer:
    """Network, averaged network and optimiser of one run.

    Parameters
    ----------
    config
        Of the run.
    initial
        Weights to start from, or None to start from random ones.
    """

    def __init__(self, config: TrainingConfig, initial: State | None = None) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.network = SpineUNet(widths=config.widths)
        if initial is not None:
            load_into(self.network, initial)
        self.network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload] # torch's hints lack it
        self.averaged = copy.deepcopy(self.network).eval().requires_grad_(requires_grad=False)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=config.schedule.learning_rate,
            weight_decay=config.schedule.weight_decay,
            betas=(0.9, 0.98),
        )
        self.step = 0

    def train_step(self, batch: Sequence[Tensor]) -> LossTerms:
        """Take one step on a batch of `Patch.tensors` with a batch axis."""
        image, classes, offsets, level, vertebra = batch
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config.schedule, self.step)
        output = self.network(image.contiguous(memory_format=torch.channels_last_3d))
        terms = loss_terms(output, Targets(classes, offsets, level, vertebra), self.config.loss)
        self.optimizer.zero_grad(set_to_none=True)
        terms.total.backward()  # type: ignore[no-untyped-call] # untyped in torch
        torch.nn.utils.clip_grad_norm_(
            self.network.parameters(), self.config.schedule.gradient_limit
        )
        self.optimizer.step()
        self.step += 1
        self._average()
        return terms

    def _average(self) -> None:
        decay = min(self.config.schedule.ema_decay, (1 + self.step) / (10 + self.step))
        averaged_towards(self.averaged, self.network, decay)

    def checkpoint(self, seconds: float, best_score: float) -> Checkpoint:
        """State of the run after `step` steps."""
        return Checkpoint(
            step=self.step,
            seconds=seconds,
            best_score=best_score,
            network=self.network.state_dict(),
            averaged=self.averaged.state_dict(),
            optimizer=self.optimizer.state_dict(),
            config=dataclasses.asdict(self.config),
        )

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint; the configuration may have a longer schedule."""
        load_into(self.network, checkpoint.network)
        load_into(self.averaged, checkpoint.averaged)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.step = checkpoint.step


def averaged_towards(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Move averaged weights towards the current ones, in place."""
    with torch.no_grad():
        for mean, current in zip(averaged.parameters(), network.parameters(), strict=True):
            mean.lerp_(current, 1 - decay)


def learning_rate(schedule: Schedule, step: int) -> float:
    """Linear warm-up, then half a cosine down to `final_fraction`."""
    warm = min(1.0, (step + 1) / max(1, schedule.warmup_steps))
    done = min(1.0, step / max(1, schedule.steps))
    wave = 0.5 * (1 + math.cos(math.pi * done))
    return (
        schedule.learning_rate
        * warm
        * (schedule.final_fraction + (1 - schedule.final_fraction) * wave)
    )
