"""The receiving half of the node alone: `python -m rig.node_process FOLDER PORT PATH [CERT KEY]`.

Prints its port, writes one line to ``FOLDER/completed`` for each series handed over, and stops
when its standard input ends.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Self

from node import (
    Destination,
    ListenerLimits,
    ListenerSettings,
    NodeServer,
    ReceivedSeries,
    ReceivePath,
    SeriesSettings,
    Spool,
    SpoolSettings,
    TlsSettings,
)

LIMITS = ListenerLimits(handshake_seconds=1.0, idle_seconds=2.0, max_instance_bytes=2**22)
ROOT = Path(__file__).parents[3]


class NodeProcess:
    """A node of its own, measured from outside."""

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        path: str = "streamed",
        tls: TlsSettings | None = None,
    ) -> None:
        self.folder, self.port, self.path, self.tls = folder, port, path, tls
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def start(self) -> None:
        """Start, and wait until it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        arguments = [str(self.folder), str(self.port), self.path]
        if self.tls is not None:
            arguments += [str(self.tls.cert), str(self.tls.key)]
        with (self.folder / "stderr").open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", __spec__.name, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'endurance'}"},
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.errors()
        self.port = int(line)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    @property
    def destination(self) -> Destination:
        return Destination("node", "SPINENODE", "127.0.0.1", self.port, tls=self.tls)

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def errors(self) -> str:
        return (self.folder / "stderr").read_text(errors="replace")

    def completed(self) -> list[str]:
        """Digest and number of instances of every series handed over so far."""
        path = self.folder / "completed"
        return path.read_text().splitlines() if path.exists() else []

    def usage(self) -> dict[str, int]:
        """Resident KiB, open descriptors and threads."""
        assert self.process is not None
        return process_usage(self.process.pid)


def process_usage(pid: int) -> dict[str, int]:
    """Resident KiB, open descriptors and threads of a process (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    facts = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return {
        "rss_kib": int(facts["VmRSS"].split()[0]),
        "descriptors": len(list(Path(f"/proc/{pid}/fd").iterdir())),
        "threads": int(facts["Threads"]),
    }


def main(folder: Path, port: int, path: str, *tls_files: str) -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    # The library reports damage that it has caught with a traceback; what it has not shows anyway.
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)

    def completed(series: ReceivedSeries) -> None:
        with (folder / "completed").open("a") as file:
            file.write(f"{series.instance_set_digest} {len(series.files)}\n")
            file.flush()
            os.fsync(file.fileno())

    server = NodeServer(
        ListenerSettings(
            host="127.0.0.1",
            port=port,
            limits=LIMITS,
            receive_path=ReceivePath(path),
            tls=TlsSettings(*map(Path, tls_files)) if tls_files else None,
        ),
        Spool(SpoolSettings(folder / "spool", min_free_gib=0.0)),
        SeriesSettings(quiet_seconds=0.5, max_wait_seconds=60),
        completed,
    )
    server.start()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop(2)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
