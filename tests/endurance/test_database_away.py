"""The PostgreSQL of the queue cannot be reached for a while: images are taken all the same."""

from __future__ import annotations

import time
from urllib.parse import urlsplit, urlunsplit

import pytest
from waiting import hold_for, wait_for

from rig.aftermath import all_delivered, assess
from rig.archive import RememberingArchive
from rig.cutting_proxy import CuttingProxy
from rig.senders import Sender
from rig.service_process import Installation
from rig.small_series import copy_series, spine, too_short

AWAY_SECONDS = 15.0
"""Less than the part of a lease after which a worker that cannot renew it stops itself."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def through(url, port):
    """The same database, reached by another port."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}"))


def test_a_database_that_is_away_for_a_while_only_delays(tmp_path, postgresql_url):
    base = spine(tmp_path / "base")
    before = [copy_series(base, tmp_path / "spine0", "spine0"), too_short(tmp_path / "o0", "o0")]
    meanwhile = [copy_series(base, tmp_path / "spine1", "spine1"), too_short(tmp_path / "o1", "o1")]
    series = [*before, *meanwhile]
    with (
        RememberingArchive() as archive,
        CuttingProxy(urlsplit(postgresql_url).port) as network,
    ):
        installation = Installation(tmp_path, archive.port, through(postgresql_url, network.port))
        with installation.process("serve") as service:
            senders = [Sender(before, installation.node), Sender(meanwhile, installation.node)]
            senders[0].run()
            wait_for(installation.jobs, "a first job")
            network.cut_after = 0
            away_since = time.monotonic()
            senders[1].run()
            assert len(senders[1].acknowledged) == sum(map(len, meanwhile))
            wait_for(lambda: installation.reasons().keys() & {"database", "checks"}, "a warning")
            rest = AWAY_SECONDS - (time.monotonic() - away_since)
            hold_for(rest, service.is_alive, "the service")
            network.cut_after = None
            started = time.monotonic()
            wait_for(lambda: all_delivered(installation, series), "every result")
            aftermath = assess(installation, archive, senders, series)
            print(
                f"\n  {network.cuts} connections cut in {AWAY_SECONDS:.0f} s,"
                f" all delivered {time.monotonic() - started:.0f} s later: {aftermath}"
            )
            assert aftermath.missing_in_spool == 0
            assert service.is_alive()
