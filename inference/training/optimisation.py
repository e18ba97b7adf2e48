"""What the runs of both networks share: AdamW, clipped steps, averaged weights, exact resume."""

from __future__ import annotations

import copy
import dataclasses
import math

import torch
from torch import Tensor, nn

from inference.networks import SpineUNet
from inference.training.checkpoint import Checkpoint, State, load_into
from inference.training.config import Schedule, TrainingConfig
from inference.training.fine_config import FineConfig


class Optimisation:
    """A network under training, its averaged twin and their optimiser.

    Parameters
    ----------
    network
        Freshly made.
    config
        Of the run; its schedule says steps, learning rate and averaging.
    initial
        Weights to start from, or None to keep the network's own.

    Attributes
    ----------
    step
        Steps taken so far.
    network
        As the last step left it.
    averaged
        With weights averaged over the last steps: what is judged and released.
    """

    def __init__(
        self, network: SpineUNet, config: TrainingConfig | FineConfig, initial: State | None
    ) -> None:
        if initial is not None:
            load_into(network, initial)
        self.network = network
        self.network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload] # torch's hints lack it
        self.averaged = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)
        self.optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=config.schedule.learning_rate,
            weight_decay=config.schedule.weight_decay,
            betas=(0.9, 0.98),
        )
        self.schedule = config.schedule
        self.settings = dataclasses.asdict(config)
        self.step = 0

    def descend(self, loss: Tensor) -> None:
        """Take one step down the gradient of `loss`, and let the averaged weights follow."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.schedule, self.step)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call] # untyped in torch
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.schedule.gradient_limit)
        self.optimizer.step()
        self.step += 1
        decay = min(self.schedule.ema_decay, (1 + self.step) / (10 + self.step))
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
            config=self.settings,
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
