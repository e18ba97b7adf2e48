"""The HTTP server of the dashboard port, in a thread of the service."""

from __future__ import annotations

import socket
import threading

import uvicorn
from starlette.types import ASGIApp

from service.errors import ServiceError

_START_SECONDS = 10.0


class WebServer:
    """Serve an ASGI application until stopped.

    Parameters
    ----------
    host, port
        Port 0 takes a free one; `port` tells which after `start`.
    """

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._host = host
        self._wanted_port = port
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2
        )
        self._server = uvicorn.Server(config)
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port listened on."""
        if self._socket is None:
            return self._wanted_port
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Bind and serve.

        Raises
        ------
        ServiceError
            If the port cannot be bound.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((self._host, self._wanted_port))
        except OSError as error:
            bound.close()
            raise ServiceError(
                f"dashboard cannot listen on {self._host}:{self._wanted_port}: {error.strerror}"
            ) from error
        bound.listen(128)  # connections wait here until the server thread takes them
        self._socket = bound
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [bound]}, name="dashboard", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Finish open requests and stop."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout=_START_SECONDS)
        if self._socket is not None:
            self._socket.close()

    def alive(self) -> bool:
        """Whether the server thread runs."""
        return self._thread is not None and self._thread.is_alive()
