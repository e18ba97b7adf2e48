"""Which job goes first: smaller numbers before larger ones."""

from __future__ import annotations

STAT_PRIORITY = 1
HIGH_PRIORITY = 5
ROUTINE_PRIORITY = 10
LOW_PRIORITY = 20
BACKFILL_PRIORITY = 100
"""Research cohorts and old studies: only when nothing of today waits."""

NAMES = {
    STAT_PRIORITY: "stat",
    HIGH_PRIORITY: "high",
    ROUTINE_PRIORITY: "routine",
    LOW_PRIORITY: "low",
    BACKFILL_PRIORITY: "backfill",
}
OF_REQUESTED_PROCEDURE = {
    "STAT": STAT_PRIORITY,
    "HIGH": HIGH_PRIORITY,
    "ROUTINE": ROUTINE_PRIORITY,
    "MEDIUM": ROUTINE_PRIORITY,
    "LOW": LOW_PRIORITY,
}
"""Defined terms of Requested Procedure Priority (0040,1003), PS3.3 C.4.11."""


def priority_name(priority: int) -> str:
    """How people call a priority."""
    return NAMES.get(priority, str(priority))
