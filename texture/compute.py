"""The eight features of one region, and the reason for each that has no value."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from texture.directions import DIRECTIONS_KJI, STEP_CLASS, class_weights
from texture.discretise import discretise, too_many_bins
from texture.features import FEATURE_KEYS
from texture.glcm import energy_and_entropy, triangle_energy_and_entropy
from texture.glrlm import RunFeatures, merge_directions, run_features
from texture.histogram import variance_and_skewness
from texture.roi import prepare_region
from texture.settings import Settings, resolve_settings
from texture.sweep import PACKED_VOXELS, Counts, sweep

NO_NEIGHBOURS = "no two voxels of the region touch, so there is no co-occurrence"


@dataclass(frozen=True)
class RegionTexture:
    """Features of one region, and what they were computed from.

    Attributes
    ----------
    features
        All keys of `FEATURE_KEYS`; None where not available.
    unavailable
        Feature key to the reason; the key ``features`` stands for all of them.
    n_voxels
        Voxels of the region after resampling.
    hu_range
        Smallest and largest HU of the region; None if empty or not finite.
    """

    features: dict[str, float | None]
    unavailable: dict[str, str] = field(default_factory=dict)
    n_voxels: int = 0
    hu_range: tuple[float, float] | None = None


def compute_features(
    hu: npt.ArrayLike,
    mask: npt.ArrayLike,
    spacing_kji_mm: tuple[float, float, float],
    preset: Settings | str = "goller2023",
) -> dict[str, float | None]:
    """Texture features of one region.

    Parameters
    ----------
    hu
        (k, j, i), Hounsfield units. Only a few voxels around the mask are read.
    mask
        (k, j, i), True inside the region.
    spacing_kji_mm
        Distance between voxel centres along k, j and i.
    preset
        A name in `texture.PRESETS`, or a `Settings` object.

    Returns
    -------
    dict
        The keys of `texture.FEATURE_KEYS`; None where the region has no answer
        (`measure_region` gives the reason).

    Raises
    ------
    UnknownPreset
        If there is no preset of that name.
    RegionError
        If the arrays do not have one three-dimensional shape or a spacing is not positive.
    """
    return measure_region(hu, mask, spacing_kji_mm, preset).features


def measure_region(
    hu: npt.ArrayLike,
    mask: npt.ArrayLike,
    spacing_kji_mm: tuple[float, float, float],
    preset: Settings | str = "goller2023",
) -> RegionTexture:
    """As `compute_features`, with reasons, number of voxels and HU range."""
    settings = resolve_settings(preset)
    region = prepare_region(hu, mask, spacing_kji_mm, settings)
    if region is None:
        return _without_features("the region is empty")
    values = region.hu[region.mask]
    reason = _obstacle(values, settings)
    if reason is not None:
        return _without_features(reason, values)
    variance, skewness = variance_and_skewness(values, settings)
    levels, n_levels = discretise(values, region.mask, settings)
    matrix, runs = _matrix_features(levels, n_levels, settings)
    features: dict[str, float | None] = {
        "variance": variance,
        "skewness": skewness,
        "energy": None if matrix is None else matrix[0],
        "entropy": None if matrix is None else matrix[1],
        "sre": runs.sre,
        "lre": runs.lre,
        "rln": runs.rln,
        "rp": runs.rp,
    }
    missing = {key: NO_NEIGHBOURS for key, value in features.items() if value is None}
    return RegionTexture(features, missing, values.size, (float(values.min()), float(values.max())))


def warm_up() -> None:
    """Load or compile the machine code of every path, so that no patient waits for it."""
    hu = np.arange(125, dtype=np.float64).reshape(5, 5, 5) % 7
    mask = np.ones((5, 5, 5), dtype=bool)
    shared = {"name": "warm-up", "levels": 8, "histogram_bins": 8}
    for settings in (Settings(**shared), Settings(**shared, aggregation="averaged")):  # type: ignore[arg-type]
        compute_features(hu, mask, (2.0, 1.0, 1.0), settings)


def _obstacle(values: npt.NDArray[np.float64], settings: Settings) -> str | None:
    """Why these voxels have no texture, or None."""
    if values.size == 0:
        return "the region vanishes when resampled: it is smaller than a voxel"
    if not np.isfinite(values).all():
        return "the region holds values that are not finite"
    if values.size == 1:
        return "the region is a single voxel"
    return _unusable_range(float(values.min()), float(values.max()), settings)


def _unusable_range(low: float, high: float, settings: Settings) -> str | None:
    limit = settings.foreign_material_hu
    if limit is not None and high >= limit:
        return f"the region holds foreign material ({high:.0f} HU, limit {limit:.0f} HU)"
    if low == high:
        return f"the region is constant ({low:g} HU)"
    if too_many_bins(low, high, settings):
        return f"the region spans too many bins of {settings.bin_width_hu:g} HU"
    return None


def _without_features(reason: str, values: npt.NDArray[np.float64] | None = None) -> RegionTexture:
    size = 0 if values is None else values.size
    known = values is not None and size > 0 and bool(np.isfinite(values).all())
    extent = (float(values.min()), float(values.max())) if known and values is not None else None
    return RegionTexture(dict.fromkeys(FEATURE_KEYS), {"features": reason}, size, extent)


def _matrix_features(
    levels: npt.NDArray[np.uint16], n_levels: int, settings: Settings
) -> tuple[tuple[float, float] | None, RunFeatures]:
    if settings.aggregation == "averaged":
        return _averaged(levels, n_levels)
    if np.count_nonzero(levels) > PACKED_VOXELS:
        return _merged_one_by_one(levels, n_levels, settings)
    counts = sweep(levels, n_levels)
    runs = merge_directions(counts.runs, settings.weighting)
    return energy_and_entropy(counts, settings.weighting), run_features(runs)


def _merged_one_by_one(
    levels: npt.NDArray[np.uint16], n_levels: int, settings: Settings
) -> tuple[tuple[float, float] | None, RunFeatures]:
    """Merged features of a region too large for packed counts."""
    weights = class_weights(settings.weighting)[STEP_CLASS]
    swept = _each_direction(levels, n_levels)
    triangle = np.zeros(n_levels * (n_levels + 1) // 2)
    for weight, counts in zip(weights, swept, strict=True):
        triangle += weight * counts.cells.astype(np.float64)
    runs = merge_directions(np.concatenate([c.runs for c in swept]), settings.weighting)
    return triangle_energy_and_entropy(triangle, n_levels), run_features(runs)


def _averaged(
    levels: npt.NDArray[np.uint16], n_levels: int
) -> tuple[tuple[float, float] | None, RunFeatures]:
    """Mean over directions; a direction without any pair has no co-occurrence to average."""
    swept = _each_direction(levels, n_levels)
    found = [energy_and_entropy(counts, "none") for counts in swept]
    pairs = [pair for pair in found if pair is not None]
    matrix = None
    if pairs:
        matrix = (float(np.mean([p[0] for p in pairs])), float(np.mean([p[1] for p in pairs])))
    runs = [run_features(counts.runs[0].astype(np.float64)) for counts in swept]
    return matrix, RunFeatures(
        *(float(np.mean([getattr(r, key) for r in runs])) for key in ("sre", "lre", "rln", "rp"))
    )


def _each_direction(levels: npt.NDArray[np.uint16], n_levels: int) -> list[Counts]:
    return [sweep(levels, n_levels, np.array([d])) for d in range(len(DIRECTIONS_KJI))]
