"""The receivers to compare: how each is started, and how many instances it holds afterwards."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

TREE = Path(__file__).parents[2]
ORTHANC_INSTANCE_LEVEL = 4
ORTHANC = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True)
class Receiver:
    """`needs` is what has to be installed; None: not found, the receiver is left out."""

    name: str
    needs: str | None
    command: Callable[[Path, int], list[str]]
    count: Callable[[Path], int]


def _files(folder: Path) -> int:
    return sum(1 for path in (folder / "store").iterdir() if path.is_file())


def _node(path: str, tree: Path = TREE) -> Callable[[Path, int], list[str]]:
    def command(folder: Path, port: int) -> list[str]:
        store = folder / "store"
        return [
            "env",
            f"PYTHONPATH={tree}",
            sys.executable,
            "-P",
            "-m",
            "benchmarks.receiving.node_process",
            str(store),
            str(port),
            path,
        ]

    return command


def _count(index: Path, query: str) -> int:
    # Closed before the files are emptied: SQLite maps one of them into memory.
    with closing(sqlite3.connect(index)) as connection:
        return int(connection.execute(query).fetchone()[0])


def _node_count(folder: Path) -> int:
    return _count(folder / "store" / "index.sqlite", "SELECT count(*) FROM instance")


def _storescp(*options: str) -> Callable[[Path, int], list[str]]:
    def command(folder: Path, port: int) -> list[str]:
        (folder / "store").mkdir()
        return ["env", *ENVIRONMENT, "storescp", *options, "-od", str(folder / "store"), str(port)]

    return command


ENVIRONMENT = ("TCP_NODELAY=1",)


def _wide_storescp(folder: Path, port: int) -> list[str]:
    command = _storescp("--max-pdu", "131072")(folder, port)
    return [command[0], "TCP_BUFFER_LENGTH=131072", *command[1:]]


def _pynetdicom(folder: Path, port: int) -> list[str]:
    (folder / "store").mkdir()
    options = ["-q", "-od", str(folder / "store")]
    return [sys.executable, "-m", "pynetdicom", "storescp", *options, str(port)]


def _orthanc(folder: Path, port: int) -> list[str]:
    settings = {
        "Name": "BENCHMARK",
        "StorageDirectory": str(folder / "store"),
        "IndexDirectory": str(folder / "store"),
        "DicomPort": port,
        "DicomAet": "SPINENODE",
        "HttpServerEnabled": False,
        "Plugins": [],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    return [str(ORTHANC), str(folder / "orthanc.json")]


def _orthanc_count(folder: Path) -> int:
    query = f"SELECT count(*) FROM Resources WHERE resourceType={ORTHANC_INSTANCE_LEVEL}"
    return _count(folder / "store" / "index", query)


STORESCP = shutil.which("storescp")
RECEIVERS = (
    Receiver("DCMTK storescp", STORESCP, _storescp(), _files),
    Receiver("DCMTK storescp, 128 KiB PDU", STORESCP, _wide_storescp, _files),
    Receiver("Orthanc", ORTHANC, _orthanc, _orthanc_count),
    Receiver("pynetdicom storescp", sys.executable, _pynetdicom, _files),
    Receiver("spinenode, library path", sys.executable, _node("library"), _node_count),
    Receiver("spinenode", sys.executable, _node("streamed"), _node_count),
)


def of_other_tree(tree: Path) -> Receiver:
    """Return our node as another checkout has it, to compare states of the program in one run."""
    return Receiver(
        f"spinenode in {tree.name}", sys.executable, _node("streamed", tree), _node_count
    )
