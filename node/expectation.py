"""How many images a series should have: what the archive said, and what follows for waiting.

Pure: times are readings of one monotonic clock, answers are handed in.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

CountSource = Callable[[str, str], int | None]
"""Number of images of (StudyInstanceUID, SeriesInstanceUID), or None if nobody knows; may raise
`Retryable` or `Permanent`."""

SETTLE_FRACTION = 0.2
"""Of `quiet_seconds`: pause before asking, so that a sender with one association per image is not
found complete after its first."""
ANSWER_PATIENCE_SECONDS = 15.0
ASK_AGAIN_SECONDS = 60.0


class Knowledge(enum.Enum):
    """What is known of the number of images."""

    NOT_ASKED = "not_asked"
    ASKED = "asked"
    REACHED = "reached"
    FEWER = "fewer"
    NONE = "none"


@dataclass(frozen=True)
class Expectation:
    """The state of knowledge, since when, and the last number that was announced."""

    knowledge: Knowledge
    since: float = 0.0
    announced: int | None = None

    def after_arrival(self) -> Expectation:
        """Return what holds once another instance arrived: the number is asked again."""
        if self == NOBODY_TO_ASK:
            return self
        return Expectation(Knowledge.NOT_ASKED, announced=self.announced)

    def asked(self, now: float) -> Expectation:
        """Return what holds while an answer is awaited."""
        fewer = self.knowledge is Knowledge.FEWER
        return Expectation(Knowledge.FEWER if fewer else Knowledge.ASKED, now, self.announced)

    def after_answer(self, announced: int | None, received: int, now: float) -> Expectation:
        """Return what an answer means; None leaves the last one standing.

        An archive that still receives the series itself announces fewer than are here: that says
        nothing about completeness.
        """
        number = self.announced if announced is None else announced
        if number is None or number < received or number <= 0:
            return Expectation(Knowledge.NONE, now, number)
        reached = number == received
        return Expectation(Knowledge.REACHED if reached else Knowledge.FEWER, now, number)


NOBODY_TO_ASK = Expectation(Knowledge.NONE)
NOT_ASKED = Expectation(Knowledge.NOT_ASKED)
