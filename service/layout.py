"""Where things lie under the spool folder."""

from __future__ import annotations

from pathlib import Path

from node.shared_database import Location
from service.config import Config


def images_folder(config: Config) -> Path:
    """Received images and the node's own index."""
    return config.node.spool / "images"


def jobs_folder(config: Config) -> Path:
    """One workspace per job."""
    return config.node.spool / "jobs"


def ledger_location(config: Config) -> Location:
    """What each destination has received: beside the images, or where several hosts see it."""
    return ledger_beside(config.database_url, jobs_folder(config))


def ledger_beside(database_url: str, jobs: Path) -> Location:
    """The same, from where the queue and the folders of the jobs are."""
    if database_url.startswith("postgresql"):
        return database_url
    return jobs.parent / "deliveries.sqlite"


def fetch_folder(config: Config) -> Path:
    """What `spinenode fetch` keeps: its ledger, and images on their way to the node."""
    return config.node.spool / "fetch"


def fetched_images_folder(config: Config) -> Path:
    """Images on their way from an archive to the node."""
    return fetch_folder(config) / "images"


def fetch_ledger_file(config: Config) -> Path:
    """Which series were asked for, and which are fetched."""
    return fetch_folder(config) / "ledger.sqlite"


def offline_config(config: Config, out: Path) -> Config:
    """The configuration with its working files under `out`, and a queue of nobody else."""
    node = config.node.model_copy(update={"spool": out / "work"})
    service = config.service.model_copy(update={"database": ""})
    return config.model_copy(update={"node": node, "service": service})
