"""What the node tells, turned into metrics and log lines."""

from __future__ import annotations

import logging

from node import Addition, ReceivedSeries, SilentObserver, StoredInstance
from service.audit import SILENT, Peer, Recorder
from service.metrics import Metrics

log = logging.getLogger(__name__)

_MOST_HOSTS = 1000
"""Where anybody may call, callers choose their AE titles."""


class NodeWatcher(SilentObserver):
    """Counts; logs what somebody may have to act on."""

    def __init__(self, metrics: Metrics, recorder: Recorder = SILENT) -> None:
        self._metrics = metrics
        self._recorder = recorder
        self._hosts: dict[str, str] = {}

    def association_opened(self, calling_ae_title: str, host: str) -> None:
        """Count an association."""
        if len(self._hosts) >= _MOST_HOSTS:
            self._hosts.clear()
        self._hosts[calling_ae_title] = host
        self._metrics.associations.labels("accepted").inc()

    def association_rejected(self, calling_ae_title: str, host: str, reason: str) -> None:
        """Count and log a refusal."""
        self._metrics.associations.labels("rejected").inc()
        self._recorder.refused_peer(Peer(calling_ae_title, host), reason)
        log.warning(
            "association rejected",
            extra={"calling": calling_ae_title, "host": host, "reason": reason},
        )

    def instance_stored(self, instance: StoredInstance, addition: Addition) -> None:
        """Count an instance; a changed one is worth a line."""
        self._metrics.received.labels(addition.value).inc()
        if addition is not Addition.KNOWN:
            self._metrics.received_bytes.inc(instance.size_bytes)
        if addition is Addition.CHANGED:
            log.warning(
                "instance sent again with other content; both are kept",
                extra={"instance": instance.SOPInstanceUID},
            )

    def instance_refused(self, status: int, comment: str) -> None:
        """Count and log a refused instance."""
        self._metrics.received.labels("refused").inc()
        log.warning("instance refused", extra={"status": f"0x{status:04X}", "comment": comment})

    def series_complete(self, series: ReceivedSeries) -> None:
        """Count a complete series."""
        self._metrics.series.inc()
        calling = series.calling_ae_title
        self._recorder.received(series, Peer(calling, self._hosts.get(calling, "")))
