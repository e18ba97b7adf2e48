"""60 series from 8 senders while the service is killed with -9 at 40 random instants.

"Exactly once" is about what the archive holds: each result under one SOPInstanceUID with one
content. The store itself can happen twice when a process dies between the archive's answer and
the entry in the ledger; no sender can tell that case from a lost request, so the object is sent
again, and the test counts how often and compares the bytes.
"""

from __future__ import annotations

import random
import threading
import time
from itertools import chain

import pytest
from waiting import wait_for

from rig.aftermath import all_delivered, assess
from rig.archive import RememberingArchive
from rig.senders import Sender
from rig.service_process import Installation, ServiceProcess
from rig.small_series import copy_series, spine, too_short

SENDERS, KILLS, SPINES, OTHERS = 8, 40, 12, 48
SEED = 20261121

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000), pytest.mark.xdist_group("kill_sweep")]


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    base = spine(folder / "base")
    spines = [copy_series(base, folder / f"spine{n}", f"spine{n}") for n in range(SPINES)]
    others = [too_short(folder / f"other{n}", f"other{n}") for n in range(OTHERS)]
    mixed = [*spines, *others]
    random.Random(SEED).shuffle(mixed)
    return mixed


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nothing_is_lost_and_nothing_doubled(database, series, tmp_path, request):
    rng = random.Random(SEED)
    url = request.getfixturevalue("postgresql_url") if database == "postgresql" else ""
    with RememberingArchive() as archive:
        installation = Installation(tmp_path, archive.port, url)
        receiver = installation.process("serve")
        worker = installation.process("worker", "--name", "second") if url else None
        turns = threading.Semaphore(SENDERS)
        senders = [Sender(series[n::SENDERS], installation.node, turns) for n in range(SENDERS)]
        started = time.monotonic()
        try:
            for each in chain(filter(None, (receiver, worker)), senders):
                each.launch() if isinstance(each, ServiceProcess) else each.start()
            killed = sweep(rng, receiver, worker, turns)
            swept = time.monotonic() - started
            turns.release(len(series))
            wait_for(lambda: not any(each.is_alive() for each in senders), "the senders", 300)
            wait_for(lambda: all_delivered(installation, series), "every result", 900)
            aftermath = assess(installation, archive, senders, series)
        finally:
            for each in senders:
                each.give_up()
            turns.release(len(series))
            for each in filter(None, (receiver, worker)):
                each.kill()
        repeats = sum(each.repeats for each in senders)
        print(
            f"\nkill sweep on {database}: {KILLS} kills ({killed}) in {swept:.0f} s,"
            f" {repeats} interrupted sends repeated; all delivered after"
            f" {time.monotonic() - started:.0f} s.\n  {aftermath}"
        )
    assert aftermath.acknowledged == sum(map(len, series))
    assert aftermath.missing_in_spool == 0
    assert aftermath.states == {"analysed": SPINES, "not_analysable": OTHERS}
    assert aftermath.sent_again <= KILLS


def sweep(rng, receiver, worker, turns) -> dict[str, int]:
    """Kill and start again; two of three kills wait for a ready service, the others do not."""
    choices = {"receiver": [receiver]}
    if worker is not None:
        choices |= {"worker": [worker], "both": [receiver, worker]}
    killed = dict.fromkeys(choices, 0)
    for _ in range(KILLS):
        turns.release(rng.randint(1, 2))
        if rng.random() < 2 / 3:
            wait_for(receiver.is_ready, "the service to be ready")
        time.sleep(rng.uniform(0.0, 4.0))
        name = rng.choice(sorted(choices))
        killed[name] += 1
        for victim in choices[name]:
            victim.kill()
        for victim in choices[name]:
            victim.launch()
    return killed
