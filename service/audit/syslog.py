"""Audit messages by syslog over TLS: RFC 5424 header, RFC 5425 framing, DICOM PS3.15 A.6."""

from __future__ import annotations

import os
import re
import select
import socket
import ssl
from datetime import UTC, datetime

from node import NodeError, TlsSettings
from node.tls import client_context
from service.audit.sink import SinkUnavailable

AUTHPRIV_NOTICE = 10 * 8 + 5
"""Facility security/authorization, severity normal but significant."""
MESSAGE_ID = "DICOM+RFC3881"
BOM = b"\xef\xbb\xbf"
"""RFC 5424 Section 6.4: marks a message in UTF-8."""
TIMEOUT_SECONDS = 10.0
_NOT_PRINTABLE = re.compile("[^!-~]")


def syslog_message(xml: bytes, host: str, at: datetime) -> bytes:
    """One RFC 5424 message."""
    stamp = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    name = _NOT_PRINTABLE.sub("", host)[:255] or "-"
    head = f"<{AUTHPRIV_NOTICE}>1 {stamp} {name} spinenode {os.getpid()} {MESSAGE_ID} - "
    return head.encode("ascii") + BOM + xml


def framed(message: bytes) -> bytes:
    """One RFC 5425 frame: the length in bytes, a space, the message."""
    return str(len(message)).encode("ascii") + b" " + message


class SyslogSink:
    """One connection to an audit repository, opened when needed. Not thread-safe."""

    name = "syslog"

    def __init__(self, host: str, port: int, tls: TlsSettings) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._connection: ssl.SSLSocket | None = None

    def write(self, xml: bytes) -> None:
        """Send one message.

        Raises
        ------
        SinkUnavailable
            It could not be sent now.
        """
        message = framed(syslog_message(xml, socket.gethostname(), datetime.now(UTC)))
        try:
            self._open().sendall(message)
        except (OSError, NodeError) as error:
            self.close()
            raise SinkUnavailable(f"{self._host}:{self._port}: {error}") from error

    def check(self) -> None:
        """Connect and send nothing; raises `SinkUnavailable` where `write` would."""
        try:
            self._open()
        except (OSError, NodeError) as error:
            raise SinkUnavailable(f"{self._host}:{self._port}: {error}") from error
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection; the next message opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> ssl.SSLSocket:
        if self._connection is not None and _was_closed(self._connection):
            self.close()
        if self._connection is None:
            context = client_context(self._tls)
            plain = socket.create_connection((self._host, self._port), TIMEOUT_SECONDS)
            try:
                self._connection = context.wrap_socket(plain, server_hostname=self._host)
            except OSError:
                plain.close()
                raise
        return self._connection


def _was_closed(connection: ssl.SSLSocket) -> bool:
    """Whether the other side has ended it: syslog has no answers, so a write would not tell."""
    if not select.select([connection], [], [], 0)[0]:
        return False
    connection.setblocking(False)
    try:
        return not connection.recv(1)
    except ssl.SSLWantReadError:  # session tickets of TLS 1.3
        return False
    finally:
        connection.settimeout(TIMEOUT_SECONDS)
