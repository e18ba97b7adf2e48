"""How long to wait before the next attempt: exponential, capped, with full-range jitter."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BackoffPolicy:
    """First delay, growth per attempt, longest delay, and when to give up (attempts)."""

    first_seconds: float = 5.0
    factor: float = 2.0
    longest_seconds: float = 600.0
    most_attempts: int = 12


def delay_seconds(policy: BackoffPolicy, attempts: int, unit_random: float) -> float:
    """Return the delay after `attempts` failures, between half and the whole of the step.

    Parameters
    ----------
    attempts
        Failures so far, 1 or more.
    unit_random
        A random number from 0 to 1; passed in so that the function stays pure.
    """
    # The exponent is capped: a float overflows long after the cap is reached.
    step = policy.first_seconds * policy.factor ** min(attempts - 1, 64)
    return min(step, policy.longest_seconds) * (0.5 + 0.5 * unit_random)
