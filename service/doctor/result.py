"""What one check found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class CheckResult:
    """One check; `fix` says what to do when it failed."""

    name: str
    ok: bool
    found: str
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def line(self) -> str:
        """One line for a terminal."""
        if self.ok:
            return f"ok    {self.name:<12} {self.found}"
        return f"FAIL  {self.name:<12} {self.found}. Fix: {self.fix}"


def passed(name: str, found: str) -> CheckResult:
    """A check that found nothing wrong."""
    return CheckResult(name, True, found)


def failed(name: str, found: str, fix: str) -> CheckResult:
    """A check that did; `fix` is a sentence about what to do."""
    return CheckResult(name, False, found, fix)
