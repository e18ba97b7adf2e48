"""How good masks, levels and gradings are, against a folder of CTs with known truth."""

from __future__ import annotations

from inference.evaluation.folder import evaluate_folder

__all__ = ["evaluate_folder"]
