"""One line of the table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """What one tool said about one set of objects; it passed if there are no faults."""

    tool: str
    objects: str
    what: str
    outcome: str
    faults: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[str, str, str]:
        outcome = self.outcome if not self.faults else f"FAILED: {len(self.faults)} faults"
        return self.tool, f"{self.objects}: {self.what}", outcome


def table(results: list[Result]) -> str:
    """Return the results as a Markdown table with aligned columns."""
    rows = [("tool", "objects", "result"), *(result.cells for result in results)]
    widths = [max(len(row[n]) for row in rows) for n in range(3)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
