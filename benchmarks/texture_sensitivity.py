"""How far voxel size, slice thickness, kernel and noise move each feature, on synthetic bodies.

    python benchmarks/texture_sensitivity.py [--figure FILE] [--table FILE]

A vertebral body with a cortical shell and correlated trabecular structure is built on a 0.3 mm
grid, blurred as a scanner would (Gaussian in the slice, box across it), sampled, and given noise
with the kernel's correlation. One factor at a time leaves the reference protocol; every point
is the mean over several bodies of the change against the same body at the reference.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.pop(0)  # this folder holds a script with the name of the package

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import ndimage
from scipy.spatial.transform import Rotation

from texture import FEATURE_KEYS, PRESETS, REGISTRY, compute_features

GRID_MM = 0.3
FWHM_TO_SIGMA = 1 / 2.3548
DEFAULT_FIGURE = Path(__file__).parents[1] / "docs" / "img" / "texture_sensitivity.png"

GROUP_DIFFERENCE = {"skewness": 0.11 / 0.65, "energy": 0.20 / 2.09, "entropy": 0.02 / 16.19}
"""Benign against malignant as printed (Goller 2023, Table 2), relative to their mean.

The run features print equal digits in both groups."""


@dataclass(frozen=True)
class Protocol:
    """How a body is scanned and analysed."""

    in_plane_mm: float = 0.7
    slice_mm: float = 0.9
    kernel_fwhm_mm: float = 1.0
    noise_hu: float = 20.0
    voxel_mm: float = 1.0


FACTORS: dict[str, tuple[str, tuple[float, ...]]] = {
    "voxel_mm": ("Analysis voxel (mm)", (0.5, 0.75, 1.0, 1.5, 2.0)),
    "slice_mm": ("Slice thickness (mm)", (0.6, 0.9, 1.5, 2.1, 3.0)),
    "kernel_fwhm_mm": ("Kernel FWHM (mm)", (0.6, 0.8, 1.0, 1.3, 1.7)),
    "noise_hu": ("Noise SD (HU)", (5.0, 10.0, 20.0, 35.0, 60.0)),
}


def body(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """HU and mask on the fine grid: 34 x 46 x 27 mm, 0.9 mm of cortex, tilted as in a patient."""
    random = np.random.default_rng(seed)
    size = np.array([27.0, 34.0, 46.0]) * random.uniform(0.93, 1.07, 3) / GRID_MM
    grid = np.indices(tuple(int(s) + 70 for s in size)).astype(np.float32)
    centre = (np.array(grid.shape[1:], dtype=np.float32) - 1) / 2
    tilt = Rotation.from_euler("xyz", random.uniform(-15, 15, 3), degrees=True).as_matrix()
    upright = np.einsum("ab,bkji->akji", tilt.astype(np.float32), grid - centre.reshape(3, 1, 1, 1))
    z, y, x = (2 * g / s for g, s in zip(upright, size, strict=True))
    mask = (np.abs(z) <= 1 - 0.08 * (1 - x**2 - y**2)) & (x**2 + y**2 <= 1)
    noise = random.normal(0, 1, mask.shape).astype(np.float32)
    fine, coarse = (ndimage.gaussian_filter(noise, s / GRID_MM) for s in (0.45, 2.5))
    hu = np.where(mask, 140 + 110 * fine / fine.std() + 25 * coarse / coarse.std(), 40.0)
    core = ndimage.binary_erosion(mask, iterations=3)
    hu[mask & ~core] = 650.0
    return hu, mask


def scan(
    hu: np.ndarray, mask: np.ndarray, protocol: Protocol, seed: int
) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
    """What the scanner makes of it: HU rounded to integers, mask and spacing."""
    sigma = protocol.kernel_fwhm_mm * FWHM_TO_SIGMA
    thick = max(1, round(protocol.slice_mm / GRID_MM))
    blurred = ndimage.uniform_filter1d(hu, thick, axis=0)
    blurred = ndimage.gaussian_filter(blurred, (0, sigma / GRID_MM, sigma / GRID_MM))
    spacing = (protocol.slice_mm, protocol.in_plane_mm, protocol.in_plane_mm)
    axes = [np.arange(2.0, n - 3, s / GRID_MM) for n, s in zip(hu.shape, spacing, strict=True)]
    at = np.meshgrid(*axes, indexing="ij")
    image = ndimage.map_coordinates(blurred, at, order=1)
    sampled_mask = ndimage.map_coordinates(mask.astype(np.float32), at, order=1) >= 0.5
    grain = np.random.default_rng(seed).normal(0, 1, image.shape)
    width = sigma / protocol.in_plane_mm
    grain = ndimage.gaussian_filter(grain, (0.3, width, width))
    image += protocol.noise_hu * grain / grain.std()
    return np.rint(image), sampled_mask, spacing


def measure(bodies: list[tuple[np.ndarray, np.ndarray]], protocol: Protocol) -> np.ndarray:
    """Features, shape (bodies, 8)."""
    settings = replace(PRESETS["goller2023"], voxel_mm=protocol.voxel_mm)
    rows = []
    for seed, (hu, mask) in enumerate(bodies):
        found = compute_features(*scan(hu, mask, protocol, seed), settings)
        rows.append([found[key] for key in FEATURE_KEYS])
    return np.array(rows, dtype=np.float64)


def sweep_factors(n_bodies: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Reference values (bodies, 8), and per factor the values (settings, bodies, 8)."""
    bodies = [body(seed) for seed in range(n_bodies)]
    reference = Protocol()
    swept = {
        factor: np.stack([measure(bodies, replace(reference, **{factor: v})) for v in values])
        for factor, (_, values) in FACTORS.items()
    }
    return measure(bodies, reference), swept


