"""The configuration: top-level sections are named after who reads them.

A partial file is completed with the defaults below; unknown keys are an error. Every key can be
overridden by an environment variable such as ``SPINENODE_NODE__PORT=11112``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

AETitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[ -\[\]-~]+$")]
Port = Annotated[int, Field(ge=0, le=65535)]
OutputKind = Literal["seg", "sr", "overview", "pdf", "key_images"]
OUTPUT_KINDS: tuple[OutputKind, ...] = ("seg", "sr", "overview", "pdf", "key_images")


class Section(BaseModel):
    """Unknown keys are errors everywhere."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsConfig(Section):
    """TLS for one listener or destination (DICOM PS3.15 B.12)."""

    enabled: bool = False
    cert: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    require_client_cert: bool = True

    @model_validator(mode="after")
    def _complete(self) -> TlsConfig:
        if self.enabled and self.cert is not None and self.key is None:
            raise ValueError("tls.cert is given without tls.key")
        return self


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

    @field_validator("expected_count_query")
    @classmethod
    def _not_yet(cls, wanted: bool) -> bool:
        if wanted:
            raise ValueError("asking the sender for the count is not available in this version")
        return wanted


class NodeConfig(Section):
    """The DICOM listener and its spool."""

    ae_title: AETitle = "SPINENODE"
    host: str = "0.0.0.0"
    port: Port = 11112
    tls: TlsConfig = TlsConfig()
    peers: tuple[PeerConfig, ...] = ()
    max_associations: Annotated[int, Field(ge=1, le=500)] = 20
    spool: Path = Path("var/spool")
    min_free_gib: Annotated[float, Field(ge=0)] = 2.0
    series: SeriesConfig = SeriesConfig()


class InferenceConfig(Section):
    """The segmentation model."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    weights: Path | None = None
    weights_sha256: Annotated[str, Field(pattern=r"^([0-9a-fA-F]{64})?$")] = ""
    threads: Annotated[int, Field(ge=0)] = 0


class CalibrationConfig(Section):
    """HU to bone density of one scanner: HU = intercept + slope * BMD (mg/cm3)."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    slope: Annotated[float, Field(gt=0)]
    intercept: float
    manufacturer: str | None = None
    model: str | None = None
    kvp: float | None = None


class TextureConfig(Section):
    """Texture settings, own presets, and the bone density calibrations of the scanners."""

    preset: str = "goller2023"
    presets: dict[str, dict[str, Any]] = {}
    calibrations: tuple[CalibrationConfig, ...] = ()


class WriterConfig(Section):
    """What is written, and under whose name."""

    outputs: tuple[OutputKind, ...] = OUTPUT_KINDS
    seg_encoding: Literal["binary", "labelmap"] = "binary"
    organisation: str = ""
    uid_root: Annotated[str, Field(pattern=r"^([0-9.]{3,40})?$")] = ""


class DashboardConfig(Section):
    """The web pages; bound to loopback unless changed."""

    host: str = "127.0.0.1"
    port: Port = 8042
    users: dict[str, str] = {}


class RetentionConfig(Section):
    """How long finished work stays on disk, in days."""

    images_days: Annotated[float, Field(gt=0)] = 7.0
    results_days: Annotated[float, Field(gt=0)] = 30.0


class ServiceConfig(Section):
    """Queue, workers, pages, logs."""

    database: str = ""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    dashboard: DashboardConfig = DashboardConfig()
    retention: RetentionConfig = RetentionConfig()
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class DestinationConfig(Section):
    """One archive that receives the results: a DICOM AE, or a DICOMweb service."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    ae_title: AETitle | None = None
    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    dicomweb_url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    authorization: str = ""
    tls: TlsConfig = TlsConfig()
    storage_commitment: bool = False
    outputs: tuple[OutputKind, ...] = OUTPUT_KINDS

    @model_validator(mode="after")
    def _one_way(self) -> DestinationConfig:
        dicom = (self.ae_title, self.host, self.port)
        if self.dicomweb_url is not None:
            if any(value is not None for value in dicom) or self.storage_commitment:
                raise ValueError(
                    f"destination {self.name!r}: dicomweb_url excludes ae_title, host, port and "
                    "storage_commitment"
                )
        elif any(value is None for value in dicom):
            raise ValueError(
                f"destination {self.name!r}: ae_title, host and port are needed, or dicomweb_url"
            )
        return self


class RulesConfig(Section):
    """Which complete series are analysed."""

    min_instances: Annotated[int, Field(ge=1)] = 8
    exclude_description: tuple[str, ...] = ()
    include_description: tuple[str, ...] = ()
    max_slice_thickness_mm: Annotated[float, Field(gt=0)] | None = None


class Config(BaseSettings):
    """Everything, as config.yaml holds it."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="SPINENODE_", env_nested_delimiter="__"
    )

    node: NodeConfig = NodeConfig()
    inference: InferenceConfig = InferenceConfig()
    texture: TextureConfig = TextureConfig()
    sr_writer: WriterConfig = WriterConfig()
    service: ServiceConfig = ServiceConfig()
    destinations: tuple[DestinationConfig, ...] = ()
    rules: RulesConfig = RulesConfig()

    @model_validator(mode="after")
    def _distinct_destinations(self) -> Config:
        names = [destination.name for destination in self.destinations]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"destinations: the name {name!r} is used more than once")
        return self

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the queue; a SQLite file beside the spool unless configured."""
        if self.service.database:
            return self.service.database
        return f"sqlite:///{self.node.spool.absolute() / 'queue.sqlite'}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment before file; nothing else is read."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings
