"""What flows out of this package: masks, measurements and fracture findings per vertebra."""

from __future__ import annotations

from dataclasses import dataclass, field

from inference.anatomy import VertebraLevel
from inference.volume import LabelArray, Notice

SUPPLIED_SURFACE_SD_MM = 0.6
"""How far the surface of a mask drawn or corrected by people may be off."""


@dataclass(frozen=True)
class ModelIdentity:
    """Which model made the masks. ``sha256`` is of the weights file, or of a supplied mask.

    `surface_sd_mm` is how far the surfaces of its masks may be off, beside the voxel's share.
    """

    name: str
    version: str
    sha256: str
    surface_sd_mm: float = SUPPLIED_SURFACE_SD_MM


@dataclass(frozen=True)
class LabelledVertebra:
    """One vertebra found in a segmentation.

    Attributes
    ----------
    confidence
        0 to 1: that the *level name* is right.
    complete
        The whole body lies inside the field of view.
    """

    level: VertebraLevel
    confidence: float
    complete: bool


@dataclass(frozen=True)
class Segmentation:
    """Masks on the source grid.

    Attributes
    ----------
    labels
        uint8 (k, j, i), VerSe labels of whole vertebrae, 26 for the sacrum, 0 elsewhere.
    bodies
        uint8 (k, j, i), same labels, vertebral bodies only (always inside `labels`).
    vertebrae
        From head to foot.
    """

    labels: LabelArray
    bodies: LabelArray
    vertebrae: tuple[LabelledVertebra, ...]
    model: ModelIdentity
    warnings: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class Heights:
    """Heights between the endplates of one body, along its own axis, in its mid-sagittal slab."""

    anterior: float
    middle: float
    posterior: float


@dataclass(frozen=True)
class Measured:
    """A value with its standard uncertainty, in the value's unit."""

    value: float
    sd: float


@dataclass(frozen=True)
class BodyGeometry:
    """What is known of a body's shape beside its three heights.

    Attributes
    ----------
    height_sd_mm
        Standard uncertainty of each of the three heights.
    left_mm, right_mm
        Heights at 85 and 15 % of the width, counted from the right, in the mid-coronal slab.
    sagittal_angle_deg, coronal_angle_deg
        Angle between the endplates, positive where the front or the left is lower.
    """

    height_sd_mm: Heights
    left_mm: Measured | None = None
    right_mm: Measured | None = None
    sagittal_angle_deg: Measured | None = None
    coronal_angle_deg: Measured | None = None


@dataclass(frozen=True)
class FractureFinding:
    """Genant grade and type of one vertebra, with the sentence a person would write.

    Attributes
    ----------
    height_loss
        0 to 1, by the contract's definition.
    grade
        0 to 3 (thresholds 0.20, 0.25, 0.40).
    type
        ``none``, ``wedge``, ``biconcave`` or ``crush``; ``none`` exactly when grade is 0.
    reference_height_mm
        What the loss was measured against, and `reference` says which: ``posterior`` or
        ``neighbours``.
    """

    height_loss: float
    grade: int
    type: str
    reference_height_mm: float
    reference: str
    sentence: str
    confidence: float | None = None

    @property
    def fractured(self) -> bool:
        """Grade 1 or higher."""
        return self.grade >= 1


@dataclass(frozen=True)
class VertebraMeasurement:
    """Geometry of one vertebra; what could not be measured is None and named in `unavailable`.

    `unavailable` maps a field name of the contract (``heights_mm``, ``height_loss``, ``genant``,
    ``volume_ml``, ``features``, ``bmd_mg_cm3``) to the reason as a sentence.
    """

    level: VertebraLevel
    confidence: float
    complete: bool
    centroid_lps_mm: tuple[float, float, float]
    volume_ml: float | None
    heights_mm: Heights | None
    fracture: FractureFinding | None
    unavailable: dict[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    height_uncertainty_mm: float | None = None
    geometry: BodyGeometry | None = None
    volume_sd_ml: float | None = None


@dataclass(frozen=True)
class SpineReport:
    """Everything this package says about one volume, vertebrae from head to foot."""

    segmentation: Segmentation
    vertebrae: tuple[VertebraMeasurement, ...]
    warnings: tuple[Notice, ...] = ()
