"""The configuration as a whole, with the environment over the file."""

from __future__ import annotations

from pydantic import model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from service.config.analysis import InferenceConfig, TextureConfig, WriterConfig
from service.config.destination import DestinationConfig
from service.config.node import NodeConfig
from service.config.operation import ServiceConfig
from service.config.rules import RulesConfig
from service.config.source import SourceConfig


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
    sources: tuple[SourceConfig, ...] = ()
    rules: RulesConfig = RulesConfig()

    @model_validator(mode="after")
    def _distinct_names(self) -> Config:
        for section in ("destinations", "sources"):
            names = [entry.name for entry in getattr(self, section)]
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{section}: the name {name!r} is used more than once")
        return self

    @model_validator(mode="after")
    def _somebody_to_ask(self) -> Config:
        series = self.node.series
        if not series.expected_count_query:
            return self
        name = series.expected_count_source
        if not name and not self.sources:
            raise ValueError("node.series.expected_count_query needs an archive in sources")
        if name and name not in [entry.name for entry in self.archives]:
            raise ValueError(
                f"node.series.expected_count_source: no source or destination is named {name!r}"
            )
        return self

    @property
    def archives(self) -> tuple[SourceConfig | DestinationConfig, ...]:
        """Who can be asked by name: sources, then destinations."""
        return (*self.sources, *self.destinations)

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
