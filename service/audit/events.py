"""The audit messages of this service, each after its table in DICOM PS3.15 A.5.3."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field

from service.audit import codes
from service.audit.codes import Code
from service.audit.message import (
    Action,
    AuditedObject,
    AuditMessage,
    Event,
    Participant,
    Result,
)

_PROCESS = "spinenode"
_TRANSFERS = {
    codes.BEGIN_TRANSFERRING: Action.EXECUTE,
    codes.INSTANCES_TRANSFERRED: Action.CREATE,
}


@dataclass(frozen=True)
class Peer:
    """The other application entity of a transfer or query."""

    ae_title: str
    address: str


@dataclass(frozen=True)
class Reporter:
    """This service as it appears in its own messages; `site` is AuditEnterpriseSiteID."""

    ae_title: str
    site: str = ""
    process_id: str = field(default_factory=lambda: str(os.getpid()))
    host: str = field(default_factory=socket.gethostname)

    def itself(self, *roles: Code, is_requestor: bool = False) -> Participant:
        """This process as a participant."""
        return Participant(self.process_id, is_requestor, roles, self.ae_title, _PROCESS, self.host)

    def message(
        self,
        event: Event,
        participants: tuple[Participant, ...],
        objects: tuple[AuditedObject, ...] = (),
    ) -> AuditMessage:
        """A message reported by this service."""
        return AuditMessage(event, participants, objects, self.ae_title, self.site)


def application_activity(reporter: Reporter, kind: Code) -> AuditMessage:
    """Application start or stop (A.5.3.1)."""
    event = Event(codes.APPLICATION_ACTIVITY, Action.EXECUTE, kinds=(kind,))
    return reporter.message(event, (reporter.itself(codes.APPLICATION),))


def received(reporter: Reporter, sender: Peer, objects: tuple[AuditedObject, ...]) -> AuditMessage:
    """Instances transferred to us (A.5.3.7)."""
    event = Event(codes.INSTANCES_TRANSFERRED, Action.CREATE)
    participants = (_peer(sender, codes.SOURCE, is_requestor=True), reporter.itself(
        codes.DESTINATION
    ))  # fmt: skip
    return reporter.message(event, participants, objects)


def sending(
    reporter: Reporter, code: Code, receiver: Peer, objects: tuple[AuditedObject, ...]
) -> AuditMessage:
    """Instances about to be transferred, or transferred, by us (A.5.3.3, A.5.3.7)."""
    return reporter.message(Event(code, _TRANSFERS[code]), _from_us(reporter, receiver), objects)


def not_sent(
    reporter: Reporter, receiver: Peer, objects: tuple[AuditedObject, ...], why: str
) -> AuditMessage:
    """A transfer by us that did not take place (A.5.3.7)."""
    event = Event(codes.INSTANCES_TRANSFERRED, Action.READ, Result.SERIOUS_FAILURE, description=why)
    return reporter.message(event, _from_us(reporter, receiver), objects)


def deleted(reporter: Reporter, objects: tuple[AuditedObject, ...]) -> AuditMessage:
    """Images or results of a study deleted by the retention (A.5.3.8)."""
    event = Event(codes.STUDY_DELETED, Action.DELETE)
    return reporter.message(event, (reporter.itself(is_requestor=True),), objects)


def accessed(
    reporter: Reporter, user: str, action: Action, objects: tuple[AuditedObject, ...]
) -> AuditMessage:
    """A person saw or used instances (A.5.3.6)."""
    event = Event(codes.INSTANCES_ACCESSED, action)
    return reporter.message(event, (Participant(user, is_requestor=True),), objects)


def authentication(
    reporter: Reporter, kind: Code, user: str, address: str, result: Result
) -> AuditMessage:
    """A person logged in or out, or tried to (A.5.3.12)."""
    event = Event(codes.USER_AUTHENTICATION, Action.EXECUTE, result, (kind,))
    person = Participant(user, is_requestor=True, address=address)
    return reporter.message(event, (person, reporter.itself()))


def security_alert(
    reporter: Reporter, kind: Code, performer: Participant, subject: AuditedObject
) -> AuditMessage:
    """A refused peer, or a function refused to a person (A.5.3.11)."""
    event = Event(codes.SECURITY_ALERT, Action.EXECUTE, Result.MINOR_FAILURE, (kind,))
    return reporter.message(event, (reporter.itself(), performer), (subject,))


def query(reporter: Reporter, asked: Peer, identifier: AuditedObject) -> AuditMessage:
    """A query issued by us (A.5.3.10)."""
    return reporter.message(
        Event(codes.QUERY, Action.EXECUTE), _from_us(reporter, asked), (identifier,)
    )


def _from_us(reporter: Reporter, receiver: Peer) -> tuple[Participant, ...]:
    return (
        reporter.itself(codes.SOURCE, is_requestor=True),
        _peer(receiver, codes.DESTINATION),
    )


def _peer(peer: Peer, role: Code, is_requestor: bool = False) -> Participant:
    return Participant(
        peer.ae_title or peer.address, is_requestor, (role,), peer.ae_title, address=peer.address
    )
