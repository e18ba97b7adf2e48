"""The composition root: listener, queue, workers, pages and metrics as one service."""

from __future__ import annotations

import logging
import socket
import sqlite3
import threading
import time
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

import texture
from node import NodeError, NodeServer, Spool
from node.ledger_upkeep import LedgerUpkeep
from service.audit import PageAuditor, make_recorder
from service.completeness import series_settings
from service.config import Config
from service.dashboard.board import Board
from service.dashboard.pages import dashboard_app
from service.dashboard.sources import DashboardSources
from service.dashboard.workers import signs_of_life
from service.delivery import Deliverer, backoff_seconds
from service.delivery_watch import DeliveryWatch
from service.destinations import listener_settings, spool_settings
from service.disk_gate import DiskGate
from service.errors import ServiceError
from service.intake import Intake
from service.jobs import Jobs
from service.layout import jobs_folder, ledger_location
from service.metrics import Metrics
from service.monitoring.gauges import watch_node, watch_queue, watch_workers
from service.notifications import Notifier, TroubleWatch, final_trouble, lasting_trouble
from service.observers import NodeWatcher
from service.predecessor import find_predecessor
from service.queue import JobQueue, Steps
from service.retention import Retention
from service.runner import JobRunner
from service.second_choice import SecondChoice
from service.series_register import SeriesRegister, register_location
from service.steps import STEPS
from service.toolbox import Toolbox
from service.web import WebServer

log = logging.getLogger(__name__)

_DRAIN_SECONDS = 20
_RETENTION_INTERVAL_SECONDS = 3600.0


class Worker:
    """Takes jobs from the queue; the part of the service that also runs alone on further hosts.

    Parameters
    ----------
    name
        Stable name of this worker; its unfinished jobs are taken up again at start.
    """

    def __init__(self, config: Config, name: str = "") -> None:
        self.config = config
        config.node.spool.mkdir(parents=True, exist_ok=True)
        self.toolbox = Toolbox(config)
        self.jobs = Jobs(config.database_url, jobs_folder(config))
        self.metrics = Metrics(self.jobs.counts, config.node.spool)
        self.recorder = make_recorder(config, self.metrics.audited)
        self.deliverer = Deliverer(config, self.metrics, self.recorder)
        self.register = SeriesRegister(register_location(config.database_url))
        folder = jobs_folder(config)
        self.runner = JobRunner(
            self.toolbox,
            self.metrics,
            lambda request: find_predecessor(folder, request, self.deliverer.reached_any),
        )
        self.choice = SecondChoice(self.runner.finish, self.register, folder)
        self.notifier = Notifier(config, self.deliverer, self.metrics.notified)
        self.disk, images = DiskGate(config.node.spool), self.runner.images
        self.deliveries = DeliveryWatch(self.notifier.deliver)
        self.metrics.watch_deliveries(self.deliverer.counts)
        steps = Steps(
            analysis_steps=STEPS,
            run_step=self.disk.patient(images.patient(self.runner.run_step)),
            finish=self.disk.patient(images.patient(self.choice.finish)),
            destinations=images.patient(self.notifier.destinations),
            deliver=self.disk.patient(images.patient(self.deliveries.deliver)),
            backoff_seconds=backoff_seconds,
        )
        self.queue = JobQueue(config.database_url, steps, config.service.workers, name)

    def start(self) -> None:
        """Load the model, compile what is compiled, take up unfinished jobs."""
        log.info("loading the model")
        _ = self.toolbox.segmenter, self.toolbox.texture_settings
        texture.warm_up()
        self.queue.start()
        self.recorder.started()

    def stop(self) -> None:
        """Let running steps end; what does not end in time resumes at the next start."""
        self.disk.stop()
        self.runner.images.stop()
        self.queue.stop(_DRAIN_SECONDS)
        self.recorder.stopped()
        self.deliverer.close()
        self.register.close()
        self.jobs.close()

    def follow(self, config: Config) -> None:
        """Go by the destinations of this configuration from now on."""
        self.config = config
        self.deliverer.follow(config)

    def problems(self) -> dict[str, str]:
        """What is wrong now, by component."""
        return {
            **self._database_problems(),
            **self.disk.problems(),
            **self.runner.images.problems(),
        }

    def stalled(self) -> dict[str, str]:
        """What does not answer: the database, or whoever takes work from the queue."""
        stalled = self.queue.stalled() or self.runner.stalled()
        return {**self._database_problems(), **({"worker": stalled} if stalled else {})}

    def _database_problems(self) -> dict[str, str]:
        try:
            self.jobs.ask()
        except SQLAlchemyError as error:
            return {"database": f"cannot be reached: {type(error).__name__}"}
        return {}

    def summary(self) -> str:
        """Jobs by state."""
        with suppress(SQLAlchemyError):  # that the database is away, `problems` says
            counts = sorted(self.jobs.counts().items())
            return ", ".join(f"{count} {state}" for state, count in counts) or "no jobs"
        return ""


