"""The configuration: top-level sections are named after who reads them.

A partial file is completed with the defaults; unknown keys are an error. Every key can be
overridden by an environment variable such as ``SPINENODE_NODE__PORT=11112``.
"""

from service.config.analysis import CalibrationConfig, InferenceConfig, TextureConfig, WriterConfig
from service.config.dashboard import DashboardConfig, UserConfig
from service.config.destination import DestinationConfig
from service.config.node import NodeConfig, PeerConfig, SeriesConfig
from service.config.operation import RetentionConfig, ServiceConfig
from service.config.rules import RulesConfig
from service.config.section import OUTPUT_KINDS, AETitle, OutputKind, Port, Section, TlsConfig
from service.config.source import SourceConfig
from service.config.whole import Config

__all__ = [
    "OUTPUT_KINDS",
    "AETitle",
    "CalibrationConfig",
    "Config",
    "DashboardConfig",
    "DestinationConfig",
    "InferenceConfig",
    "NodeConfig",
    "OutputKind",
    "PeerConfig",
    "Port",
    "RetentionConfig",
    "RulesConfig",
    "Section",
    "SeriesConfig",
    "ServiceConfig",
    "SourceConfig",
    "TextureConfig",
    "TlsConfig",
    "UserConfig",
    "WriterConfig",
]
