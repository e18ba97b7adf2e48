"""The configuration as a whole, with the environment over the file."""

from __future__ import annotations

from pydantic import model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from service.config.analysis import InferenceConfig, TextureConfig, WriterConfig
from service.config.destination import DestinationConfig
from service.config.node import NodeConfig
from service.config.operation import ServiceConfig
from service.config.rules import RulesConfig


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