def draw(reference: np.ndarray, swept: dict[str, np.ndarray], path: Path) -> None:
    """One row per feature, one column per factor; grey: printed difference between groups."""
    figure = Figure(figsize=(9.5, 13.0), layout="constrained")
    panels = figure.subplots(len(FEATURE_KEYS), len(FACTORS), sharey="row", sharex="col")
    for n, key in enumerate(FEATURE_KEYS):
        for axes, (factor, (label, values)) in zip(panels[n], FACTORS.items(), strict=True):
            each = swept[factor][:, :, n]
            axes.plot(values, each, color="#9ecae9", linewidth=0.7)
            axes.plot(values, each.mean(axis=1), "o-", color="#1f4e79", markersize=3)
            middle = reference[:, n].mean()
            if key in GROUP_DIFFERENCE:
                half = GROUP_DIFFERENCE[key] * middle / 2
                axes.axhspan(middle - half, middle + half, color="0.82", zorder=0)
            axes.axvline(getattr(Protocol(), factor), color="0.6", linewidth=0.7, linestyle=":")
            axes.tick_params(labelsize=7)
            if n == len(FEATURE_KEYS) - 1:
                axes.set_xlabel(label, size=9)
        panels[n][0].ticklabel_format(axis="y", style="sci", scilimits=(-3, 4), useOffset=False)
        panels[n][0].set_ylabel(REGISTRY[key].name.replace(" ", "\n", 1), size=8)
    FigureCanvasAgg(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": f"matplotlib {matplotlib.__version__}"})


def table(reference: np.ndarray, swept: dict[str, np.ndarray]) -> str:
    """Change against the reference at the ends of each factor's range, mean over bodies."""
    ends = [(factor, end) for factor in FACTORS for end in (0, -1)]
    names = {f: label.replace(" (", " ").rstrip(")") for f, (label, _) in FACTORS.items()}
    heads = [f"{names[f]} {FACTORS[f][1][e]:g}" for f, e in ends]
    lines = [
        "| feature | reference (SD over bodies) | " + " | ".join(heads) + " |",
        "|" + "---|" * (len(heads) + 2),
    ]
    for n, key in enumerate(FEATURE_KEYS):
        base = reference[:, n]
        changes = [
            f"{(swept[f][e, :, n] / base - 1).mean() * 100:+.3g} %"
            if key not in ("skewness", "entropy")
            else f"{(swept[f][e, :, n] - base).mean():+.2g}"
            for f, e in ends
        ]
        spread = f"{base.mean():.4g} ({base.std(ddof=1):.2g})"
        lines.append(f"| {key} | {spread} | " + " | ".join(changes) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figure", type=Path, default=DEFAULT_FIGURE)
    parser.add_argument("--table", type=Path, help="also write the table to this file")
    parser.add_argument("--bodies", type=int, default=6)
    arguments = parser.parse_args()
    reference, swept = sweep_factors(arguments.bodies)
    draw(reference, swept, arguments.figure)
    text = table(reference, swept)
    print(text)
    if arguments.table:
        arguments.table.write_text(text + "\n")


if __name__ == "__main__":
    main()
