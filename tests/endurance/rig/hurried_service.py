"""`spinenode` in a hurry: `python -m rig.hurried_service SPEED serve --config FILE`.

Every pause of the service is divided by SPEED: the backoff of deliveries and of hand-overs, and
the interval of the house-keeping. What takes time because of work takes the time it takes, and
limits of the network stay what they are. Ages in days are for the configuration to shorten.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import node.completion
import service.app
import service.delivery
import service.retention
from node import BackoffPolicy
from service.cli import main


def hurry(speed: float) -> None:
    service.delivery.BACKOFF = _shorter(service.delivery.BACKOFF, speed)
    node.completion.RETRY = _shorter(node.completion.RETRY, speed)
    service.app._RETENTION_INTERVAL_SECONDS /= speed
    service.retention.MARGIN /= speed


def _shorter(policy: BackoffPolicy, speed: float) -> BackoffPolicy:
    return replace(
        policy,
        first_seconds=policy.first_seconds / speed,
        longest_seconds=policy.longest_seconds / speed,
    )


if __name__ == "__main__":
    hurry(float(sys.argv.pop(1)))
    main()
