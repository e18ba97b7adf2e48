"""``inference:``, ``texture:`` and ``sr_writer:``: how a series is analysed and written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from service.config.limits import InputLimitsConfig
from service.config.section import OUTPUT_KINDS, OutputKind, Section


class InferenceConfig(Section):
    """The segmentation model."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    weights: Path | None = None
    weights_sha256: Annotated[str, Field(pattern=r"^([0-9a-fA-F]{64})?$")] = ""
    threads: Annotated[int, Field(ge=0)] = 0
    limits: InputLimitsConfig = InputLimitsConfig()


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
    presets: dict[str, dict[str, Any]] = Field(default_factory=dict)
    calibrations: tuple[CalibrationConfig, ...] = ()
    contrast_correction: bool = True
    internal_calibration: bool = False


class WriterConfig(Section):
    """What is written, and under whose name."""

    outputs: tuple[OutputKind, ...] = OUTPUT_KINDS
    seg_encoding: Literal["binary", "labelmap"] = "binary"
    organisation: str = ""
    uid_root: Annotated[str, Field(pattern=r"^([0-9.]{3,40})?$")] = ""
