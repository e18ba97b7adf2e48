"""The archive that is asked: an entry of `sources:`, or of `destinations:` by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from node import Destination, WebDestination
from node.query import ArchiveQuery
from node.query_find import FindQuery
from node.query_qido import QidoQuery
from node.scu import LONG_WAIT, Patience
from service.config import Config, DestinationConfig, SourceConfig
from service.destinations import tls_settings
from service.errors import UsageError

Service = Literal["move", "get", "dicomweb"]


@dataclass(frozen=True)
class Source:
    """An archive, and the service that fetches from it."""

    peer: Destination | WebDestination
    service: Service

    @property
    def name(self) -> str:
        """How the configuration calls it."""
        return self.peer.name

    def query(self, patience: Patience = LONG_WAIT) -> ArchiveQuery:
        """Return a way to ask it; not shared between threads."""
        if isinstance(self.peer, WebDestination):
            return QidoQuery(self.peer, patience.response_seconds)
        return FindQuery(self.peer, patience)


def find_source(config: Config, name: str | None) -> Source:
    """Return the source of that name, or the only one there is.

    Raises
    ------
    UsageError
        There is none, or several and none was named.
    """
    if name is None:
        return _only(config)
    for entry in config.archives:
        if entry.name == name:
            return _source(config, entry)
    known = ", ".join(entry.name for entry in config.archives) or "none"
    raise UsageError(f"no source {name!r} in the configuration (configured: {known})")


def count_source(config: Config) -> Source:
    """The archive that `node.series.expected_count_query` asks; the first unless one is named."""
    return find_source(config, config.node.series.expected_count_source or config.sources[0].name)


def _only(config: Config) -> Source:
    if not config.sources:
        raise UsageError("no archive to fetch from: add one to sources in the configuration")
    if len(config.sources) > 1:
        names = ", ".join(source.name for source in config.sources)
        raise UsageError(f"several sources are configured: choose one with --source ({names})")
    return _source(config, config.sources[0])


def _source(config: Config, entry: SourceConfig | DestinationConfig) -> Source:
    tls = tls_settings(entry.tls)
    if entry.dicomweb_url is not None:
        authorization = entry.authorization or None
        web = WebDestination(entry.name, entry.dicomweb_url, tls, authorization)
        return Source(web, "dicomweb")
    # The configuration guarantees all three where there is no dicomweb_url.
    assert entry.ae_title is not None
    assert entry.host is not None
    assert entry.port is not None
    peer = Destination(
        name=entry.name,
        ae_title=entry.ae_title,
        host=entry.host,
        port=entry.port,
        tls=tls,
        calling_ae_title=config.node.ae_title,
    )
    return Source(peer, entry.retrieve if isinstance(entry, SourceConfig) else "move")
