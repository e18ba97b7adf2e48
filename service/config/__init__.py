"""The configuration: top-level sections are named after who reads them.

A partial file is completed with the defaults; unknown keys are an error. Every key can be
overridden by an environment variable such as ``SPINENODE_NODE__PORT=11112``.
"""

from service.config.analysis import CalibrationConfig, InferenceConfig, TextureConfig, WriterConfig
from service.config.destination import DestinationConfig
from service.config.node import NodeConfig, PeerConfig, SeriesConfig
from service.config.operation import DashboardConfig, RetentionConfig, ServiceConfig
from service.config.rules import RulesConfig
from service.config.section import OUTPUT_KINDS, AETitle, OutputKind, Port, Section, TlsConfig
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
    "TextureConfig",
    "TlsConfig",
    "WriterConfig",
]
