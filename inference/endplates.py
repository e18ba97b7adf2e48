"""Where an endplate lies, from the HU of the voxels around it and from the mask.

Each voxel near a station of the endplate is predicted as disc, endplate shell and trabecular bone
seen through the voxel's own extent (a box along each grid axis) and a narrow reconstruction
kernel; surface positions count by how well they predict them, and their mean is the answer
(model-based deblurring of thin bone layers, Treece et al., Med Image Anal 2010). Half-maximum
edges would move outward by up to half a slice where a thin shell is blurred. The mask is the
prior: where the image is silent (kissing vertebrae, noise) its surface is what remains, with its
own larger uncertainty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

SEARCH_MM = 4.0
SEARCH_STEP_MM = 0.1
SHELL_MM = 0.8
"""Thickness of the bony endplate assumed by the model."""
KERNEL_SD_MM = 0.35
"""Reconstruction kernel beside the voxel's own extent."""
DISC_HU = (70.0, 80.0)
"""Mean and spread expected outside the endplate."""
SHELL_EXCESS_HU = (250.0, 250.0)
"""Mean and spread of the shell's HU above the trabecular bone."""
TRABECULAR_SPREAD_HU = 60.0
"""How far the bone under an endplate may differ from the middle of the body."""
AGREED_SHARE = 0.4
"""Share of these spreads that is left once all endplates of a body have been looked at."""
NOISE_FLOOR_HU = 15.0
STARTING_NOISE_HU = 60.0
CORRELATED_MM = 2.0
"""Voxels this near along a grid axis share noise and anatomy and count as one; what a slice has
in thickness does not part its own voxels from each other."""
CORRELATION_LIMITS = (3.0, 8.0)
TOUCHED_BY_NEXT = 0.02
TRUST_IN_TOUCHED = 0.3
"""Weight of voxels that hold a share of the next vertebra, whose surface is its mask's."""
FEWEST_VOXELS = 10
MODEL_ERROR_MM = 0.1

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tissues:
    """HU of disc, trabecular bone and shell (above the bone): means and spreads, (3,) each."""

    mean_hu: FloatArray
    spread_hu: FloatArray

    @classmethod
    def expected(cls, trabecular_hu: float) -> Tissues:
        """What is known before looking, given the HU in the middle of the body."""
        return cls(
            np.array([DISC_HU[0], trabecular_hu, SHELL_EXCESS_HU[0]]),
            np.array([DISC_HU[1], TRABECULAR_SPREAD_HU, SHELL_EXCESS_HU[1]]),
        )

    def agreed(self, seen_hu: FloatArray) -> Tissues:
        """Narrowed to what several places (n, 3) of one body show."""
        if seen_hu.shape[0] < 3:
            return self
        around = 1.4826 * np.median(np.abs(seen_hu - np.median(seen_hu, axis=0)), axis=0)
        spread = np.clip(around, AGREED_SHARE * self.spread_hu, self.spread_hu)
        return Tissues(np.median(seen_hu, axis=0), spread)


@dataclass(frozen=True)
class Edge:
    """Where an endplate was found.

    Attributes
    ----------
    offset_mm, sd_mm
        From the mask's surface, outward positive, and its standard uncertainty.
    tissues_hu
        (3,) disc, bone and shell seen there; None where the mask alone spoke.
    """

    offset_mm: float
    sd_mm: float
    tissues_hu: FloatArray | None = None


@dataclass(frozen=True)
class Neighbourhood:
    """Voxels around one station of one endplate.

    Attributes
    ----------
    hu
        (n,) HU of the voxels.
    depth_mm
        (n,) distance of the voxel centres below the mask's surface along its normal, positive
        inside the body.
    beyond_mm
        (n,) distance below the surface of the next vertebra; negative in the disc.
    box_mm
        (3,) extents of a voxel along the surface normal, one per grid axis.
    spacing_mm
        (3,) edges of a voxel.
    """

    hu: FloatArray
    depth_mm: FloatArray
    beyond_mm: FloatArray
    box_mm: FloatArray
    spacing_mm: FloatArray

    @property
    def correlation(self) -> float:
        """How many voxels count as one."""
        low, high = CORRELATION_LIMITS
        together = float(np.maximum(1.0, CORRELATED_MM / self.spacing_mm).prod())
        return min(max(together, low), high)

    def trust(self) -> FloatArray:
        """(n,) weight of each voxel."""
        touched = _step_response(self.beyond_mm, self.box_mm) > TOUCHED_BY_NEXT
        return np.where(touched, TRUST_IN_TOUCHED, 1.0)


