"""What is to be analysed, as the workspace of a job keeps it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter

from service.priority import ROUTINE_PRIORITY

REQUEST_FILE = "request.json"


@dataclass(frozen=True)
class Request:
    """What is to be analysed.

    Attributes
    ----------
    files
        The CT files of one series; for `analyze` the single path given on the command line.
    created
        ISO 8601 time of the request; results carry it, so that a re-run writes the same bytes.
    mask
        A label map in VerSe labels that replaces the network, or None.
    priority
        Smaller numbers go first (`service.priority`).
    choice
        Why this series of its study was chosen before others; empty where there was no other.
    supersedes
        Earlier jobs of the same series, the latest first.
    min_levels
        With fewer complete vertebrae the series counts as not analysable, and nothing is sent.
    """

    job_id: str
    files: tuple[Path, ...]
    created: str
    mask: Path | None = None
    StudyInstanceUID: str | None = None
    SeriesInstanceUID: str | None = None
    priority: int = ROUTINE_PRIORITY
    choice: str = ""
    supersedes: tuple[str, ...] = ()
    min_levels: int = 0


_REQUEST = TypeAdapter(Request)


def encode_request(request: Request) -> bytes:
    """JSON of a request."""
    return _REQUEST.dump_json(request)


def read_request(folder: Path) -> Request:
    """Read the request kept in the workspace `folder`.

    Raises
    ------
    OSError, ValueError
        If there is none, or none that can be understood.
    """
    return _REQUEST.validate_json((folder / REQUEST_FILE).read_bytes())


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` make a file that appears whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as stream:
        write(stream)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.rename(path)
