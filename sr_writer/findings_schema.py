"""The frozen types behind findings.json (schema ``spinenode.findings/1``)."""

from __future__ import annotations

from dataclasses import dataclass, field

from inference.anatomy import VertebraLevel
from inference.volume import Notice

SCHEMA = "spinenode.findings/1"

FEATURE_KEYS = ("variance", "skewness", "energy", "entropy", "sre", "lre", "rln", "rp")
"""Texture features in the order of the contract's table."""

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class SourceFindings:
    """The series that was read; UIDs and geometry are None where there was none."""

    study_instance_uid: str | None = None
    series_instance_uid: str | None = None
    sop_class_uid: str | None = None
    instances: int = 0
    shape_kji: tuple[int, int, int] | None = None
    spacing_mm: Vector | None = None
    digest: str = ""
    """SHA-256 of the set of SOP Instance UIDs: the input part of every derived UID."""


@dataclass(frozen=True)
class ModelFindings:
    """The segmentation model."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class PresetFindings:
    """The texture settings."""

    name: str
    voxel_mm: float
    levels: int
    histogram_bins: int


@dataclass(frozen=True)
class HeightFindings:
    """Heights of one vertebral body in mm."""

    anterior: float | None = None
    middle: float | None = None
    posterior: float | None = None


@dataclass(frozen=True)
class LateralFindings:
    """Left and right of one vertebral body, in mm."""

    left: float | None = None
    right: float | None = None


@dataclass(frozen=True)
class AngleFindings:
    """Angles between the endplates in degrees, positive where the front or the left is lower."""

    sagittal: float | None = None
    coronal: float | None = None


@dataclass(frozen=True)
class ShapeFindings:
    """Shape of one body beside its heights; every ``sd`` is a standard uncertainty."""

    heights_sd_mm: HeightFindings = field(default_factory=HeightFindings)
    lateral_heights_mm: LateralFindings = field(default_factory=LateralFindings)
    lateral_heights_sd_mm: LateralFindings = field(default_factory=LateralFindings)
    endplate_angles_deg: AngleFindings = field(default_factory=AngleFindings)
    endplate_angles_sd_deg: AngleFindings = field(default_factory=AngleFindings)
    volume_sd_ml: float | None = None


@dataclass(frozen=True)
class ReferenceFindings:
    """What the height loss is measured against: ``posterior`` (own) or ``neighbours``."""

    height_mm: float | None = None
    source: str | None = None


@dataclass(frozen=True)
class GenantFindings:
    """Grade 0 to 3 and type of the deformity; None where it could not be judged."""

    grade: int | None = None
    type: str | None = None


@dataclass(frozen=True)
class HUFindings:
    """HU of the trabecular core of one body."""

    mean: float | None = None
    median: float | None = None
    sd: float | None = None


@dataclass(frozen=True)
class VertebraFindings:
    """Everything said about one vertebra, rounded once and for all."""

    level: VertebraLevel
    complete: bool
    confidence: float
    centroid_lps_mm: Vector
    volume_ml: float | None = None
    heights_mm: HeightFindings = field(default_factory=HeightFindings)
    height_loss: float | None = None
    genant: GenantFindings = field(default_factory=GenantFindings)
    fractured: bool | None = None
    hu: HUFindings = field(default_factory=HUFindings)
    bmd_mg_cm3: float | None = None
    features: dict[str, float | None] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    height_uncertainty_mm: float | None = None
    fracture_sentence: str = ""
    fracture_confidence: float | None = None
    height_reference: ReferenceFindings = field(default_factory=ReferenceFindings)
    shape: ShapeFindings = field(default_factory=ShapeFindings)

    @property
    def label(self) -> str:
        """Name of the level, for example ``L1``."""
        return self.level.name

    @property
    def height_loss_percent(self) -> float | None:
        """Height loss as people read it, one decimal, exactly the rounded fraction."""
        return None if self.height_loss is None else round(100 * self.height_loss, 1)


@dataclass(frozen=True)
class SpineFindings:
    """What is said about the whole spine."""

    bmd_mg_cm3: float | None = None
    bmd_levels: tuple[str, ...] = ()
    bmd_class: str | None = None
    fractured_levels: tuple[str, ...] = ()
    contrast_phase: str | None = None
    calibration: str | None = None


@dataclass(frozen=True)
class OutputReference:
    """Where one DICOM result is found."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    file: str


@dataclass(frozen=True)
class Findings:
    """One series, one answer: the object every file of the contract is written from."""

    status: str
    source: SourceFindings
    software_name: str
    software_version: str
    reasons: tuple[Notice, ...] = ()
    model: ModelFindings | None = None
    texture_preset: PresetFindings | None = None
    warnings: tuple[Notice, ...] = ()
    vertebrae: tuple[VertebraFindings, ...] = ()
    spine: SpineFindings = field(default_factory=SpineFindings)
    outputs: dict[str, OutputReference] = field(default_factory=dict)
    timings_s: dict[str, float] = field(default_factory=dict)

    @property
    def analysed(self) -> bool:
        """Whether there are vertebrae to report."""
        return self.status == "analysed"

    @property
    def flagged(self) -> tuple[VertebraFindings, ...]:
        """Vertebrae with a fracture of grade 1 or higher, from head to foot."""
        return tuple(v for v in self.vertebrae if v.fractured)

    @property
    def flagged_first(self) -> tuple[VertebraFindings, ...]:
        """All vertebrae in the order of the report, whose first group viewers open at."""
        return self.flagged + tuple(v for v in self.vertebrae if not v.fractured)

    def to_json(self) -> dict[str, object]:
        """Return the contract's document as plain dicts, lists, numbers, strings and None."""
        from sr_writer.findings_json import to_json  # noqa: PLC0415 - it imports this module

        return to_json(self)

    @staticmethod
    def from_json(document: dict[str, object]) -> Findings:
        """Rebuild findings from their document.

        Raises
        ------
        FindingsInvalid
            If the document is not of this schema.
        """
        from sr_writer.findings_json import from_json  # noqa: PLC0415 - it imports this module

        return from_json(document)
