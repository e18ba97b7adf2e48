"""The HTTP server of the dashboard port, in a thread of the service."""

from __future__ import annotations

import logging
import socket
import ssl
import threading

import uvicorn
from starlette.types import ASGIApp

from node.tls import TLS_1_2_CIPHERS
from service.config import DashboardConfig
from service.dashboard.origin import is_loopback
from service.errors import ServiceError
from service.http_protocol import TimedProtocol

log = logging.getLogger(__name__)

_START_SECONDS = 10.0
_MOST_CONNECTIONS = 200


class WebServer:
    """Serve an ASGI application until stopped.

    Parameters
    ----------
    settings
        Address, port and certificate. Port 0 takes a free one; `port` tells which after `start`.
    """

    def __init__(self, app: ASGIApp, settings: DashboardConfig) -> None:
        self._settings = settings
        self._host = settings.host
        self._wanted_port = settings.port
        self._config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            http=TimedProtocol,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=2,
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
            ssl_ciphers=TLS_1_2_CIPHERS,
        )
        self._server = uvicorn.Server(self._config)
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
            If the port cannot be bound, or the certificate cannot be used.
        """
        self._warn()
        try:
            self._config.load()
        except (OSError, ssl.SSLError) as error:
            raise ServiceError(
                f"dashboard: tls_cert and tls_key cannot be used: {error.strerror}"
            ) from error
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

    def _warn(self) -> None:
        """Say what an address beyond this machine would need."""
        if is_loopback(self._host):
            return
        if not self._settings.users:
            log.warning(
                "the pages are locked: service.dashboard.users is empty and the address is not "
                "loopback; health and metrics answer",
                extra={"host": self._host},
            )
        elif self._settings.tls_cert is None:
            log.warning(
                "passwords travel unencrypted unless a reverse proxy adds TLS: set "
                "service.dashboard.tls_cert and tls_key",
                extra={"host": self._host},
            )

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
