"""The audit trail that the configuration asks for."""

from __future__ import annotations

from collections.abc import Iterator

from node import TlsSettings
from service.audit.daily_file import DailyFileSink
from service.audit.events import Reporter
from service.audit.recorder import Recorder
from service.audit.sink import Sink
from service.audit.syslog import SyslogSink
from service.audit.trail import AuditTrail, Count, uncounted
from service.config import Config

SILENT = Recorder(AuditTrail(()), Reporter(""), identifiers=False)
"""Records nothing."""


def make_recorder(config: Config, count: Count = uncounted) -> Recorder:
    """Open what `service.audit` names; with neither file nor host, nothing is recorded.

    Parameters
    ----------
    count
        Told what became of each message.
    """
    section = config.service.audit
    trail = AuditTrail(tuple(_sinks(config)), count)
    reporter = Reporter(config.node.ae_title, section.site)
    return Recorder(trail, reporter, section.patient_identifiers)


def _sinks(config: Config) -> Iterator[Sink]:
    section = config.service.audit
    if section.file is not None:
        yield DailyFileSink(section.file, section.keep_days)
    syslog = section.syslog
    if syslog.host:
        tls = TlsSettings(cert=syslog.tls.cert, key=syslog.tls.key, ca=syslog.tls.ca)
        yield SyslogSink(syslog.host, syslog.port, tls)
