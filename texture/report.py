"""What flows out of this package: density and texture per vertebral body, and of the spine."""

from __future__ import annotations

from dataclasses import dataclass, field

from inference.anatomy import VertebraLevel
from inference.volume import Notice


@dataclass(frozen=True)
class HUStatistics:
    """HU of the trabecular core of one body."""

    mean: float
    median: float
    sd: float


@dataclass(frozen=True)
class VertebraTexture:
    """Texture and density of one vertebral body.

    Attributes
    ----------
    features
        All eight keys of `texture.FEATURE_KEYS`; None where not available.
    unavailable
        Field name (a feature key, ``features``, ``hu`` or ``bmd_mg_cm3``) to the reason.
    roi_voxels, roi_hu_range
        Voxels of the region after resampling, and its smallest and largest HU.
    core_erosion_mm, core_voxels
        How deep the trabecular core lies below the surface of the body, and how large it is.
    """

    level: VertebraLevel
    hu: HUStatistics | None
    bmd_mg_cm3: float | None
    features: dict[str, float | None]
    unavailable: dict[str, str] = field(default_factory=dict)
    roi_voxels: int | None = None
    roi_hu_range: tuple[float, float] | None = None
    core_erosion_mm: float | None = None
    core_voxels: int | None = None


@dataclass(frozen=True)
class SpineDensity:
    """Bone density of the spine: mean of L1-L3, or of the levels present, which are named.

    `bmd_class` is ``normal``, ``osteopenia``, ``osteoporosis`` or None; `calibration` names what
    turned HU into mg/cm3.
    """

    bmd_mg_cm3: float | None
    bmd_levels: tuple[VertebraLevel, ...]
    bmd_class: str | None
    calibration: str
    contrast_phase: str | None = None


@dataclass(frozen=True)
class PresetIdentity:
    """The texture settings as findings.json names them."""

    name: str
    voxel_mm: float
    levels: int
    histogram_bins: int


@dataclass(frozen=True)
class TextureReport:
    """Everything this package says about one volume."""

    preset: PresetIdentity
    vertebrae: tuple[VertebraTexture, ...]
    spine: SpineDensity
    warnings: tuple[Notice, ...] = ()
