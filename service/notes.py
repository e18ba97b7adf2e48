"""Short texts kept beside a job: why nothing is sent, what replaces it, how a delivery went."""

from __future__ import annotations

import json
from pathlib import Path

from service.request import Request, write_whole

SUPERSEDED = "superseded.json"
WITHHELD = "withheld.json"


def delivery_note_file(destination: str) -> str:
    """Name of the note about the delivery to one destination."""
    return f"delivery-{destination}.json"


def put_note(folder: Path, name: str, text: str) -> None:
    """Keep a text under a name, in place of an earlier one."""
    write_whole(folder / name, lambda stream: stream.write(json.dumps(text).encode()))


def read_note(folder: Path, name: str) -> str:
    """The text under a name, or an empty text."""
    path = folder / name
    return str(json.loads(path.read_bytes())) if path.is_file() else ""


def remarks(folder: Path, request: Request) -> tuple[str, ...]:
    """What is to be said about a job besides its state, in sentences."""
    withheld, superseded = read_note(folder, WITHHELD), read_note(folder, SUPERSEDED)
    earlier = ", ".join(request.supersedes)
    said = (
        request.choice,
        f"results not sent: {withheld}" if withheld else "",
        f"supersedes {earlier}" if earlier else "",
        f"superseded by {superseded}" if superseded else "",
    )
    return tuple(filter(None, said))
