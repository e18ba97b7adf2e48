"""The clock of the host jumps to and fro by days, while series arrive and deliveries wait."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest
from waiting import free_port, wait_for

from rig.aftermath import all_delivered, assess
from rig.archive import RememberingArchive
from rig.senders import Sender
from rig.service_process import Installation
from rig.shifted_clock import ShiftedClock
from rig.small_series import copy_series, spine, too_short

DAY = 86_400
JUMPS = (0, 2 * DAY, -DAY, 5 * DAY, 0)
"""Seconds ahead of the true clock, one after the other."""
SPEED = 30

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_nothing_is_lost_and_nothing_waits_for_the_clock(tmp_path):
    base = spine(tmp_path / "base")
    series = [
        copy_series(base, tmp_path / f"spine{n}", f"spine{n}")
        if n % 2
        else too_short(tmp_path / f"other{n}", f"other{n}")
        for n in range(2 * len(JUMPS))
    ]
    clock = ShiftedClock(tmp_path)
    port = free_port()
    installation = Installation(tmp_path, port)
    installation.program = ("rig.hurried_service", str(SPEED))
    installation.environment = clock.environment
    senders = []
    with installation.process("serve") as service:
        for number, jump in enumerate(JUMPS):
            clock.jump(jump)
            mine = series[2 * number : 2 * number + 2]
            senders.append(Sender(mine, installation.node))
            senders[-1].run()
            wait_for(lambda n=number: len(installation.jobs()) == 2 * n + 2, "both jobs")
        created = [datetime.fromisoformat(job.created) for job in installation.jobs()]
        assert max(created) - min(created) > timedelta(days=5), "the service saw the jumps"
        # The archive comes only now, so that deliveries have waited across the jumps.
        with RememberingArchive(port) as archive:
            started = time.monotonic()
            wait_for(lambda: all_delivered(installation, series), "every result", 300)
            aftermath = assess(installation, archive, senders, series)
            print(f"\n  {len(JUMPS)} jumps, {time.monotonic() - started:.0f} s later: {aftermath}")
            assert aftermath.missing_in_spool == 0
            assert aftermath.acknowledged == sum(map(len, series))
            assert service.is_alive()