def locate(near: Neighbourhood, tissues: Tissues, mask_sd_mm: float) -> Edge:
    """Surface position relative to the mask's surface.

    Parameters
    ----------
    tissues
        What disc, bone and shell are expected to be.
    mask_sd_mm
        How far the mask's surface may be off.
    """
    if near.hu.size < FEWEST_VOXELS or not (near.depth_mm < -0.5).any():
        return Edge(0.0, mask_sd_mm)
    offsets = np.arange(-SEARCH_MM, SEARCH_MM + 1e-6, SEARCH_STEP_MM)
    basis = _basis(near, offsets[:, None])
    noise = STARTING_NOISE_HU
    for _ in range(2):
        fit = _fit(near, basis, tissues, noise)
        cost = fit.misfit + 0.5 * (offsets / mask_sd_mm) ** 2
        best = int(cost.argmin())
        noise = max(NOISE_FLOOR_HU, float(fit.residual_hu[best]))
    probability = np.exp(cost.min() - cost)
    probability /= probability.sum()
    # the mean of all that is possible: of two edges that fit alike, neither is picked for a hair
    offset = float((offsets * probability).sum())
    variance = float((probability * (offsets - offset) ** 2).sum())
    sd = min(float(np.hypot(variance**0.5, MODEL_ERROR_MM)), 2.0 * mask_sd_mm)
    return Edge(offset, sd, fit.tissues_hu[best])


@dataclass(frozen=True)
class _Fit:
    """Best disc, bone and shell at every offset: penalised misfit (o,), typical residual (o,)."""

    misfit: FloatArray
    residual_hu: FloatArray
    tissues_hu: FloatArray


def _fit(near: Neighbourhood, basis: FloatArray, tissues: Tissues, noise: float) -> _Fit:
    trust = near.trust()
    weight = 1.0 / (noise**2 * near.correlation)
    pull = tissues.mean_hu / tissues.spread_hu**2
    robust = np.tile(trust, (basis.shape[0], 1))
    for _ in range(2):
        weighted = basis * robust[..., None]
        normal = weight * np.einsum("onp,onq->opq", weighted, basis)
        normal += np.diag(tissues.spread_hu**-2.0)
        right = weight * np.einsum("onp,n->op", weighted, near.hu) + pull
        solution = np.linalg.solve(normal, right[..., None])[..., 0]
        solution[:, 2] = np.maximum(solution[:, 2], 0.0)
        size = np.abs(near.hu - np.einsum("onp,op->on", basis, solution))
        robust = trust * np.minimum(1.0, 2.0 * noise / np.maximum(size, 1e-6))
    # Huber's loss: vessels, gas in the disc and osteophytes may not drag the surface
    loss = np.where(size <= 2.0 * noise, 0.5 * size**2, 2.0 * noise * (size - noise))
    departure = (solution - tissues.mean_hu) / tissues.spread_hu
    misfit = weight * (trust * loss).sum(axis=1) + 0.5 * (departure**2).sum(axis=1)
    return _Fit(misfit, 1.4826 * np.median(size, axis=1), solution)


def _basis(near: Neighbourhood, moved_mm: FloatArray) -> FloatArray:
    """Shares (..., n, 3) of disc, bone and shell in the voxels."""
    own = near.depth_mm + moved_mm
    step = _step_response(own, near.box_mm)
    shell = step - _step_response(own - SHELL_MM, near.box_mm)
    beyond = _step_response(near.beyond_mm, near.box_mm)
    shell = shell + beyond - _step_response(near.beyond_mm - SHELL_MM, near.box_mm)
    bone = np.minimum(1.0, step + beyond)
    return np.stack([1.0 - bone, bone, shell], axis=-1)


def _step_response(depth_mm: FloatArray, box_mm: FloatArray) -> FloatArray:
    """Share of voxels that lies below a surface, by the depth of their centres."""
    wide = int(box_mm.argmax())
    width = max(float(box_mm[wide]), 1e-3)
    sd = float(np.sqrt((np.delete(box_mm, wide) ** 2).sum() / 12.0 + KERNEL_SD_MM**2))
    return (_ramp(depth_mm + width / 2.0, sd) - _ramp(depth_mm - width / 2.0, sd)) / width


def _ramp(z: FloatArray, sd: float) -> FloatArray:
    """Integral of the cumulative normal distribution."""
    u = z / sd
    return np.asarray(z * ndtr(u) + sd * np.exp(-0.5 * u**2) / np.sqrt(2.0 * np.pi))
