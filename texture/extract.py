"""Texture and density of every body of a segmented volume."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from inference.anatomy import VertebraLevel
from inference.axes import canonical_order
from inference.label_boxes import Box, label_boxes
from inference.measurement import CUT_REASON, NO_BODY_REASON
from inference.report import Segmentation, VertebraMeasurement
from inference.volume import CTVolume
from texture.calibration import GENERIC_CALIBRATION, Calibration, generic_obstacle
from texture.compute import RegionTexture, measure_region
from texture.contrast import VESSEL_LEVELS, contrast_phase
from texture.conversion import DEFAULT_CORRECTIONS, Conversion, Corrections
from texture.density import BodyFrame, hu_statistics, spine_density, trabecular_core
from texture.errors import RegionError
from texture.features import FEATURE_KEYS
from texture.internal_calibration import internal_scale
from texture.notices import conversion_notices, density_notices
from texture.report import PresetIdentity, TextureReport, VertebraTexture
from texture.roi import MARGIN_VOXELS, centre_of_mass, widen
from texture.settings import Settings, resolve_settings

FOREIGN_MATERIAL = "foreign_material"
FOREIGN_REASON = "foreign material (metal or cement) in or at the vertebral body"
SMALL_CORE_REASON = "the trabecular core is too small for a density"


@dataclass(frozen=True)
class _Context:
    """What every vertebra of one volume shares."""

    volume: CTVolume
    segmentation: Segmentation
    settings: Settings
    conversion: Conversion
    bmd_obstacle: str | None
    centres: dict[VertebraLevel, npt.NDArray[np.float64]]


def extract(
    volume: CTVolume,
    segmentation: Segmentation,
    measurements: tuple[VertebraMeasurement, ...],
    settings: Settings | str = "goller2023",
    calibration: Calibration | None = None,
    corrections: Corrections = DEFAULT_CORRECTIONS,
) -> TextureReport:
    """Texture and density of all vertebrae in `measurements`, in their order.

    Parameters
    ----------
    volume, segmentation
        On the same grid.
    measurements
        From head to foot. A vertebra that is not `complete`, or flagged ``foreign_material``,
        gets no texture and no density; `unavailable` says so.
    calibration
        Of this scanner and tube voltage; None means `GENERIC_CALIBRATION` and a notice.
    corrections
        What is done to HU before the calibration.

    Raises
    ------
    UnknownPreset
        If there is no preset of that name.
    RegionError
        If the masks are not on the volume's grid.
    """
    chosen = resolve_settings(settings)
    if segmentation.bodies.shape != volume.shape_kji:
        raise RegionError(
            f"masks {segmentation.bodies.shape} are not on the volume's grid {volume.shape_kji}"
        )
    acquisition = volume.source.acquisition
    centres = {m.level: np.array(m.centroid_lps_mm) for m in measurements}
    abdominal = [centres[level] for level in VESSEL_LEVELS if level in centres]
    phase = contrast_phase(volume, segmentation.bodies, centres)
    context = _Context(
        volume=volume,
        segmentation=segmentation,
        settings=chosen,
        conversion=Conversion(
            calibration=GENERIC_CALIBRATION if calibration is None else calibration,
            scale=internal_scale(volume, abdominal, phase) if corrections.internal else None,
            contrast_phase=phase if corrections.contrast else None,
        ),
        bmd_obstacle=None if calibration is not None else generic_obstacle(acquisition),
        centres=centres,
    )
    boxes = label_boxes(segmentation.bodies)
    vertebrae = tuple(_vertebra(m, boxes.get(m.level), context) for m in measurements)
    spine = spine_density(_densities(vertebrae, measurements), context.conversion.name, phase)
    notices = density_notices(spine, acquisition, calibration)
    warnings = (*notices, *conversion_notices(context.conversion, corrections, phase))
    return TextureReport(preset_identity(chosen), vertebrae, spine, warnings)


def preset_identity(settings: Settings) -> PresetIdentity:
    """The settings as findings.json names them.

    ``levels`` 0 means that the region's HU range decides (``fixed_bin_size``), and
    ``histogram_bins`` 0 that there is no histogram (``raw``).
    """
    bins = 0 if settings.histogram == "raw" else settings.histogram_bins
    levels = 0 if settings.quantiser == "fixed_bin_size" else settings.levels
    return PresetIdentity(settings.name, settings.voxel_mm, levels, bins)


def _vertebra(
    measurement: VertebraMeasurement, box: Box | None, context: _Context
) -> VertebraTexture:
    reason = _obstacle(measurement, box)
    if reason is not None or box is None:
        nothing = dict.fromkeys(("features", "hu", "bmd_mg_cm3"), reason or "")
        return VertebraTexture(measurement.level, None, None, dict.fromkeys(FEATURE_KEYS), nothing)
    wide = widen(box, context.volume.shape_kji, MARGIN_VOXELS)
    hu = context.volume.hu[wide]
    body = context.segmentation.bodies[wide] == measurement.level
    # one array order for every way to store a CT: where a new voxel falls midway between two old
    # ones, the mask takes the later one, which must not depend on where the array begins
    order = canonical_order(context.volume.affine_lps)
    first, second, third = (context.volume.spacing_kji_mm[axis] for axis in order.source_axis)
    region = measure_region(
        order.apply(hu), order.apply(body), (first, second, third), context.settings
    )
    textured = _with_texture(measurement.level, region)
    return _with_density(textured, box, context)


def _obstacle(measurement: VertebraMeasurement, box: Box | None) -> str | None:
    if not measurement.complete:
        return CUT_REASON
    if FOREIGN_MATERIAL in measurement.flags:
        return FOREIGN_REASON
    return NO_BODY_REASON if box is None else None


def _with_texture(level: VertebraLevel, region: RegionTexture) -> VertebraTexture:
    return VertebraTexture(
        level=level,
        hu=None,
        bmd_mg_cm3=None,
        features=region.features,
        unavailable=dict(region.unavailable),
        roi_voxels=region.n_voxels,
        roi_hu_range=region.hu_range,
    )


def _with_density(vertebra: VertebraTexture, box: Box, context: _Context) -> VertebraTexture:
    hu = context.volume.hu[box]
    body = context.segmentation.bodies[box] == vertebra.level
    start = np.array([s.start for s in box])
    affine = context.volume.affine_lps.copy()
    affine[:3, 3] = context.volume.to_lps_mm(start)
    core = trabecular_core(hu, body, affine, _frame(vertebra.level, context, box))
    if core is None:
        missing = dict.fromkeys(("hu", "bmd_mg_cm3"), SMALL_CORE_REASON)
        return replace(vertebra, unavailable=vertebra.unavailable | missing)
    statistics = hu_statistics(hu[core.mask])
    bmd: float | None = context.conversion.bmd_mg_cm3(statistics.mean)
    missing = {}
    if context.bmd_obstacle is not None:
        bmd, missing = None, {"bmd_mg_cm3": context.bmd_obstacle}
    return replace(
        vertebra,
        hu=statistics,
        bmd_mg_cm3=bmd,
        unavailable=vertebra.unavailable | missing,
        core_erosion_mm=core.erosion_mm,
        core_voxels=int(np.count_nonzero(core.mask)),
    )


def _frame(level: VertebraLevel, context: _Context, box: Box) -> BodyFrame:
    """Cranial along the line through the neighbours' centres, posterior towards the arch."""
    by_rank = sorted(context.centres, key=lambda other: other.rank)
    at = by_rank.index(level)
    above, below = by_rank[max(at - 1, 0)], by_rank[min(at + 1, len(by_rank) - 1)]
    cranial = context.centres[above] - context.centres[below]
    if not np.linalg.norm(cranial) > 1.0:
        cranial = np.array([0.0, 0.0, 1.0])
    posterior = np.array([0.0, 1.0, 0.0])
    reach = [round(40.0 / s) for s in context.volume.spacing_kji_mm]
    around = widen(box, context.volume.shape_kji, (reach[0], reach[1], reach[2]))
    arch = (context.segmentation.labels[around] == level) & (
        context.segmentation.bodies[around] != level
    )
    if arch.any():
        start = np.array([s.start for s in around])
        posterior = context.volume.to_lps_mm(centre_of_mass(arch) + start) - context.centres[level]
    if np.linalg.norm(np.cross(posterior, cranial)) < 1e-3 * np.linalg.norm(cranial):
        posterior = np.array([0.0, 1.0, 0.0])
    return BodyFrame.from_directions(cranial, posterior)


def _densities(
    vertebrae: tuple[VertebraTexture, ...], measurements: tuple[VertebraMeasurement, ...]
) -> list[tuple[VertebraLevel, float]]:
    """What may enter the spine's mean: a compressed body is denser than its bone."""
    return [
        (vertebra.level, vertebra.bmd_mg_cm3)
        for vertebra, measurement in zip(vertebrae, measurements, strict=True)
        if vertebra.bmd_mg_cm3 is not None
        and not (measurement.fracture is not None and measurement.fracture.fractured)
    ]
