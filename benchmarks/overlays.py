"""Pictures of what the model found: `python -m benchmarks.overlays CT OUT.png [MASK.nii.gz]`.

CT is a DICOM folder or a NIfTI file. Left to right: a sagittal view curved along the column, the
same with masks and level names, and a coronal bone projection with masks, to count ribs by eye.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from inference.analysis import released_segmenter
from inference.axes import to_canonical
from inference.report import Segmentation
from inference.volume import CTVolume

_COLOURS = ListedColormap(
    ["#e6194b", "#3cb44b", "#ffe119", "#4363d8", "#f58231", "#46f0f0", "#f032e6"]
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ct", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    volume = load(arguments.ct)
    began = time.monotonic()
    segmentation = released_segmenter().segment(volume)
    seconds = time.monotonic() - began
    print(f"{arguments.ct.name} {volume.shape_kji} {seconds:.1f} s", end=" ")
    print(
        *(
            f"{v.level.name}:{v.confidence:.2f}{'' if v.complete else '-cut'}"
            for v in segmentation.vertebrae
        ),
        *(w.code for w in segmentation.warnings),
    )
    draw(volume, segmentation, arguments.out)


def load(path: Path) -> CTVolume:
    return CTVolume.from_dicom(path) if path.is_dir() else CTVolume.from_nifti(path)


def draw(volume: CTVolume, segmentation: Segmentation, out: Path) -> None:
    hu, affine, _ = to_canonical(volume.hu, volume.affine_lps)
    labels, _, _ = to_canonical(segmentation.labels, volume.affine_lps)
    bodies, _, _ = to_canonical(segmentation.bodies, volume.affine_lps)
    z_mm, y_mm, x_mm = np.linalg.norm(affine[:3, :3], axis=0)
    column = middle_line(bodies)
    rows = np.arange(len(hu))
    sagittal = hu[rows, :, column[:, 1]], labels[rows, :, column[:, 1]]
    front = np.clip(column[:, 0].astype(int) - round(30 / y_mm), 0, hu.shape[1] - 1)
    slab = [hu[k, front[k] : front[k] + round(75 / y_mm)] for k in rows]
    projection = np.stack([s.max(axis=0) for s in slab])
    masks = labels[rows, column[:, 0]]
    figure = Figure(figsize=(17, 10), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 4)
    views = (
        (sagittal[0], None, z_mm / y_mm),
        (sagittal[0], sagittal[1], z_mm / y_mm),
        (projection, None, z_mm / x_mm),
        (projection, masks, z_mm / x_mm),
    )
    for axis, (image, mask, aspect) in zip(axes, views, strict=True):
        axis.imshow(image, cmap="gray", vmin=-250, vmax=900, origin="lower", aspect=aspect)
        axis.axis("off")
        if mask is not None:
            shown = np.ma.masked_equal(np.where(mask > 0, mask % 7 + 1, 0), 0)
            axis.imshow(
                shown,
                cmap=_COLOURS,
                vmin=1,
                vmax=7,
                alpha=0.5,
                origin="lower",
                aspect=aspect,
                interpolation="nearest",
            )
    for vertebra in segmentation.vertebrae:
        where = np.argwhere(bodies == int(vertebra.level))
        if len(where):
            z, y, x = where.mean(axis=0)
            axes[1].text(y, z, vertebra.level.name, color="white", fontsize=8, ha="center")
            axes[3].text(x, z, vertebra.level.name, color="white", fontsize=8, ha="center")
    figure.savefig(out, dpi=60)


def middle_line(bodies: np.ndarray) -> np.ndarray:
    """Row and column of the vertebral canal's front at every slice, extended beyond the ends."""
    where = np.argwhere(bodies > 0)
    levels = np.unique(where[:, 0])
    middle = np.array([where[where[:, 0] == z].mean(axis=0)[1:] for z in levels])
    z = np.arange(len(bodies))
    return np.stack([np.interp(z, levels, middle[:, a]).round() for a in (0, 1)], -1).astype(int)


if __name__ == "__main__":
    main()
