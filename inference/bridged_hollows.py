"""Hollows of collapsed endplates that a mask has bridged, found in the image and taken out of it.

Networks close the deep bowl of a biconcave fracture. The image still tells: below the mask's
surface there is disc, and the bony endplate lies deeper. A hollow is believed only where no
endplate is seen at the mask's surface and one is seen below it, over an area that neither a
vessel nor noise has; masks that follow the endplates stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inference.anatomy import VertebraLevel
from inference.body_axes import BodyFrame
from inference.body_surface import SURFACE_SMOOTHING_MM, BodySurface
from inference.components import largest_component
from inference.endplate_columns import (
    AT_SURFACE_MM,
    EndplateColumns,
    PlateTissues,
    endplate_columns,
    misfit_by_depth,
    plate_tissues,
)
from inference.foreign_material import find_foreign_material
from inference.morphometry import body_frame
from inference.report import Segmentation
from inference.slab import Surroundings, surroundings
from inference.smooth_surface import smooth_surface
from inference.vertebra_parts import take_apart
from inference.volume import CTVolume, Notice

CODE = "bridged_hollow"
STEP_PENALTY = 0.5
"""Cost of half a millimetre more depth between neighbouring columns."""
MASK_SD_MM = 1.0
HIGHEST_DOUBT = 3.0
"""The mask is the prior, but beyond about two of its standard deviations it says no more."""
HOLLOW_FROM_MM = 1.5
SMALLEST_DEPTH_MM = 3.0
SMALLEST_AREA_MM2 = 40.0
"""At `HOLLOW_FROM_MM`; columns that leave the body through its wall have up to 28."""
DEEPEST_BELIEVED = 0.82
"""Of the depth that was searched: near its end no floor was found, but the other endplate."""
SMALLEST_GAIN = 3.0
"""By how much, in natural logarithms of likelihood, the deeper endplate must fit better."""
AROUND_PLACES = 4
"""How far around a hollow's core its slopes are looked for without the mask's say."""
BARE_SHARE, BONY_RISE = 0.4, 0.25
"""Of the way from disc to endplate: up to the first no endplate lies at the mask's surface; the
hollow's floor is brighter by the second (slopes and slices blur it)."""
SMALLEST_CONTRAST_HU = 80.0
"""Of an endplate against the disc; with less the image does not tell where endplates are."""

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Hollow:
    """One hollow: how far the endplate lies below the mask's surface, column by column."""

    columns: EndplateColumns
    depth_mm: FloatArray
    """(a, b), 0 outside the hollow."""

    @property
    def deepest_mm(self) -> float:
        """Depth of its lowest place."""
        return float(self.depth_mm.max())

    def holds(self, points_mm: FloatArray) -> BoolArray:
        """Which points (n, 3) of the body's frame lie above its floor."""
        at = [
            np.interp(points_mm[:, axis], grid, np.arange(grid.size))
            for axis, grid in ((0, self.columns.anterior_mm), (1, self.columns.left_mm))
        ]
        surface, depth = (
            ndimage.map_coordinates(field, at, order=1, mode="nearest")
            for field in (self.columns.surface_mm, self.depth_mm)
        )
        z = points_mm[:, 2]
        below = surface - z if self.columns.upper else z - surface
        return np.asarray((depth > 0.0) & (below < depth))

    @property
    def words(self) -> str:
        """Where it is and how deep."""
        plate = "upper" if self.columns.upper else "lower"
        return f"the {plate} endplate ({self.deepest_mm:.0f} mm deep)"


def without_bridged_hollows(volume: CTVolume, segmentation: Segmentation) -> Segmentation:
    """The masks with bridged hollows opened, and a notice; itself where there are none.

    Levels with metal or cement keep their masks: its streaks look like endplates.
    """
    material = find_foreign_material(volume, segmentation.labels)
    vertebrae = take_apart(segmentation, volume)
    opened: dict[VertebraLevel, tuple[BodySurface, BoolArray, str]] = {}
    for n, parts in enumerate(vertebrae):
        level = parts.found.level
        if parts.surface is None or level in material.volume_ml:
            continue
        frame = body_frame(parts.surface, vertebrae, n)
        around = surroundings(parts.surface, segmentation, material.mask, int(level))
        hollows = find_hollows(parts.surface, frame, around)
        if hollows:
            words = f"{level.name}, {' and '.join(hollow.words for hollow in hollows)}"
            inside = _inside(parts.surface, frame, hollows)
            opened[level] = parts.surface, inside, words
    return _opened(segmentation, opened) if opened else segmentation


