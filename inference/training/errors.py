"""What can go wrong in training.

::

    TrainingError
    ├── InvalidTrainingConfig   a setting that does not exist or makes no sense
    ├── MissingTrainingData     a label map or weights file that is asked for is not there
    └── CheckpointMismatch      a checkpoint of another run or network
"""

from __future__ import annotations


class TrainingError(Exception):
    """Base of every error training raises on purpose."""


class InvalidTrainingConfig(TrainingError):
    """The configuration names the offending key."""


class MissingTrainingData(TrainingError):
    """Names the file."""


class CheckpointMismatch(TrainingError):
    """The checkpoint does not fit the configured run."""
