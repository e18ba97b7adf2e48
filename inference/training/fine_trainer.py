"""The optimiser of the refining network, and how it is judged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.evaluation.overlap import dice
from inference.refiner import Part, refiner_network
from inference.training.checkpoint import Checkpoint, State
from inference.training.fine_config import FineConfig
from inference.training.fine_samples import FineSample, random_sample
from inference.training.fine_scenes import FineScene
from inference.training.optimisation import Optimisation

_SMOOTHING = 50.0
_STATE = "state.pt"
_SAMPLES_PER_SCENE = 2


class FineTrainer(Optimisation):
    """Network, averaged network and optimiser of one run of the refining network."""

    def __init__(self, config: FineConfig, initial: State | None = None) -> None:
        torch.manual_seed(config.seed)
        super().__init__(refiner_network(), config, initial)

    def train_step(self, sample: FineSample) -> float:
        """Take one step on one sample; returns the loss."""
        image = sample.image[None].contiguous(memory_format=torch.channels_last_3d)
        loss = fine_loss(self.network(image), sample.parts[None])
        self.descend(loss)
        return float(loss.detach())

    def save(self, folder: Path) -> None:
        """Write the state of the run."""
        self.checkpoint(seconds=0.0, best_score=0.0).save(folder / _STATE)

    def resume_in(self, folder: Path) -> None:
        """Go on from the state in a run folder, if there is one."""
        if (folder / _STATE).is_file():
            self.resume(Checkpoint.load(folder / _STATE))


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