def find_hollows(
    surface: BodySurface, frame: BodyFrame, around: Surroundings
) -> tuple[Hollow, ...]:
    """Bridged hollows of both endplates of one body; at most one each."""
    plates = endplate_columns(surface, frame, around)
    if not plates:
        return ()
    tissues = plate_tissues(surface, plates, around)
    found = (_hollow(plate, tissues) for plate in plates)
    return tuple(hollow for hollow in found if hollow is not None)


def _hollow(plate: EndplateColumns, tissues: PlateTissues) -> Hollow | None:
    contrast = tissues.shell_hu - tissues.disc_hu
    if contrast < SMALLEST_CONTRAST_HU:
        return None
    misfit, depths = misfit_by_depth(plate, tissues)
    doubt = np.minimum(0.5 * (depths / MASK_SD_MM) ** 2, HIGHEST_DOUBT)
    depth = depths[smooth_surface(misfit + doubt, STEP_PENALTY)]
    core = largest_component(depth > HOLLOW_FROM_MM)
    if core.sum() * plate.place_mm2 < SMALLEST_AREA_MM2:
        return None
    if not SMALLEST_DEPTH_MM <= depth[core].max() <= DEEPEST_BELIEVED * depths[-1]:
        return None
    at_mask, at_floor = (
        (float(np.median(plate.brightest_at(at)[core])) - tissues.disc_hu) / contrast
        for at in (np.zeros_like(depth), depth)
    )
    if at_mask > BARE_SHARE or at_floor - at_mask < BONY_RISE:
        return None
    at_surface = misfit[..., np.abs(depths) <= AT_SURFACE_MM].min(axis=-1)
    at_depth = np.take_along_axis(misfit, np.searchsorted(depths, depth)[..., None], -1)[..., 0]
    if float((at_surface - at_depth)[core].mean()) < SMALLEST_GAIN:
        return None
    return Hollow(plate, _with_slopes(core, misfit, doubt, depths))


def _with_slopes(
    core: BoolArray, misfit: FloatArray, doubt: FloatArray, depths: FloatArray
) -> FloatArray:
    """Depth of the hollow with its slopes, for which the mask that bridged it has no say."""
    around = ndimage.binary_dilation(core, iterations=AROUND_PLACES)
    cost = misfit + np.where(around[..., None], 0.0, doubt)
    depth = np.maximum(depths[smooth_surface(cost, STEP_PENALTY)], 0.0)
    whole, _ = ndimage.label((depth > 0.0) & around)
    joined = np.isin(whole, np.unique(whole[core & (whole > 0)]))
    return np.where(joined, depth, 0.0)


def _inside(surface: BodySurface, frame: BodyFrame, hollows: tuple[Hollow, ...]) -> BoolArray:
    """Voxels of the surface's crop that lie in the body and above the floor of a hollow."""
    body = surface.distance_mm > -SURFACE_SMOOTHING_MM
    index = np.argwhere(body)
    points = frame.from_lps_mm(surface.volume.to_lps_mm(index + np.array(surface.start_kji)))
    taken = np.zeros(len(index), dtype=bool)
    for hollow in hollows:
        taken |= hollow.holds(points)
    inside = np.zeros_like(body)
    inside[tuple(index[taken].T)] = True
    return inside


def _opened(
    segmentation: Segmentation, opened: Mapping[VertebraLevel, tuple[BodySurface, BoolArray, str]]
) -> Segmentation:
    labels, bodies = segmentation.labels.copy(), segmentation.bodies.copy()
    for level, (surface, inside, _) in opened.items():
        taken = inside & (bodies[surface.box] == level)
        bodies[surface.box][taken] = 0
        labels[surface.box][taken] = 0
    named = "; ".join(words for _, _, words in opened.values())
    text = f"The first outline had bridged a hollow of an endplate, which was mended: {named}."
    return replace(
        segmentation,
        labels=labels,
        bodies=bodies,
        warnings=(*segmentation.warnings, Notice(CODE, text)),
    )
