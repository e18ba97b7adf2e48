"""What can go wrong in training.

::

    TrainingError
    ├── InvalidTrainingConfig   a setting that does not exist or makes no sense
    ├── MissingTrainingData     a label map the configuration asks for is not in the data folder
    └── CheckpointMismatch      a checkpoint of another run or network
"""

from __future__ import annotations


class TrainingError(Exception):
    """Base of every error training raises on purpose."""


class InvalidTrainingConfig(TrainingError):
    """The configuration names the offending key."""


class MissingTrainingData(TrainingError):
    """Names the file, relative to the data folder."""


class CheckpointMismatch(TrainingError):
    """The checkpoint does not fit the configured run."""
