"""HL7 v2.5.1 ORU^R01 of one series; preliminary, because nobody has read the images."""

from __future__ import annotations

from datetime import UTC, datetime

from hl7apy.core import Group, Message, Segment

from service.config.notifications import Hl7Config
from service.notifications.announcement import RESEARCH_USE
from service.notifications.observations import (
    STUDY_CODE,
    Observation,
    conclusion,
    observations,
)
from service.subject import Subject
from sr_writer import Findings

PRELIMINARY = "P"
LOCAL_CODES = "99SPINENODE"
_ESCAPES = {
    "\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\",
    "\r": "\\.br\\", "\n": "\\.br\\",
}  # fmt: skip
_XPN_COMPONENTS = 5


def oru_message(
    job_id: str, findings: Findings, subject: Subject, settings: Hl7Config, node: str
) -> Message:
    """Build the message.

    Parameters
    ----------
    job_id
        Becomes the message control id, the same at each attempt.
    node
        Sending application.
    """
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")
    message = Message("ORU_R01", version="2.5.1")
    msh = message.msh
    msh.msh_3 = escaped(node)
    msh.msh_5 = escaped(settings.receiving_application)
    msh.msh_6 = escaped(settings.receiving_facility)
    msh.msh_7 = now
    msh.msh_9 = "ORU^R01^ORU_R01"
    msh.msh_10 = job_id
    msh.msh_11 = "P"
    msh.msh_18 = "UNICODE UTF-8"
    result = message.add_group("ORU_R01_PATIENT_RESULT")
    _patient(result.add_group("ORU_R01_PATIENT").add_segment("PID"), subject)
    order = result.add_group("ORU_R01_ORDER_OBSERVATION")
    _request(order.add_segment("OBR"), subject, job_id, now)
    _observations(order, findings)
    return message


def escaped(text: str) -> str:
    """Text with HL7's delimiters escaped (Section 2.7)."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def _patient(pid: Segment, subject: Subject) -> None:
    identifier = escaped(subject.PatientID)
    if subject.IssuerOfPatientID:
        identifier += f"^^^{escaped(subject.IssuerOfPatientID)}"
    pid.pid_3 = identifier
    pid.pid_5 = "^".join(_name(subject.PatientName))
    pid.pid_7 = escaped(subject.PatientBirthDate)
    pid.pid_8 = escaped(subject.PatientSex)


def _name(parts: tuple[str, ...]) -> list[str]:
    """DICOM orders prefix before suffix (PS3.5 6.2.1.2), XPN the other way round."""
    padded = [escaped(part) for part in (*parts, *[""] * _XPN_COMPONENTS)][:_XPN_COMPONENTS]
    family, given, middle, prefix, suffix = padded
    name = [family, given, middle, suffix, prefix]
    while name and not name[-1]:
        name.pop()
    return name


def _request(obr: Segment, subject: Subject, job_id: str, now: str) -> None:
    obr.obr_1 = "1"
    obr.obr_2 = escaped(subject.PlacerOrderNumber)
    obr.obr_3 = escaped(subject.FillerOrderNumber or subject.AccessionNumber or job_id)
    obr.obr_4 = f"{STUDY_CODE[0]}^{STUDY_CODE[1]}^LN"
    obr.obr_7 = escaped(subject.StudyDate + subject.StudyTime[:6])
    obr.obr_18 = escaped(subject.AccessionNumber)
    obr.obr_22 = now
    obr.obr_24 = "CT"
    obr.obr_25 = PRELIMINARY


def _observations(order: Group, findings: Findings) -> None:
    rows = [_uid_row(findings), *map(_row, observations(findings))]
    rows += [
        ("TX", f"conclusion^Conclusion^{LOCAL_CODES}", "", conclusion(findings), ""),
        ("TX", f"notice^Notice^{LOCAL_CODES}", "", RESEARCH_USE, ""),
    ]
    for number, (kind, code, level, value, unit) in enumerate(rows, 1):
        obx = order.add_group("ORU_R01_OBSERVATION").add_segment("OBX")
        obx.obx_1 = str(number)
        obx.obx_2 = kind
        obx.obx_3 = code
        obx.obx_4 = level
        obx.obx_5 = escaped(value)
        obx.obx_6 = unit
        obx.obx_11 = PRELIMINARY


def _uid_row(findings: Findings) -> tuple[str, str, str, str, str]:
    uid = findings.source.study_instance_uid or ""
    return "ST", "110180^Study Instance UID^DCM", "", uid, ""


def _row(observation: Observation) -> tuple[str, str, str, str, str]:
    code = f"{observation.code[0]}^{observation.code[1]}^{LOCAL_CODES}"
    if isinstance(observation.value, str):
        return "ST", code, observation.level, observation.value, ""
    unit = f"{observation.unit}^{observation.unit}^UCUM"
    return "NM", code, observation.level, f"{observation.value:g}", unit
