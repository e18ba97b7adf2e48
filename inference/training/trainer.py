"""One run of the first network, a step at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from inference.networks import SpineUNet
from inference.training.checkpoint import State
from inference.training.config import TrainingConfig
from inference.training.losses import LossTerms, Targets, loss_terms
from inference.training.optimisation import Optimisation


class Trainer(Optimisation):
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
        super().__init__(SpineUNet(widths=config.widths), config, initial)
        self.config = config

    def train_step(self, batch: Sequence[Tensor]) -> LossTerms:
        """Take one step on a batch of `Patch.tensors` with a batch axis."""
        image, classes, offsets, level, vertebra = batch
        output = self.network(image.contiguous(memory_format=torch.channels_last_3d))
        terms = loss_terms(output, Targets(classes, offsets, level, vertebra), self.config.loss)
        self.descend(terms.total)
        return terms
