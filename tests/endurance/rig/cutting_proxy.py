"""A network that cuts: forwards TCP on loopback, and ends connections after so many bytes."""

from __future__ import annotations

import socket
import threading
from typing import Self

CHUNK_BYTES = 4096


class CuttingProxy:
    """Forwards to a port; a connection whose client sent `cut_after` bytes is cut.

    Attributes
    ----------
    cut_after
        Bytes; None forwards for ever.
    cuts
        Connections cut so far.
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.cut_after: int | None = None
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port), timeout=10)
            except OSError:
                return
            with server:
                server.settimeout(None)
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                self._forward(client, server)
                back.join(10)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        forwarded = 0
        while True:
            try:
                piece = client.recv(CHUNK_BYTES)
                forwarded += len(piece)
                if self.cut_after is not None and forwarded > self.cut_after:
                    self.cuts += 1
                    # Not only closed: the other thread still waits on both.
                    for each in (client, server):
                        each.shutdown(socket.SHUT_RDWR)
                    return
                if not piece:
                    server.shutdown(socket.SHUT_WR)
                    return
                server.sendall(piece)
            except OSError:
                return


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(CHUNK_BYTES):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
