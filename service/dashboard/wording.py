"""Numbers and times as people read them; the filters of the templates."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

ABSENT = "–"
NOTIFIED = "notify:"
"""Begins the names of `service.notifications` among the deliveries."""
STATE_WORDS = {
    "queued": "waiting",
    "running": "running",
    "analysed": "analysed",
    "not_analysable": "not analysable",
    "failed": "failed",
    "cancelled": "cancelled",
    "sending": "sending",
    "retrying": "retrying",
    "delivered": "delivered",
    "superseded": "superseded",
    "trouble": "needs attention",
    "all": "all",
}
STEP_WORDS = {
    "waiting": "waiting in the queue",
    "assemble": "assemble the volume",
    "segment": "segment vertebrae",
    "measure": "measure heights",
    "texture": "density and texture",
    "write": "write results",
    "verify": "verify results",
    "finish": "finish",
}


def now_ms() -> int:
    """Epoch milliseconds."""
    return int(time.time() * 1000)


def duration(seconds: float | None) -> str:
    """``0.42 s``, ``12 s``, ``3 min 4 s``, ``2 h 10 min``, ``3 d``."""
    if seconds is None:
        return ABSENT
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds >= 0.95 else f"{seconds:.2f} s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if minutes == 0:
        return f"{whole} s"
    hours, minutes = divmod(minutes, 60)
    if hours == 0:
        return f"{minutes} min {rest} s" if minutes < 10 else f"{minutes} min"
    days, hours = divmod(hours, 24)
    if days == 0:
        return f"{hours} h {minutes} min" if hours < 10 else f"{hours} h"
    return f"{days} d {hours} h" if days < 10 else f"{days} d"


def elapsed(started_ms: int | None, ended_ms: int | None = None) -> str:
    """How long something took, or has taken so far."""
    if started_ms is None:
        return ABSENT
    return duration(((ended_ms or now_ms()) - started_ms) / 1000)


def age(at_ms: int | None) -> str:
    """How long ago, coarse enough to stay the same for a while."""
    if not at_ms:
        return ABSENT
    seconds = (now_ms() - at_ms) / 1000
    if seconds < 60:
        return "< 1 min"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if hours < 3 else f"{hours} h"
    return f"{hours // 24} d"


def until(at_ms: int | None) -> str:
    """How long until a time."""
    return ABSENT if at_ms is None else duration((at_ms - now_ms()) / 1000)


def clock(at_ms: int | None) -> str:
    """Time of day on this machine; with the date unless it is today's."""
    if not at_ms:
        return ABSENT
    moment = datetime.fromtimestamp(at_ms / 1000).astimezone()
    today = datetime.now().astimezone().date() == moment.date()
    return f"{moment:%H:%M:%S}" if today else f"{moment:%d %b %H:%M}"


def iso(at_ms: int | None) -> str:
    """ISO 8601 in UTC, for programs."""
    return datetime.fromtimestamp((at_ms or 0) / 1000, UTC).isoformat(timespec="seconds")


def zone() -> str:
    """Name of this machine's time zone."""
    return datetime.now().astimezone().tzname() or "local"


def size(count: float) -> str:
    """Bytes in binary units."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit in ("B", "KiB") else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def number(value: float | None, digits: int = 0) -> str:
    """A rounded number, or a dash."""
    return ABSENT if value is None else f"{value:.{digits}f}"


def millimetres(value: float | None) -> str:
    """``1.25 mm``; empty if it is not known."""
    return "" if value is None else f"{value:g} mm"


def state_words(state: str) -> str:
    """A state as people say it."""
    return STATE_WORDS.get(state, state.replace("_", " "))


def destination_words(name: str) -> str:
    """An archive by its name; a notification channel as such."""
    if name.startswith(NOTIFIED):
        return f"{name.removeprefix(NOTIFIED)} (notification)"
    return name


def step_words(step: str) -> str:
    """A step as people say it."""
    return STEP_WORDS.get(step, step)


FILTERS: dict[str, Callable[..., Any]] = {
    "age": age,
    "clock": clock,
    "destination_words": destination_words,
    "duration": duration,
    "elapsed": elapsed,
    "iso": iso,
    "millimetres": millimetres,
    "number": number,
    "size": size,
    "state_words": state_words,
    "step_words": step_words,
    "until": until,
}
