"""HL7 messages over MLLP (HL7 transport specification, release 1), one connection per message."""

from __future__ import annotations

import socket

from hl7apy.core import Message
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message

from node import NodeError
from node.tls import client_context
from service.config.notifications import Hl7Config
from service.destinations import tls_settings
from service.notifications.errors import NotReached, NotTaken
from service.notifications.oru import oru_message
from service.subject import Subject
from sr_writer import Findings

START, END = b"\x0b", b"\x1c\r"
TIMEOUT_SECONDS = 30.0
_LONGEST_ANSWER = 2**16
ACCEPTED = ("AA", "CA")
COME_AGAIN = ("AR", "CR")
"""HL7 Table 0008: rejected for reasons that have nothing to do with the content."""


class Hl7Receiver:
    """Sends results to one interface engine."""

    def __init__(self, settings: Hl7Config, node: str) -> None:
        self._settings = settings
        self._node = node

    def report(self, job_id: str, findings: Findings, subject: Subject) -> None:
        """Send the result of one job and wait for its acknowledgement.

        Raises
        ------
        NotReached
            No connection, no answer, or the receiver asks to come again.
        NotTaken
            The receiver refuses the message.
        """
        message = oru_message(job_id, findings, subject, self._settings, self._node)
        answer = self._exchange(START + message.to_er7().encode() + END)
        code, about = _acknowledgement(answer)
        if about != job_id:
            raise NotReached("the HL7 receiver acknowledged another message")
        if code in ACCEPTED:
            return
        if code in COME_AGAIN:
            raise NotReached(f"the HL7 receiver answered {code}")
        raise NotTaken(f"the HL7 receiver answered {code}")

    def _exchange(self, framed: bytes) -> bytes:
        settings = self._settings
        try:
            with socket.create_connection((settings.host, settings.port), TIMEOUT_SECONDS) as plain:
                tls = tls_settings(settings.tls)
                if tls is None:
                    return _ask(plain, framed)
                context = client_context(tls)
                with context.wrap_socket(plain, server_hostname=settings.host) as secured:
                    return _ask(secured, framed)
        except (OSError, NodeError) as error:
            raise NotReached(f"HL7 receiver: {type(error).__name__}") from error


def _ask(connection: socket.socket, framed: bytes) -> bytes:
    connection.sendall(framed)
    answer = b""
    while END not in answer and len(answer) < _LONGEST_ANSWER:
        received = connection.recv(4096)
        if not received:
            raise ConnectionResetError("closed before the acknowledgement")
        answer += received
    return answer.partition(END)[0].lstrip(START)


def _acknowledgement(answer: bytes) -> tuple[str, str]:
    """MSA-1 and MSA-2."""
    try:
        message: Message = parse_message(answer.decode("utf-8", "replace"), find_groups=False)
        msa = message.msa
        return str(msa.msa_1.value), str(msa.msa_2.value)
    except (HL7apyException, ValueError, IndexError) as error:
        raise NotReached("the HL7 receiver sent no acknowledgement") from error
