"""One audit message and its XML (DICOM PS3.15 A.5.1, the schema that grew from RFC 3881)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import ip_address
from xml.etree import ElementTree as ET

from service.audit.codes import PATIENT_NUMBER, STUDY_UID, Code

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Everything outside the Char production of XML 1.0; peers and browsers choose some texts."""
_APPLICATION_SERVER = "4"


class Action(StrEnum):
    """EventActionCode."""

    CREATE = "C"
    READ = "R"
    UPDATE = "U"
    DELETE = "D"
    EXECUTE = "E"


class Result(StrEnum):
    """EventOutcomeIndicator."""

    SUCCESS = "0"
    MINOR_FAILURE = "4"
    SERIOUS_FAILURE = "8"


@dataclass(frozen=True)
class Event:
    """What happened."""

    code: Code
    action: Action
    result: Result = Result.SUCCESS
    kinds: tuple[Code, ...] = ()
    description: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Participant:
    """Who took part; `address` is a host name or an IP address."""

    user_id: str
    is_requestor: bool
    roles: tuple[Code, ...] = ()
    ae_title: str = ""
    name: str = ""
    address: str = ""


@dataclass(frozen=True)
class AuditedObject:
    """What it happened to.

    Attributes
    ----------
    type_code, role
        ParticipantObjectTypeCode and ParticipantObjectTypeCodeRole, for example 2 and 3 (a study).
    query
        Encoded identifier of a query; then there is no `name`.
    details
        Pairs of a type and a value.
    instances
        Number of instances by SOP class UID.
    """

    id: str
    id_type: Code
    type_code: str
    role: str
    name: str = ""
    query: bytes | None = None
    details: tuple[tuple[str, str], ...] = ()
    instances: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class AuditMessage:
    """One message; `source_id` and `site` name the system that reports."""

    event: Event
    participants: tuple[Participant, ...]
    objects: tuple[AuditedObject, ...]
    source_id: str
    site: str = ""

    def to_xml(self) -> bytes:
        """UTF-8 on a single line."""
        root = ET.Element("AuditMessage")
        _event(root, self.event)
        for participant in self.participants:
            _participant(root, participant)
        source = {"AuditSourceID": _clean(self.source_id)}
        if self.site:
            source["AuditEnterpriseSiteID"] = _clean(self.site)
        element = ET.SubElement(root, "AuditSourceIdentification", source)
        ET.SubElement(element, "AuditSourceTypeCode", {"csd-code": _APPLICATION_SERVER})
        for audited in self.objects:
            _object(root, audited)
        text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
        return text.replace(b"\n", b" ")


def study(uid: str, instances: tuple[tuple[str, int], ...] = ()) -> AuditedObject:
    """A study, with the number of its instances by SOP class."""
    return AuditedObject(uid, STUDY_UID, "2", "3", instances=instances)


def patient(patient_id: str, name: str) -> AuditedObject:
    """A patient; both are empty where identifiers are not recorded."""
    return AuditedObject(patient_id, PATIENT_NUMBER, "1", "1", name=name)


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _coded(parent: ET.Element, tag: str, code: Code) -> None:
    attributes = {
        "csd-code": code.value, "codeSystemName": code.scheme, "originalText": code.meaning,
    }  # fmt: skip
    ET.SubElement(parent, tag, attributes)


def _event(root: ET.Element, event: Event) -> None:
    attributes = {
        "EventActionCode": event.action.value,
        "EventDateTime": event.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "EventOutcomeIndicator": event.result.value,
    }
    element = ET.SubElement(root, "EventIdentification", attributes)
    _coded(element, "EventID", event.code)
    for kind in event.kinds:
        _coded(element, "EventTypeCode", kind)
    if event.description:
        ET.SubElement(element, "EventOutcomeDescription").text = _clean(event.description)


def _participant(root: ET.Element, participant: Participant) -> None:
    attributes = {
        "UserID": _clean(participant.user_id),
        "UserIsRequestor": str(participant.is_requestor).lower(),
    }
    if participant.ae_title:
        attributes["AlternativeUserID"] = _clean(f"AETITLES={participant.ae_title}")
    if participant.name:
        attributes["UserName"] = _clean(participant.name)
    if participant.address:
        attributes["NetworkAccessPointID"] = _clean(participant.address)
        attributes["NetworkAccessPointTypeCode"] = "2" if _is_ip(participant.address) else "1"
    element = ET.SubElement(root, "ActiveParticipant", attributes)
    for role in participant.roles:
        _coded(element, "RoleIDCode", role)


def _object(root: ET.Element, audited: AuditedObject) -> None:
    attributes = {
        "ParticipantObjectID": _clean(audited.id),
        "ParticipantObjectTypeCode": audited.type_code,
        "ParticipantObjectTypeCodeRole": audited.role,
    }
    element = ET.SubElement(root, "ParticipantObjectIdentification", attributes)
    _coded(element, "ParticipantObjectIDTypeCode", audited.id_type)
    if audited.query is None:
        ET.SubElement(element, "ParticipantObjectName").text = _clean(audited.name)
    else:
        ET.SubElement(element, "ParticipantObjectQuery").text = _base64(audited.query)
    for kind, value in audited.details:
        pair = {"type": kind, "value": _base64(value.encode(errors="replace"))}
        ET.SubElement(element, "ParticipantObjectDetail", pair)
    if audited.instances:
        description = ET.SubElement(element, "ParticipantObjectDescription")
        for uid, number in audited.instances:
            attributes = {"UID": uid, "NumberOfInstances": str(number)}
            ET.SubElement(description, "SOPClass", attributes)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _is_ip(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return False
    return True
