"""One run of the first network, a step at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from inference.networks import SpineUNet
from inference.training.checkpoint import Checkpoint, State
from inference.training.config import TrainingConfig
from inference.training.losses import LossTerms, Targets, loss_terms
from inference.training.optimisation import Optimisation


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
        self._optimisation = Optimisation(SpineUNet(widths=config.widths), config.schedule, initial)

    @property
    def step(self) -> int:
        """Steps taken so far."""
        return self._optimisation.step

    @property
    def network(self) -> SpineUNet:
        """The network as the last step left it."""
        return self._optimisation.network

    @property
    def averaged(self) -> SpineUNet:
        """The network with weights averaged over the last steps: what is judged and released."""
        return self._optimisation.averaged

    def train_step(self, batch: Sequence[Tensor]) -> LossTerms:
        """Take one step on a batch of `Patch.tensors` with a batch axis."""
        image, classes, offsets, level, vertebra = batch
        output = self.network(image.contiguous(memory_format=torch.channels_last_3d))
        terms = loss_terms(output, Targets(classes, offsets, level, vertebra), self.config.loss)
        self._optimisation.descend(terms.total)
        return terms

    def checkpoint(self, seconds: float, best_score: float) -> Checkpoint:
        """State of the run after `step` steps."""
        return self._optimisation.checkpoint(self.config, seconds, best_score)

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint; the configuration may have a longer schedule."""
        self._optimisation.resume(checkpoint)
