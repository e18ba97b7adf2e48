"""FHIR R4 DiagnosticReport of one series; preliminary, because nobody has read the images.

Built with the R4B models of fhir.resources: DiagnosticReport, Observation and Patient are the same
in R4 and R4B as far as they are used here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fhir.resources.R4B.diagnosticreport import DiagnosticReport

from service.config.notifications import FhirConfig
from service.notifications.announcement import RESEARCH_USE
from service.notifications.observations import (
    LOCAL_SYSTEM,
    STUDY_CODE,
    Observation,
    conclusion,
    observations,
)
from service.subject import Subject
from sr_writer import Findings

JOB_SYSTEM = "urn:spinenode:job"
_PRELIMINARY = "preliminary"
_SEXES = {"M": "male", "F": "female", "O": "other"}


def diagnostic_report(
    job_id: str, findings: Findings, subject: Subject, settings: FhirConfig
) -> DiagnosticReport:
    """Build the resource; patient and observations are contained in it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    measured = [_observation(number, each) for number, each in enumerate(observations(findings), 1)]
    document: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "contained": [_patient(subject, settings), *measured],
        "identifier": [{"system": JOB_SYSTEM, "value": job_id}],
        "status": _PRELIMINARY,
        "category": [_coding("http://terminology.hl7.org/CodeSystem/v2-0074", "RAD", "Radiology")],
        "code": _coding("http://loinc.org", *STUDY_CODE),
        "subject": {"reference": "#patient"},
        "issued": now,
        "imagingStudy": [{"identifier": _study_identifier(findings)}],
        "conclusion": f"{conclusion(findings)} {RESEARCH_USE}",
    }
    if measured:
        document["result"] = [{"reference": f"#{each['id']}"} for each in measured]
    if subject.AccessionNumber:
        document["basedOn"] = [{"identifier": _accession(subject, settings)}]
    return DiagnosticReport.model_validate(document)


def _coding(system: str, code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def _study_identifier(findings: Findings) -> dict[str, str]:
    """PS3.18 and FHIR ImagingStudy: a UID is an OID in the system of URIs."""
    uid = findings.source.study_instance_uid or ""
    return {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}


def _accession(subject: Subject, settings: FhirConfig) -> dict[str, Any]:
    kind = _coding("http://terminology.hl7.org/CodeSystem/v2-0203", "ACSN", "Accession ID")
    return _identifier(settings.accession_system, subject.AccessionNumber) | {"type": kind}


def _identifier(system: str, value: str) -> dict[str, Any]:
    return {"value": value} | ({"system": system} if system else {})


def _patient(subject: Subject, settings: FhirConfig) -> dict[str, Any]:
    patient: dict[str, Any] = {"resourceType": "Patient", "id": "patient"}
    if subject.PatientID:
        system = settings.patient_system
        patient["identifier"] = [_identifier(system, subject.PatientID)]
    if any(subject.PatientName):
        patient["name"] = [_name(subject.PatientName)]
    if subject.PatientSex in _SEXES:
        patient["gender"] = _SEXES[subject.PatientSex]
    if (born := _date(subject.PatientBirthDate)) is not None:
        patient["birthDate"] = born
    return patient


def _name(parts: tuple[str, ...]) -> dict[str, Any]:
    family, given, middle, prefix, suffix = (*parts, "", "", "", "", "")[:5]
    name: dict[str, Any] = {}
    if family:
        name["family"] = family
    if given or middle:
        name["given"] = [part for part in (given, middle) if part]
    if prefix:
        name["prefix"] = [prefix]
    if suffix:
        name["suffix"] = [suffix]
    return name


def _date(text: str) -> str | None:
    """FHIR date of a DICOM DA, or None where it is none."""
    try:
        return datetime.strptime(text, "%Y%m%d").date().isoformat()
    except ValueError:
        return None


def _observation(number: int, observation: Observation) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "id": f"observation-{number}",
        "status": _PRELIMINARY,
        "code": _coding(LOCAL_SYSTEM, *observation.code),
        "subject": {"reference": "#patient"},
    }
    if observation.level:
        resource["bodySite"] = {"text": observation.level}
    if isinstance(observation.value, str):
        resource["valueString"] = observation.value
    else:
        resource["valueQuantity"] = {
            "value": observation.value,
            "unit": observation.unit,
            "system": "http://unitsofmeasure.org",
            "code": observation.unit,
        }
    return resource
