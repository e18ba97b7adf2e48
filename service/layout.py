"""Where things lie under the spool folder."""

from __future__ import annotations

from pathlib import Path

from service.config import Config


def images_folder(config: Config) -> Path:
    """Received images and the node's own index."""
    return config.node.spool / "images"


def jobs_folder(config: Config) -> Path:
    """One workspace per job."""
    return config.node.spool / "jobs"


def ledger_file(config: Config) -> Path:
    """What each destination has received."""
    return config.node.spool / "deliveries.sqlite"
