"""What only the whole node can tell a scrape: associations, workers, and how long work waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from node import NodeStatus
from service.asked_metrics import Values
from service.config import Config
from service.dashboard.board import Board
from service.dashboard.job_row import JobRow
from service.dashboard.workers import SignOfLife
from service.metrics import Metrics

_GIB = 1024**3
Workers = Callable[[], Sequence[SignOfLife]]


def watch_node(metrics: Metrics, config: Config, status: Callable[[], NodeStatus]) -> None:
    """Show open associations and the disk that is kept free."""
    metrics.ask(
        "spinenode_associations_open",
        "Associations open now",
        (),
        lambda: {(): status().open_associations},
    )
    metrics.ask(
        "spinenode_spool_reserve_bytes",
        "Free bytes below which new images are refused",
        (),
        lambda: {(): config.node.min_free_gib * _GIB},
    )


def watch_workers(metrics: Metrics, workers: Workers) -> None:
    """Show how many workers there are, and how many are silent."""

    def count() -> Values:
        signs = workers()
        silent = sum(1 for sign in signs if sign.silent)
        return {("alive",): len(signs) - silent, ("silent",): silent}

    metrics.ask("spinenode_workers", "Workers by their sign of life", ("state",), count)


def watch_queue(metrics: Metrics, board: Board) -> None:
    """Show how long the oldest job waits, and what was given up."""
    metrics.ask(
        "spinenode_queue_oldest_seconds",
        "Age of the oldest job that no worker has taken",
        (),
        lambda: {(): _oldest_seconds(board)},
    )
    metrics.ask(
        "spinenode_dead_letters",
        "Deliveries and notifications that were given up, by destination",
        ("destination",),
        lambda: {(name,): n for name, n in _given_up(board.snapshot().rows).items()},
    )


def _oldest_seconds(board: Board) -> float:
    snapshot = board.snapshot()
    waiting = [row.queued_ms for row in snapshot.rows if row.state == "queued"]
    return (snapshot.read_at_ms - min(waiting)) / 1000 if waiting else 0.0


def _given_up(rows: Sequence[JobRow]) -> Counter[str]:
    return Counter(
        mark.destination for row in rows for mark in row.deliveries if mark.state == "failed"
    )
