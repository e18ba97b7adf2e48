"""What the parts of the service call when something has to be audited."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info

from node import ReceivedSeries
from service.audit import codes, events
from service.audit.codes import Code
from service.audit.events import Peer, Reporter
from service.audit.message import (
    Action,
    AuditedObject,
    Participant,
    Result,
    patient,
    study,
)
from service.audit.trail import AuditTrail
from service.subject import Subject, read_subject

ALARMING = ("called_ae_title_not_recognised", "calling_ae_title_not_recognised", "tls_failed")
"""Refusals that may be an attempt to get in; the others are load, or no DICOM at all."""


@dataclass(frozen=True)
class Sent:
    """Results on their way: objects by SOP class, and source images that name the patient."""

    StudyInstanceUID: str
    instances: tuple[tuple[str, int], ...]
    images: tuple[Path, ...]


class Recorder:
    """Every method returns at once; what has to be read is read in the trail's own thread.

    Parameters
    ----------
    identifiers
        Whether messages name the patient; otherwise studies are named by their UID alone.
    """

    def __init__(self, trail: AuditTrail, reporter: Reporter, identifiers: bool) -> None:
        self._trail = trail
        self._reporter = reporter
        self._identifiers = identifiers

    def started(self) -> None:
        """The service runs."""
        self._activity(codes.APPLICATION_START)

    def stopped(self) -> None:
        """The service ends: write what waits."""
        self._activity(codes.APPLICATION_STOP)
        self.finish()

    def finish(self) -> None:
        """Write what waits, and record nothing more."""
        self._trail.stop()

    def received(self, series: ReceivedSeries, sender: Peer) -> None:
        """A series arrived whole."""
        paths = tuple(file.path for file in series.files)
        self._trail.record(
            lambda: events.received(
                self._reporter,
                sender,
                self._of(series.StudyInstanceUID, paths, _by_class(paths)),
            )
        )

    def sending(self, sent: Sent, receiver: Peer) -> None:
        """Results are about to be sent."""
        self._send(codes.BEGIN_TRANSFERRING, sent, receiver)

    def sent(self, sent: Sent, receiver: Peer) -> None:
        """Results arrived."""
        self._send(codes.INSTANCES_TRANSFERRED, sent, receiver)

    def not_sent(self, sent: Sent, receiver: Peer) -> None:
        """Results did not arrive."""
        self._trail.record(
            lambda: events.not_sent(
                self._reporter, receiver, self._objects(sent), "the results did not arrive"
            )
        )

    def accessed(self, user: str, action: Action, study_uid: str, images: tuple[Path, ...]) -> None:
        """A person saw who the patient is, or steered the job."""
        self._trail.record(
            lambda: events.accessed(self._reporter, user, action, self._of(study_uid, images, ()))
        )

    def deleted(self, study_uid: str) -> None:
        """The retention deleted what was kept of a study; nothing is left to name the patient."""
        self._trail.record(lambda: events.deleted(self._reporter, self._of(study_uid, (), ())))

    def authenticated(self, kind: Code, user: str, address: str, result: Result) -> None:
        """A person logged in or out, or tried to."""
        self._trail.record(
            lambda: events.authentication(self._reporter, kind, user, address, result)
        )

    def refused_peer(self, peer: Peer, reason: str) -> None:
        """An association was refused for who asked."""
        if reason not in ALARMING:
            return
        performer = Participant(
            peer.ae_title or peer.address, True, ae_title=peer.ae_title, address=peer.address
        )
        self._alert(codes.NODE_AUTHENTICATION, performer, codes.NODE_ID, peer.address, reason)

    def refused_user(self, user: str, path: str, why: str) -> None:
        """A page or form was refused to a person."""
        performer = Participant(user or "unknown", True)
        self._alert(codes.RESTRICTED_FUNCTION, performer, codes.URI, path, why)

    def queried(self, peer: Peer, sop_class_uid: str, identifier: bytes, syntax: str) -> None:
        """An archive was asked; `identifier` is the encoded query."""
        asked = AuditedObject(
            sop_class_uid,
            codes.SOP_CLASS_UID,
            "2",
            "3",
            query=identifier,
            details=(("TransferSyntax", syntax),),
        )
        self._trail.record(lambda: events.query(self._reporter, peer, asked))

    @property
    def names_patients(self) -> bool:
        """Whether messages may hold identifiers."""
        return self._identifiers

    def _activity(self, kind: Code) -> None:
        self._trail.record(lambda: events.application_activity(self._reporter, kind))

    def _send(self, code: Code, sent: Sent, receiver: Peer) -> None:
        self._trail.record(
            lambda: events.sending(self._reporter, code, receiver, self._objects(sent))
        )

    def _alert(
        self, kind: Code, performer: Participant, id_type: Code, subject: str, why: str
    ) -> None:
        about = AuditedObject(
            subject or "unknown", id_type, "2", "13", details=(("Alert Description", why),)
        )
        self._trail.record(lambda: events.security_alert(self._reporter, kind, performer, about))

    def _objects(self, sent: Sent) -> tuple[AuditedObject, ...]:
        return self._of(sent.StudyInstanceUID, sent.images, sent.instances)

    def _of(
        self, study_uid: str, images: tuple[Path, ...], instances: tuple[tuple[str, int], ...]
    ) -> tuple[AuditedObject, ...]:
        subject = read_subject(images) if self._identifiers else Subject()
        return study(study_uid, instances), patient(subject.PatientID, subject.shown_name)


def _by_class(paths: Iterable[Path]) -> tuple[tuple[str, int], ...]:
    counts: Counter[str] = Counter()
    for path in paths:
        with suppress(InvalidDicomError, OSError, AttributeError):
            counts[str(read_file_meta_info(path).MediaStorageSOPClassUID)] += 1
    return tuple(sorted(counts.items()))
