"""Our listener with its spool and nothing behind: `node_process FOLDER PORT PATH`."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from node import (
    ListenerSettings,
    NodeServer,
    ReceivedSeries,
    ReceivePath,
    SeriesSettings,
    Spool,
    SpoolSettings,
)


def _drop(_series: ReceivedSeries) -> None:
    return


def main() -> None:
    folder, port, path = Path(sys.argv[1]), int(sys.argv[2]), ReceivePath(sys.argv[3])
    spool = Spool(SpoolSettings(folder, min_free_gib=0.0))
    listener = ListenerSettings(host="127.0.0.1", port=port, receive_path=path)
    server = NodeServer(listener, spool, SeriesSettings(), _drop)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    server.start()
    over.wait()
    server.stop(drain_seconds=1)
    spool.close()


if __name__ == "__main__":
    main()
