"""The optimiser of the refining network, and how it is judged."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.networks import SpineUNet
from inference.refiner import Part, refiner_network
from inference.training.checkpoint import Checkpoint, State, load_into
from inference.training.evaluation import dice
from inference.training.fine_config import FineConfig
from inference.training.fine_samples import FineSample, random_sample
from inference.training.fine_scenes import FineScene
from inference.training.trainer import averaged_towards, learning_rate

_SMOOTHING = 50.0
_STATE = "state.pt"
_SAMPLES_PER_SCENE = 2


class FineTrainer:
    """Network, averaged network and optimiser of one run of the refining network."""

    def __init__(self, config: FineConfig, initial: State | None = None) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.network: SpineUNet = refiner_network()
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

    def train_step(self, sample: FineSample) -> float:
        """Take one step on one sample; returns the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config.schedule, self.step)
        image = sample.image[None].contiguous(memory_format=torch.channels_last_3d)
        loss = fine_loss(self.network(image), sample.parts[None])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call] # untyped in torch
        torch.nn.utils.clip_grad_norm_(
            self.network.parameters(), self.config.schedule.gradient_limit
        )
        self.optimizer.step()
        self.step += 1
        decay = min(self.config.schedule.ema_decay, (1 + self.step) / (10 + self.step))
        averaged_towards(self.averaged, self.network, decay)
        return float(loss.detach())

    def save(self, folder: Path) -> None:
        """Write the state of the run."""
        Checkpoint(
            step=self.step,
            seconds=0.0,
            best_score=0.0,
            network=self.network.state_dict(),
            averaged=self.averaged.state_dict(),
            optimizer=self.optimizer.state_dict(),
            config=dataclasses.asdict(self.config),
        ).save(folder / _STATE)

    def resume(self, folder: Path) -> None:
        """Go on from the state in a run folder, if there is one."""
        if not (folder / _STATE).is_file():
            return
        checkpoint = Checkpoint.load(folder / _STATE)
        load_into(self.network, checkpoint.network)
        load_into(self.averaged, checkpoint.averaged)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.step = checkpoint.step


def fine_loss(logits: Tensor, parts: Tensor) -> Tensor:
    """Cross-entropy and soft Dice of the vertebra's own parts.

    Parameters
    ----------
    logits
        (n, 4, x, y, z), `Part`.
    parts
        int64 (n, x, y, z).
    """
    cross_entropy = functional.cross_entropy(logits, parts)
    probabilities = logits.softmax(dim=1)
    misses = []
    for part in (Part.BODY, Part.POSTERIOR):
        truth = (parts == part).float()
        found = probabilities[:, part]
        together = found.sum() + truth.sum()
        misses.append(1 - (2 * (found * truth).sum() + _SMOOTHING) / (together + _SMOOTHING))
    return cross_entropy + torch.stack(misses).mean()


def examine(network: nn.Module, scenes: Sequence[FineScene]) -> dict[str, float]:
    """Mean Dice of body, posterior elements and both on held-out scenes.

    ``coarse`` is the same for the first network's masks, brought to 1 mm: what has to be beaten.
    """
    rows: list[dict[str, float]] = []
    for number, scene in enumerate(scenes):
        if not scene.whole_vertebrae():
            continue
        for draw in range(_SAMPLES_PER_SCENE):
            sample = random_sample(scene, np.random.default_rng([number, draw]))
            rows.append(_agreement(network, sample))
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]} if rows else {}


def _agreement(network: nn.Module, sample: FineSample) -> dict[str, float]:
    with torch.no_grad():
        found = network(sample.image[None])[0].argmax(dim=0)
    truth = sample.parts
    own = (found == Part.BODY) | (found == Part.POSTERIOR)
    true_own = (truth == Part.BODY) | (truth == Part.POSTERIOR)
    coarse = sample.image[2] + sample.image[3] > 0.5
    return {
        "vertebra": dice(own.numpy(), true_own.numpy()),
        "body": dice((found == Part.BODY).numpy(), (truth == Part.BODY).numpy()),
        "posterior": dice((found == Part.POSTERIOR).numpy(), (truth == Part.POSTERIOR).numpy()),
        "coarse": dice(coarse.numpy(), true_own.numpy()),
    }
