"""Where an endplate lies, from the HU of the voxels around it and from the mask.

Each voxel near a station of the endplate is predicted as disc, endplate shell and trabecular bone
seen through the voxel's own extent (a box along each grid axis) and a narrow reconstruction
kernel; the surface position that predicts them best wins (model-based deblurring of thin bone
layers, Treece et al., Med Image Anal 2010). Half-maximum edges would move outward by up to half a
slice where a thin shell is blurred. The mask is the prior: where the image is silent (kissing
vertebrae, noise) its surface is what remains, with its own larger uncertainty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

SEARCH_MM = 3.0
SEARCH_STEP_MM = 0.1
SHELL_MM = 0.8
"""Thickness of the bony endplate assumed by the model."""
KERNEL_SD_MM = 0.35
"""Reconstruction kernel beside the voxel's own extent."""
DISC_HU = (70.0, 80.0)
"""Mean and spread expected outside the endplate."""
SHELL_EXCESS_HU = (250.0, 250.0)
"""Mean and spread of the shell's HU above the trabecular bone."""
NOISE_FLOOR_HU = 15.0
CORRELATION = 4.0
"""Neighbouring voxels share noise and anatomy: this many count as one."""
FEWEST_VOXELS = 12
MODEL_ERROR_MM = 0.1

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Edge:
    """Offset of the endplate from the mask's surface, outward positive, with its uncertainty."""

    offset_mm: float
    sd_mm: float


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
    box_mm
        (3,) extents of a voxel along the surface normal, one per grid axis.
    """

    hu: FloatArray
    depth_mm: FloatArray
    box_mm: FloatArray


def locate(near: Neighbourhood, trabecular_hu: tuple[float, float], mask_sd_mm: float) -> Edge:
    """Surface position relative to the mask's surface.

    Parameters
    ----------
    trabecular_hu
        Mean and spread of the HU in the middle of the body.
    mask_sd_mm
        How far the mask's surface may be off.
    """
    if near.hu.size < FEWEST_VOXELS or not (near.depth_mm < -0.5).any():
        return Edge(0.0, mask_sd_mm)
    offsets = np.arange(-SEARCH_MM, SEARCH_MM + 1e-6, SEARCH_STEP_MM)
    noise = 60.0
    for _ in range(2):
        misfit, rms = _misfits(near, offsets, trabecular_hu, noise)
        cost = misfit + 0.5 * (offsets / mask_sd_mm) ** 2
        noise = max(NOISE_FLOOR_HU, float(rms[cost.argmin()]))
    return _summary(offsets, cost, mask_sd_mm)


def _summary(offsets: FloatArray, cost: FloatArray, mask_sd_mm: float) -> Edge:
    """Mean around the best offset; the spread is over all offsets, so that doubt shows."""
    probability = np.exp(cost.min() - cost)
    near = np.abs(offsets - offsets[cost.argmin()]) <= 0.6
    offset = float((offsets * probability)[near].sum() / probability[near].sum())
    spread = float((probability * (offsets - offset) ** 2).sum() / probability.sum())
    return Edge(offset, min(float(np.hypot(np.sqrt(spread), MODEL_ERROR_MM)), 2.0 * mask_sd_mm))


def _misfits(
    near: Neighbourhood, offsets: FloatArray, trabecular_hu: tuple[float, float], noise: float
) -> tuple[FloatArray, FloatArray]:
    """Penalised misfit and residual HU of the best disc, bone and shell at every offset."""
    step = _step_response(near, offsets, 0.0)
    shell = step - _step_response(near, offsets, SHELL_MM)
    basis = np.stack([1.0 - step, step, shell], axis=-1)
    prior_mean = np.array([DISC_HU[0], trabecular_hu[0], SHELL_EXCESS_HU[0]])
    prior_sd = np.array([DISC_HU[1], trabecular_hu[1], SHELL_EXCESS_HU[1]])
    weight = 1.0 / (noise**2 * CORRELATION)
    robust = np.ones((offsets.size, near.hu.size))
    for _ in range(2):
        weighted = basis * robust[..., None]
        normal = weight * np.einsum("onp,onq->opq", weighted, basis) + np.diag(prior_sd**-2.0)
        right = weight * np.einsum("onp,n->op", weighted, near.hu) + prior_mean / prior_sd**2
        solution = np.linalg.solve(normal, right[..., None])[..., 0]
        solution[:, 2] = np.maximum(solution[:, 2], 0.0)
        residual = near.hu - np.einsum("onp,op->on", basis, solution)
        robust = np.minimum(1.0, 2.0 * noise / np.maximum(np.abs(residual), 1e-6))
    # Huber's loss: vessels, gas in the disc and osteophytes may not drag the surface
    size = np.abs(residual)
    loss = np.where(size <= 2.0 * noise, 0.5 * size**2, 2.0 * noise * (size - noise))
    misfit = weight * loss.sum(axis=1)
    misfit += 0.5 * (((solution - prior_mean) / prior_sd) ** 2).sum(axis=1)
    rms = 1.4826 * np.median(size, axis=1)
    return misfit, rms


def _step_response(near: Neighbourhood, offsets: FloatArray, layer_mm: float) -> FloatArray:
    """Share of each voxel that lies deeper than `layer_mm` below the surface, per offset."""
    depth = near.depth_mm[None, :] + offsets[:, None] - layer_mm
    wide = int(near.box_mm.argmax())
    width = max(float(near.box_mm[wide]), 1e-3)
    rest = np.delete(near.box_mm, wide)
    sd = float(np.sqrt((rest**2).sum() / 12.0 + KERNEL_SD_MM**2))
    return (_ramp(depth + width / 2.0, sd) - _ramp(depth - width / 2.0, sd)) / width


def _ramp(z: FloatArray, sd: float) -> FloatArray:
    """Integral of the cumulative normal distribution."""
    u = z / sd
    return np.asarray(z * ndtr(u) + sd * np.exp(-0.5 * u**2) / np.sqrt(2.0 * np.pi))
