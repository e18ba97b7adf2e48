"""What mail and webhooks say: no patient identifier, only UIDs, levels and a link."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from service.config.notifications import Subject
from sr_writer import Findings

SCHEMA = "spinenode.notification/1"
RESEARCH_USE = "Research use only. Not for diagnosis."
CLEARED = "cleared"


@dataclass(frozen=True)
class Announcement:
    """One thing to be told.

    Attributes
    ----------
    id
        The same at each attempt, so that receivers can leave out repetitions.
    lines
        The text of a mail.
    facts
        The fields of a webhook beside the common ones.
    """

    about: Subject
    id: str
    title: str
    lines: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)

    def document(self, node: str) -> dict[str, Any]:
        """The JSON of a webhook."""
        return {
            "schema": SCHEMA, "id": self.id, "about": self.about, "node": node,
            "title": self.title, **self.facts,
        }  # fmt: skip


def fracture_announcement(job_id: str, findings: Findings, dashboard_url: str) -> Announcement:
    """The flagged levels of one series."""
    flagged = flagged_levels(findings)
    link = job_link(dashboard_url, job_id)
    source = findings.source
    lines = [
        "Flagged: " + ", ".join(_level_text(level) for level in flagged) + ".",
        f"Study {source.study_instance_uid or 'without UID'}",
        f"Job {job_id}" + (f": {link}" if link else ""),
        RESEARCH_USE,
    ]
    return Announcement(
        "fracture",
        f"{job_id}-fracture",
        "fracture flagged: " + ", ".join(level["label"] for level in flagged),
        tuple(lines),
        {
            "job_id": job_id,
            "study_instance_uid": source.study_instance_uid,
            "series_instance_uid": source.series_instance_uid,
            "levels": flagged,
            "link": link or None,
            "notice": RESEARCH_USE,
        },
    )


def trouble_announcement(
    id_: str, component: str, text: str, state: str, dashboard_url: str
) -> Announcement:
    """Something that does not work, or works again (`state` is ``began`` or ``cleared``)."""
    title = f"trouble: {component}" if state != CLEARED else f"works again: {component}"
    lines = [f"{component}: {text}"] if text else [title]
    if dashboard_url:
        lines.append(dashboard_url)
    facts = {"component": component, "state": state, "text": text, "link": dashboard_url or None}
    return Announcement("trouble", id_, title, tuple(lines), facts)


def flagged_levels(findings: Findings) -> list[dict[str, Any]]:
    """The flagged vertebrae as a webhook lists them."""
    return [
        {
            "label": vertebra.label,
            "genant_grade": vertebra.genant.grade,
            "genant_type": vertebra.genant.type,
            "height_loss": vertebra.height_loss,
        }
        for vertebra in findings.vertebrae
        if vertebra.fractured
    ]


def job_link(dashboard_url: str, job_id: str) -> str:
    """Where the job is shown, if the pages' address is configured."""
    return f"{dashboard_url.rstrip('/')}/jobs/{job_id}" if dashboard_url else ""


def _level_text(level: dict[str, Any]) -> str:
    text = f"{level['label']} {level['genant_type']}, Genant grade {level['genant_grade']}"
    if level["height_loss"] is not None:
        text += f", {100 * level['height_loss']:.0f} % height loss"
    return text
