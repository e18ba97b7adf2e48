"""The configured parts that an analysis works with, made once per process."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib.metadata import version

import texture
from inference import Acquisition
from inference.limits import InputLimits
from inference.segmenter import Segmenter, load_segmenter
from inference.weights import RELEASED
from service.config import Config
from sr_writer import PredecessorObject, SoftwareIdentity, WriterSettings
from texture.calibration import Calibration, ScannerCalibration, select_calibration
from texture.conversion import Corrections
from texture.settings import resolve_settings, settings_from_mapping

SOFTWARE = SoftwareIdentity(name="spinenode", version=version("spinenode"))


def configured_segmenter(config: Config) -> Segmenter:
    """Load the configured model.

    Raises
    ------
    ModelUnavailable
        If weights, digest or device cannot be used.
    """
    settings = config.inference
    return load_segmenter(
        weights=settings.weights,
        sha256=settings.weights_sha256 or None,
        device=settings.device,
        threads=settings.threads or None,
    )


@dataclass(frozen=True)
class Toolbox:
    """Segmenter, texture preset and writer settings of one configuration."""

    config: Config

    @cached_property
    def segmenter(self) -> Segmenter:
        """The model, loaded at first use."""
        return configured_segmenter(self.config)

    @cached_property
    def texture_settings(self) -> texture.Settings:
        """The configured preset: one of ours, or one of the site's own.

        Raises
        ------
        SettingsError
            If there is no such preset, or an own one cannot be used.
        """
        section = self.config.texture
        own = section.presets.get(section.preset)
        if own is not None:
            return settings_from_mapping(section.preset, own)
        return resolve_settings(section.preset)

    @property
    def input_limits(self) -> InputLimits:
        """How large a series may claim to be."""
        limits = self.config.inference.limits
        return InputLimits(
            rows=limits.max_rows,
            columns=limits.max_columns,
            frames=limits.max_frames,
            voxels=limits.max_voxels,
            inflated_bytes=limits.max_inflated_mib * 2**20,
        )

    def calibration_for(self, acquisition: Acquisition) -> Calibration | None:
        """The calibration of the scanner that made the images, if one is configured."""
        table = [
            ScannerCalibration(
                Calibration(row.name, row.slope, row.intercept),
                Manufacturer=row.manufacturer,
                ManufacturerModelName=row.model,
                KVP=row.kvp,
            )
            for row in self.config.texture.calibrations
        ]
        return select_calibration(table, acquisition)

    @property
    def corrections(self) -> Corrections:
        """What is done to HU before the calibration."""
        section = self.config.texture
        return Corrections(
            contrast=section.contrast_correction, internal=section.internal_calibration
        )

    def writer_settings(
        self, created: datetime, predecessor: PredecessorObject | None = None
    ) -> WriterSettings:
        """How results are written; `created` is stamped on them."""
        writer = self.config.sr_writer
        return WriterSettings(
            outputs=writer.outputs,
            seg_encoding=writer.seg_encoding,
            organisation=writer.organisation,
            uid_root=writer.uid_root or None,
            configuration=self.configuration_digest,
            created=created,
            predecessor=predecessor,
        )

    @cached_property
    def configuration_digest(self) -> str:
        """sha256 of everything configured that changes a result."""
        relevant = {
            "texture": self.config.texture.model_dump(mode="json"),
            "sr_writer": self.config.sr_writer.model_dump(mode="json"),
            "limits": self.config.inference.limits.model_dump(mode="json"),
            "weights": self.config.inference.weights_sha256 or RELEASED.sha256,
            "software": SOFTWARE.version,
        }
        return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()
