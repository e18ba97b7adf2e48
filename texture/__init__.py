"""Texture and density of vertebral bodies: exact to the Goller 2023 reference, with settings."""

from texture.calibration import GENERIC_CALIBRATION, Calibration
from texture.compute import RegionTexture, compute_features, measure_region, warm_up
from texture.extract import extract
from texture.features import FEATURE_KEYS, REGISTRY
from texture.settings import PRESETS, Settings

__all__ = [
    "FEATURE_KEYS",
    "GENERIC_CALIBRATION",
    "PRESETS",
    "REGISTRY",
    "Calibration",
    "RegionTexture",
    "Settings",
    "compute_features",
    "extract",
    "measure_region",
    "warm_up",
]
