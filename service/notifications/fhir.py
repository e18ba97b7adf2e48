"""DiagnosticReports to a FHIR server, created once however often they are sent."""

from __future__ import annotations

from service.config.notifications import FhirConfig
from service.notifications.diagnostic_report import JOB_SYSTEM, diagnostic_report
from service.notifications.post import Posted, post
from service.subject import Subject
from sr_writer import Findings


class FhirServer:
    """Posts results to one FHIR base URL."""

    def __init__(self, settings: FhirConfig) -> None:
        self._settings = settings

    def report(self, job_id: str, findings: Findings, subject: Subject) -> None:
        """Create the report of one job; see `post` for the errors."""
        resource = diagnostic_report(job_id, findings, subject, self._settings)
        headers = {
            "Content-Type": "application/fhir+json",
            "Accept": "application/fhir+json",
            # Conditional create: a server that has it already answers 200 and keeps one.
            "If-None-Exist": f"identifier={JOB_SYSTEM}|{job_id}",
        }
        if self._settings.authorization:
            headers["Authorization"] = self._settings.authorization
        url = f"{self._settings.url.rstrip('/')}/DiagnosticReport"
        body = resource.model_dump_json().encode()
        post(Posted(url, body, headers, self._settings.ca))
