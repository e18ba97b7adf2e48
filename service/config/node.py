"""``node:``: the DICOM listener, its spool, and when a series is complete."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from service.config.limits import ListenerLimitsConfig
from service.config.section import AETitle, Port, Section, TlsConfig


class PeerConfig(Section):
    """One calling AE that may associate; `port` is where it takes commitment reports."""

    ae_title: AETitle
    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None


class SeriesConfig(Section):
    """When a series counts as complete."""

    quiet_seconds: Annotated[float, Field(gt=0)] = 10.0
    max_wait_seconds: Annotated[float, Field(gt=0)] = 900.0
    expected_count_query: bool = False
    expected_count_source: str = ""


class NodeConfig(Section):
    """The DICOM listener and its spool."""

    ae_title: AETitle = "SPINENODE"
    host: str = "0.0.0.0"
    port: Port = 11112
    tls: TlsConfig = TlsConfig()
    peers: tuple[PeerConfig, ...] = ()
    max_associations: Annotated[int, Field(ge=1, le=500)] = 20
    receive_path: Literal["streamed", "library"] = "streamed"
    spool: Path = Path("var/spool")
    min_free_gib: Annotated[float, Field(ge=0)] = 2.0
    limits: ListenerLimitsConfig = ListenerLimitsConfig()
    series: SeriesConfig = SeriesConfig()
