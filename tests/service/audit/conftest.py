"""Judging audit messages by the standard's schema, and a sink that keeps them in memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree
from tls_files import tls_files  # noqa: F401 - fixture

from service.audit.events import Reporter
from service.audit.recorder import Recorder
from service.audit.trail import AuditTrail

SCHEMA = etree.RelaxNG(file=str(Path(__file__).parent / "audit_message.rng"))


class Message:
    """One audit message that obeys the schema, and short ways to look into it."""

    def __init__(self, xml: bytes) -> None:
        self.tree = etree.fromstring(xml)
        SCHEMA.assertValid(self.tree)

    @property
    def event(self) -> str:
        return self.tree.find("EventIdentification/EventID").get("originalText")

    @property
    def kinds(self) -> list[str]:
        codes = self.tree.findall("EventIdentification/EventTypeCode")
        return [code.get("originalText") for code in codes]

    def get(self, attribute: str) -> str:
        return self.tree.find("EventIdentification").get(attribute)

    @property
    def participants(self) -> list[tuple[str, str | None]]:
        """User id and role."""
        return [
            (each.get("UserID"), role.get("originalText") if role is not None else None)
            for each in self.tree.findall("ActiveParticipant")
            for role in [each.find("RoleIDCode")]
        ]

    def object(self, id_type: str):
        for each in self.tree.findall("ParticipantObjectIdentification"):
            if each.find("ParticipantObjectIDTypeCode").get("originalText") == id_type:
                return each
        raise AssertionError(f"no {id_type}")


class MemorySink:
    name = "memory"

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, xml: bytes) -> None:
        self.written.append(xml)

    def close(self) -> None:
        pass


class Audited:
    """A recorder, and what it recorded once it was stopped."""

    def __init__(self, identifiers: bool) -> None:
        self._sink = MemorySink()
        self._trail = AuditTrail([self._sink])
        reporter = Reporter("SPINENODE", "St. Elsewhere", "4711", "node.example.org")
        self.recorder = Recorder(self._trail, reporter, identifiers)

    def messages(self) -> list[Message]:
        self._trail.stop()
        return [Message(xml) for xml in self._sink.written]

    def only(self) -> Message:
        (message,) = self.messages()
        return message


@pytest.fixture
def audited() -> Audited:
    """A trail that names no patients."""
    return Audited(identifiers=False)


@pytest.fixture
def audited_by_name() -> Audited:
    """A trail that names patients."""
    return Audited(identifiers=True)
