"""One job: its findings, its pictures, its way through the steps and to the archives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from service.dashboard.accounts import Visitor
from service.dashboard.job_detail import DeliveryDetail, JobDetail, Span, read_job
from service.dashboard.patient import PatientLine, patient_lines
from service.dashboard.rendering import Renderer
from service.dashboard.sent_objects import SentObjects, sent_objects
from service.dashboard.sources import DashboardSources
from service.dashboard.wording import destination_words, now_ms, state_words
from service.steps import STEPS
from sr_writer.wording import FIELD_WORDS, FLAG_WORDS, GRADE_WORDS, conclusion

_WIDTH = 1000.0
_THINNEST = 4.0
DONE_WORDS = {"retry": "Queued.", "cancel": "Cancelled."}


class NotAllowed(Exception):
    """The visitor's role does not include this."""


class NotThere(Exception):
    """There is no such job, or it has no such file."""


@dataclass(frozen=True)
class Bar:
    """A span of the timeline drawn on a line of 1000 units."""

    span: Span
    x: float
    width: float


class JobPages:
    """Pages and actions of one job."""

    def __init__(self, sources: DashboardSources, renderer: Renderer) -> None:
        self._sources = sources
        self._renderer = renderer

    async def job(self, request: Request) -> Response:
        """The whole page."""
        values = await run_in_threadpool(self._look, _job_id(request))
        address = f"/live/jobs/{values['job'].id}"
        part = self._renderer.part(request, "job_live.html", address, **values)
        done = DONE_WORDS.get(request.query_params.get("done", ""), "")
        return self._renderer.page(request, "job.html", part=part, job=values["job"], done=done)

    async def live(self, request: Request) -> Response:
        """The part that renews itself."""
        values = await run_in_threadpool(self._look, _job_id(request))
        address = f"/live/jobs/{values['job'].id}"
        return self._renderer.renewed(request, "job_live.html", address, **values)

    async def retry(self, request: Request) -> Response:
        """Queue again what failed, or a series that was left out."""
        return await self._act(request, "retry", self._sources.jobs.retry)

    async def cancel(self, request: Request) -> Response:
        """Stop what has not ended."""
        return await self._act(request, "cancel", self._sources.jobs.cancel)

    async def picture(self, request: Request) -> Response:
        """Overview or close-up; they carry no identity."""
        path = self._sources.records.picture(_job_id(request), request.path_params["name"])
        if path is None:
            raise NotThere("This job has no such picture.")
        return FileResponse(path, media_type="image/png")

    async def report(self, request: Request) -> Response:
        """The PDF, whose pages name the patient."""
        job_id = _job_id(request)
        path = self._sources.records.result_file(job_id, "report.pdf")
        if path is None:
            raise NotThere("This job has no report.")
        await self._seen(request, job_id, "report")
        return FileResponse(
            path,
            media_type="application/pdf",
            filename=f"report-{job_id}.pdf",
            content_disposition_type="inline",
        )

    async def patient(self, request: Request) -> Response:
        """Identifiers, on demand and audited."""
        job_id = _job_id(request)
        await run_in_threadpool(self._detail, job_id)
        await self._seen(request, job_id, "identifiers")
        lines = await run_in_threadpool(self._patient, job_id)
        return self._renderer.page(request, "patient.html", lines=lines)

    async def _seen(self, request: Request, job_id: str, what: str) -> None:
        """Let only those pass who may see identifiers, and keep a record of it."""
        visitor: Visitor = request.state.visitor
        if not visitor.sees_identifiers:
            await self._deny(request)
        await run_in_threadpool(self._sources.auditor.audit_access, visitor.name, job_id, what)

    async def _act(self, request: Request, what: str, act: Callable[[str], str]) -> Response:
        visitor: Visitor = request.state.visitor
        if not visitor.may_operate:
            await self._deny(request)
        job_id = _job_id(request)
        await run_in_threadpool(self._require, job_id)
        await run_in_threadpool(act, job_id)
        await run_in_threadpool(self._sources.auditor.audit_action, visitor.name, job_id, what)
        self._sources.board.forget()
        return RedirectResponse(f"/jobs/{job_id}?done={what}", status_code=303)

    async def _deny(self, request: Request) -> None:
        visitor: Visitor = request.state.visitor
        await run_in_threadpool(
            self._sources.auditor.audit_denied, visitor.name, request.url.path[:80], "role"
        )
        raise NotAllowed

    def _require(self, job_id: str) -> None:
        """A job, or a series that was left out and has no page of its own yet."""
        if not any(series.job_id == job_id for series in self._sources.left_out()):
            self._detail(job_id)

    def _detail(self, job_id: str) -> JobDetail:
        detail = read_job(self._sources.board, job_id)
        if detail is None:
            raise NotThere("There is no job of that number. It may have been cleaned up since.")
        return detail

    def _patient(self, job_id: str) -> tuple[PatientLine, ...]:
        records = self._sources.records
        request = records.request(job_id)
        report = records.result_file(job_id, "report.sr.dcm")
        files = [*(request.files if request else ()), *([report] if report else [])]
        return patient_lines(path for path in files if path.is_file())

    def _note(self, job_id: str, delivery: DeliveryDetail) -> str:
        note = self._sources.records.delivery_note(job_id, delivery.destination)
        return "" if note == delivery.problem else note

    def _objects(self, job_id: str, delivery: DeliveryDetail) -> SentObjects:
        written = self._sources.records.written(job_id)
        return sent_objects(written, delivery.destination, self._sources.object_state)

    def _look(self, job_id: str) -> dict[str, Any]:
        job = self._detail(job_id)
        records = self._sources.records
        findings = records.findings(job_id) if job.state != "running" else None
        return {
            "announcement": "; ".join(
                [f"job {state_words(job.state)}"]
                + [
                    f"{destination_words(d.destination)} {state_words(d.state)}"
                    for d in job.deliveries
                ]
            ),
            "job": job,
            "seconds": 2 if not job.settled else 15,
            "facts": records.facts(job_id),
            "ties": records.ties(job_id),
            "notes": {d.destination: self._note(job_id, d) for d in job.deliveries},
            "objects": {d.destination: self._objects(job_id, d) for d in job.deliveries},
            "findings": findings,
            "sentence": conclusion(findings) if findings else "",
            "bars": bars(job.spans),
            "steps": STEPS,
            "overview": records.picture(job_id, "overview.png") is not None,
            "closeups": records.closeups(job_id),
            "report": records.result_file(job_id, "report.pdf") is not None,
            "grade_words": GRADE_WORDS,
            "flag_words": FLAG_WORDS,
            "field_words": FIELD_WORDS,
        }


def bars(spans: tuple[Span, ...]) -> tuple[Bar, ...]:
    """Spans to scale between the first beginning and the last end."""
    if not spans:
        return ()
    now = now_ms()
    begin = min(span.started_ms for span in spans)
    end = max(span.ended_ms or now for span in spans)
    scale = _WIDTH / max(1, end - begin)
    drawn = []
    for span in spans:
        width = max(_THINNEST, ((span.ended_ms or now) - span.started_ms) * scale)
        x = min((span.started_ms - begin) * scale, _WIDTH - width)
        drawn.append(Bar(span, round(max(0.0, x), 1), round(width, 1)))
    return tuple(drawn)


def _job_id(request: Request) -> str:
    job_id = str(request.path_params["job_id"])
    if not job_id.isascii() or not job_id.isalnum() or len(job_id) > 64:
        raise NotThere("There is no job of that number.")
    return job_id
