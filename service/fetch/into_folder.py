"""`spinenode fetch --out`: analysed here, one after the other, with the tables of a cohort."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from node import Permanent, SpoolSettings
from service.config import Config
from service.errors import UsageError
from service.fetch.cohort import write_tables
from service.fetch.ledger import FetchLedger
from service.fetch.listening import AskedSpool, listening
from service.fetch.offline import Analyst, Offline
from service.fetch.order import Order, asking, make_plan
from service.fetch.pace import Pacer
from service.fetch.report import Report, report_of
from service.fetch.retrieval import SpoolRetriever
from service.fetch.transfer import Transfer
from service.fetch.watch import Watch
from service.layout import fetch_ledger_file, images_folder, offline_config

if TYPE_CHECKING:
    from service.fetch.bench import Bench


class IntoFolder:
    """Fetches and analyses here; results, tables and what is needed to go on lie in `out`."""

    def __init__(self, config: Config, out: Path) -> None:
        self._config = offline_config(config, out)
        self._out = out
        self._results = out / "series"

    def run(self, order: Order, watch: Watch) -> Report:
        """See `Runs`."""
        self._out.mkdir(parents=True, exist_ok=True)
        with ExitStack() as opened:
            spool = self._spool()
            opened.callback(spool.close)
            ledger = FetchLedger(fetch_ledger_file(self._config))
            opened.callback(ledger.close)
            opened.callback(write_tables, ledger, self._out, self._results)
            if order.source.service == "move":
                opened.enter_context(listening(self._config, spool))
            query = opened.enter_context(asking(order))
            plan = make_plan(order, query, watch)
            bench = self._bench()
            opened.callback(bench.close)
            retriever = SpoolRetriever(order.source, spool, self._config.node.ae_title)
            road = Offline(query, retriever, spool, Analyst(bench, spool, ledger, watch))
            run = Transfer(road, ledger, Pacer(order.pace), watch).run(plan)
            return report_of(order.source.name, plan, run, ledger)

    def _spool(self) -> AskedSpool:
        node = self._config.node
        try:
            return AskedSpool(SpoolSettings(images_folder(self._config), node.min_free_gib))
        except Permanent as error:
            raise UsageError(f"another fetch works in --out ({error})") from error

    def _bench(self) -> Bench:
        """Load what analyses, once there is something to analyse."""
        from service.fetch.bench import Bench  # noqa: PLC0415 - takes seconds

        return Bench(self._config, self._results)
