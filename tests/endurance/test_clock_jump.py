"""The clock of the host jumps: two days ahead, then three back, while everything goes on.

libfaketime moves the wall clock of the service only; the monotonic clock stays true, as it does
when a host's clock is set.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rig.aftermath import all_delivered, assess
from rig.archive import RememberingArchive
from rig.senders import Sender
from rig.service_process import Installation, free_port, wait_for
from rig.small_series import copy_series, spine, too_short

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
JUMPS = ("+0", "+2d", "-1d", "+40d", "+0")
"""Offsets from the true time."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(LIBRARY is None, reason="no libfaketime: install Debian's faketime"),
]


def test_nothing_is_lost_and_nothing_waits_for_the_clock(tmp_path):
    base = spine(tmp_path / "base")
    series = [
        copy_series(base, tmp_path / f"spine{n}", f"spine{n}")
        if n % 2
        else too_short(tmp_path / f"other{n}", f"other{n}")
        for n in range(2 * len(JUMPS))
    ]
    offset = tmp_path / "offset"
    offset.write_text("+0\n")
    port = free_port()
    installation = Installation(tmp_path, port)
    installation.program = ("rig.hurried_service", "30")
    installation.environment = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    senders = []
    with installation.process("serve") as service:
        for number, jump in enumerate(JUMPS):
            offset.write_text(f"{jump}\n")
            mine = series[2 * number : 2 * number + 2]
            senders.append(Sender(mine, installation.node))
            senders[-1].start()
            time.sleep(3.0)
        jumped = max(job.created for job in installation.jobs())
        assert time.strptime(jumped[:19], "%Y-%m-%dT%H:%M:%S") > time.gmtime(time.time() + 86400)
        # The archive comes only now, so that deliveries wait across the jumps.
        with RememberingArchive(port) as archive:
            for each in senders:
                each.join(60)
            started = time.monotonic()
            wait_for(lambda: all_delivered(installation, series), "every result")
            aftermath = assess(installation, archive, senders, series)
            print(f"\n  {len(JUMPS)} jumps, {time.monotonic() - started:.0f} s later: {aftermath}")
            assert aftermath.missing_in_spool == 0
            assert aftermath.acknowledged == sum(map(len, series))
            assert service.is_alive()