class Service:
    """The whole node."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.worker = Worker(config)
        self.spool = Spool(spool_settings(config))
        self.register = self.worker.register
        self.intake = Intake(
            self.worker.toolbox,
            self.worker.queue,
            self.register,
            self.worker.metrics,
            self.spool.index.is_arriving,
        )
        self.node = NodeServer(
            listener_settings(config),
            self.spool,
            series_settings(config, self.worker.recorder),
            self.intake.series_complete,
            NodeWatcher(self.worker.metrics, self.worker.recorder),
            self.worker.deliverer.commitments.settle,
        )
        self.board = Board(config.database_url)
        self.signs_of_life = signs_of_life(config.database_url, socket.gethostname())
        sources = DashboardSources(
            config=lambda: self.config,
            jobs=self.worker.jobs,
            board=self.board,
            problems=self.problems,
            notices=self.worker.deliveries.notices,
            exposition=self.worker.metrics.exposition,
            node_status=self.node.status,
            left_out=self.register.left_out,
            waiting=self.register.waiting,
            workers=self.signs_of_life,
            object_state=self.worker.deliverer.state,
            auditor=PageAuditor(self.worker.recorder, jobs_folder(config)),
        )
        self._watch_for_metrics()
        self.trouble = TroubleWatch(
            config,
            self.worker.notifier.channels,
            lambda: lasting_trouble(self._everything_wrong, self.signs_of_life),
            lambda: final_trouble(self.board),
            self.worker.metrics.notified,
        )
        self.web = WebServer(dashboard_app(sources), config.service.dashboard)
        self._stopping = threading.Event()
        self._upkeep = LedgerUpkeep(ledger_location(config))
        self._retention = Retention(
            config,
            self.worker.jobs,
            self.spool,
            self.register,
            self._upkeep,
            self.worker.recorder,
        )

    def start(self) -> None:
        """Start every part; the listener last, when received images can be worked on."""
        self.web.start()
        self.worker.start()
        self.intake.start()
        self.node.start()
        threading.Thread(target=self._keep_house, name="retention", daemon=True).start()
        self.trouble.start()
        log.info("listening", extra={"port": self.node.port, "dashboard": self.web.port})

    def stop(self) -> None:
        """Stop accepting, drain, stop."""
        started = time.monotonic()
        self._stopping.set()
        self.trouble.stop()
        self.node.stop()
        self.intake.stop()
        self.worker.stop()
        self.web.stop()
        self.register.close()
        self._upkeep.close()
        self.signs_of_life.close()
        self.board.close()
        log.info("drained", extra={"seconds": round(time.monotonic() - started, 1)})

    def follow(self, config: Config) -> None:
        """Go by the peers, destinations and rules of this configuration from now on."""
        self.config = config
        self.node.follow(listener_settings(config).peers)
        self.intake.follow(config)
        self.worker.follow(config)

    def stalled(self) -> dict[str, str]:
        """What does not answer: listener, database or worker."""
        listener = self.node.stalled()
        return {**self.worker.stalled(), **({"listener": listener} if listener else {})}

    def summary(self) -> str:
        """Where it listens, how many associations are open, jobs by state."""
        status = self.node.status()
        return (
            f"{self.config.node.ae_title} on port {status.port}, "
            f"{status.open_associations} associations; {self.worker.summary()}"
        )

    def problems(self) -> dict[str, str]:
        """What keeps the service from being ready, by component."""
        problems = self.worker.problems()
        status = self.node.status()
        if not status.listening:
            problems["listener"] = "not listening"
        if not status.has_room and "disk" not in problems:
            problems["disk"] = (
                f"{status.free_bytes / 1024**3:.1f} GiB free, below node.min_free_gib: "
                "new images are refused until there is room"
            )
        if status.failing_hand_overs:
            problems["intake"] = f"{status.failing_hand_overs} series could not be queued yet"
        if not self.web.alive():
            problems["dashboard"] = "not running"
        return problems

    def _watch_for_metrics(self) -> None:
        metrics = self.worker.metrics
        metrics.watch_problems(self._everything_wrong)
        watch_node(metrics, self.config, self.node.status)
        watch_workers(metrics, self.signs_of_life)
        watch_queue(metrics, self.board)

    def _everything_wrong(self) -> dict[str, str]:
        return {**self.problems(), **self.worker.deliveries.notices()}

    def _keep_house(self) -> None:
        while not self._stopping.wait(_RETENTION_INTERVAL_SECONDS):
            try:
                self._retention.purge()
                self.worker.deliverer.chase_commitments()
            except (OSError, SQLAlchemyError, sqlite3.Error, NodeError, ServiceError) as error:
                # A full disk or a database that is away: what is due now is due in an hour too.
                log.error("house-keeping failed", extra={"problem": type(error).__name__})
