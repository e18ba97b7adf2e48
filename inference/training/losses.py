"""The loss: classes (cross-entropy and Dice), offset votes and level, each on its own scale."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from inference.networks import LEVEL_CHANNEL, OFFSET_CHANNELS, Tissue
from inference.training.config import LossWeights

_CLASS_WEIGHTS = (0.5, 1.0, 1.0, 1.0, 1.0, 0.7, 1.0)
_MIN_CLASS_VOXELS = 30
_SMOOTHING = 50.0


@dataclass(frozen=True)
class Targets:
    """Targets of a batch: (n, x, y, z) classes, level and vertebra, (n, 3, x, y, z) offsets."""

    classes: Tensor
    offsets: Tensor
    level: Tensor
    vertebra: Tensor


@dataclass(frozen=True)
class LossTerms:
    """The four terms and their weighted sum, scalars."""

    cross_entropy: Tensor
    dice: Tensor
    offset: Tensor
    level: Tensor
    total: Tensor

    def values(self) -> dict[str, float]:
        """Numbers for the log."""
        names = ("cross_entropy", "dice", "offset", "level", "total")
        return {name: float(getattr(self, name).detach()) for name in names}


def loss_terms(output: Tensor, targets: Targets, weights: LossWeights) -> LossTerms:
    """Compare the network's output (n, 11, x, y, z) with the targets."""
    logits = output[:, : len(Tissue)]
    class_weights = torch.tensor(_CLASS_WEIGHTS, device=output.device)
    cross_entropy = functional.cross_entropy(logits, targets.classes, weight=class_weights)
    dice = _dice_loss(logits, targets.classes)
    inside = targets.vertebra.float()
    count = inside.sum() + _SMOOTHING
    offset_error = (output[:, OFFSET_CHANNELS] - targets.offsets).abs().mean(dim=1)
    offset = (offset_error * inside).sum() / count
    level = ((output[:, LEVEL_CHANNEL] - targets.level).abs() * inside).sum() / count
    total = (
        weights.cross_entropy * cross_entropy
        + weights.dice * dice
        + weights.offset * offset
        + weights.level * level
    )
    return LossTerms(cross_entropy, dice, offset, level, total)


def _dice_loss(logits: Tensor, classes: Tensor) -> Tensor:
    """Mean of 1 - Dice over the classes that occur, background left out."""
    probabilities = logits.softmax(dim=1)
    truth = functional.one_hot(classes, len(Tissue)).movedim(-1, 1).float()
    voxels = truth.sum(dim=(2, 3, 4))
    overlap = (probabilities * truth).sum(dim=(2, 3, 4))
    together = probabilities.sum(dim=(2, 3, 4)) + voxels
    present = (voxels > _MIN_CLASS_VOXELS).float()
    present[:, Tissue.BACKGROUND] = 0
    per_class = 1 - 2 * overlap / (together + _SMOOTHING)
    return (per_class * present).sum() / present.sum().clamp(min=1)
