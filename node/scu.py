"""C-STORE and C-ECHO as SCU: files go out as they are, and every instance gets its own result."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from pynetdicom import AE, _config
from pynetdicom.association import Association
from pynetdicom.events import EventHandlerType
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import build_context

from node.errors import NotAcceptable, Permanent, Retryable
from node.lifeline import Lifeline
from node.part10 import FileIdentity, identify
from node.settings import Destination, WebDestination
from node.sop_classes import VERIFICATION, VERIFICATION_TRANSFER_SYNTAXES
from node.store_status import meaning
from node.tls import client_context
from node.waiting_room import install

LOG = logging.getLogger(__name__)
# Send files from disk in pieces, never decoded and re-encoded; no identifiers in the log.
_config.STORE_SEND_CHUNKED_DATASET = True
_config.LOG_HANDLER_LEVEL = "none"

CONNECT_SECONDS = 10.0
RESPONSE_SECONDS = 120.0
MAX_CONTEXTS = 128
REJECTED_PERMANENTLY = 1


class Outcome(StrEnum):
    """What became of one instance at one destination.

    ``sent`` and ``warning``: the peer has it. ``refused``: it will not take this instance as it
    is (SOP class or transfer syntax not accepted, or a failure of the instance): do not repeat.
    ``failed``: it may take it later.
    """

    SENT = "sent"
    WARNING = "warning"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True)
class DeliveryResult:
    """Result of one instance; `status` is None if the peer never answered for it."""

    path: Path
    SOPInstanceUID: str
    SOPClassUID: str
    status: int | None
    outcome: Outcome
    comment: str = ""


@dataclass(frozen=True)
class Patience:
    """How long to wait for the connection and the association, and for each answer."""

    connect_seconds: float
    response_seconds: float


LONG_WAIT = Patience(CONNECT_SECONDS, RESPONSE_SECONDS)


@dataclass(frozen=True)
class Negotiation:
    """What to propose: (abstract syntax, transfer syntaxes), roles, and event handlers."""

    contexts: Sequence[tuple[str, list[Any]]]
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = ()
    handlers: Sequence[EventHandlerType] = ()
    patience: Patience = LONG_WAIT


class DeliveryObserver(Protocol):
    """Told of each instance as soon as its result is known."""

    def instance_delivered(
        self, result: DeliveryResult, destination: Destination | WebDestination
    ) -> None:
        """One result."""


def classify(status: int) -> Outcome:
    """Return what a C-STORE status means for delivery (PS3.4 Table B.2-1, PS3.7 Annex C)."""
    if status == 0x0000:
        return Outcome.SENT
    if status in (0x0001, 0x0107, 0x0116) or status & 0xF000 == 0xB000:
        return Outcome.WARNING
    if status & 0xFF00 == 0xA700 or status in (0x0110, 0x0210, 0x0213):
        return Outcome.FAILED
    return Outcome.REFUSED


def send_files(
    paths: Sequence[Path], destination: Destination, observer: DeliveryObserver | None = None
) -> tuple[DeliveryResult, ...]:
    """Send Part 10 files over one association, or several if they need over 128 contexts.

    Returns
    -------
    One result per path, in the order of `paths`.

    Raises
    ------
    Retryable
        No connection, or the association was rejected as transient; nothing was sent.
    Permanent
        The peer does not know our AE titles, or TLS files are unusable; nothing was sent.
    """
    results: dict[Path, DeliveryResult] = {}
    identities: dict[Path, FileIdentity] = {}
    for path in dict.fromkeys(paths):
        try:
            identities[path] = identify(path)
        except (NotAcceptable, OSError) as error:
            results[path] = DeliveryResult(path, "", "", None, Outcome.REFUSED, _reason(error))
    for batch in _batches(identities):
        for result in _send_batch(batch, destination):
            results[result.path] = result
            if observer is not None:
                observer.instance_delivered(result, destination)
    return tuple(results[path] for path in paths)


def echo(destination: Destination) -> None:
    """Verify a destination with C-ECHO.

    Raises
    ------
    Retryable, Permanent
        As `send_files`, and Retryable for any answer but success.
    """
    contexts = [(VERIFICATION, list(VERIFICATION_TRANSFER_SYNTAXES))]
    with associated(destination, Negotiation(contexts)) as association:
        if not association.is_established:
            raise Permanent(f"{destination.name} does not accept C-ECHO")
        status = association.send_c_echo().get("Status")
        if status != 0x0000:
            raise Retryable(f"{destination.name} answered C-ECHO with {status}")


def _reason(error: Exception) -> str:
    return error.comment if isinstance(error, NotAcceptable) else type(error).__name__


def _batches(identities: dict[Path, FileIdentity]) -> Iterator[dict[Path, FileIdentity]]:
    """Split files so that each batch needs no more contexts than one association has."""
    contexts: dict[tuple[str, str], int] = {}
    batches: dict[int, dict[Path, FileIdentity]] = {}
    for path, identity in identities.items():
        number = contexts.setdefault(_context(identity), len(contexts)) // MAX_CONTEXTS
        batches.setdefault(number, {})[path] = identity
    yield from batches.values()


def _context(identity: FileIdentity) -> tuple[str, str]:
    return identity.header.SOPClassUID, identity.transfer_syntax_uid


def _send_batch(
    batch: dict[Path, FileIdentity], destination: Destination
) -> Iterator[DeliveryResult]:
    wanted = sorted({_context(identity) for identity in batch.values()})
    contexts = [(sop_class, [syntax]) for sop_class, syntax in wanted]
    with associated(destination, Negotiation(contexts)) as association:
        accepted = {
            (str(context.abstract_syntax), str(context.transfer_syntax[0]))
            for context in association.accepted_contexts
        }
        for number, (path, identity) in enumerate(batch.items()):
            if _context(identity) not in accepted:
                comment = "SOP class or transfer syntax not accepted"
                yield _result(path, identity, None, Outcome.REFUSED, comment)
            else:
                yield _send_one(association, path, identity, number % 65535 + 1)


def _send_one(
    association: Association, path: Path, identity: FileIdentity, message_id: int
) -> DeliveryResult:
    if not association.is_established:
        return _result(path, identity, None, Outcome.FAILED, "association ended before")
    try:
        answer = association.send_c_store(path, msg_id=message_id, priority=0)
    except (OSError, RuntimeError, ValueError) as error:
        return _result(path, identity, None, Outcome.FAILED, type(error).__name__)
    status = answer.get("Status")
    if status is None:
        return _result(path, identity, None, Outcome.FAILED, "no answer")
    code = int(status)
    return _result(path, identity, code, classify(code), meaning(code))


def _result(
    path: Path, identity: FileIdentity, status: int | None, outcome: Outcome, comment: str
) -> DeliveryResult:
    header = identity.header
    return DeliveryResult(path, header.SOPInstanceUID, header.SOPClassUID, status, outcome, comment)


@contextmanager
def associated(destination: Destination, negotiation: Negotiation) -> Iterator[Association]:
    """Open an association and release it; not established only if all contexts were refused.

    Raises
    ------
    Retryable
        No connection, or the association was rejected as transient.
    Permanent
        The peer does not know our AE titles, or TLS files are unusable.
    """
    ae = AE(ae_title=destination.calling_ae_title)
    ae.connection_timeout = negotiation.patience.connect_seconds
    ae.acse_timeout = negotiation.patience.connect_seconds
    ae.dimse_timeout = negotiation.patience.response_seconds
    ae.network_timeout = negotiation.patience.response_seconds
    tls = None
    if destination.tls is not None:
        tls = (client_context(destination.tls), destination.host)
    lifeline = Lifeline()
    association = ae.associate(
        destination.host,
        destination.port,
        contexts=[build_context(abstract, syntaxes) for abstract, syntaxes in negotiation.contexts],
        ae_title=destination.ae_title,
        ext_neg=list(negotiation.roles),
        tls_args=tls,
        evt_handlers=[*lifeline.handlers(), *negotiation.handlers],
    )
    install(association)
    try:
        _check_association(association, lifeline, destination)
        yield association
    finally:
        if association.is_established:
            association.release()


def _check_association(
    association: Association, lifeline: Lifeline, destination: Destination
) -> None:
    if association.is_established:
        return
    where = f"{destination.name} ({destination.host}:{destination.port})"
    if lifeline.rejection is not None:
        text = f"{where} rejected the association: {lifeline.rejection.reason_str}"
        if lifeline.rejection.result == REJECTED_PERMANENTLY:
            raise Permanent(text)
        raise Retryable(text)
    if association.rejected_contexts and not association.accepted_contexts:
        return
    raise Retryable(f"{where} cannot be reached or ended the association")
