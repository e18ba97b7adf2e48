"""What is on the screen against CT and mask: the picture itself, not the viewer's word for it."""

from __future__ import annotations

import numpy as np
from ohif import Viewer
from studies import Study

_COLOURED = 40
"""Difference of the strongest and weakest channel from which a pixel counts as coloured."""


def coloured(picture: np.ndarray) -> np.ndarray:
    """Pixels with a colour; a CT alone is grey."""
    channels = picture.astype(np.int16)
    return np.ptp(channels, axis=2) > _COLOURED


def voxels_on_screen(viewer: Viewer, study: Study, k: int, shape: tuple[int, int]) -> np.ndarray:
    """Return (row, column) of the voxel of slice `k` under each screen pixel, -1 outside."""
    corners = np.array([(k, 0, 0), (k, 0, 100), (k, 100, 0)], dtype=float)
    world = corners @ study.volume.affine_lps[:3, :3].T + study.volume.affine_lps[:3, 3]
    origin, along_columns, along_rows = viewer.to_canvas(world)
    steps = np.column_stack([along_rows - origin, along_columns - origin]) / 100
    y, x = np.indices(shape)
    screen = np.stack([x.ravel() + 0.5, y.ravel() + 0.5]) - origin[:, None]
    index = np.rint(np.linalg.solve(steps, screen)).astype(int)
    limits = np.array(study.volume.shape_kji[1:])[:, None]
    index[:, ((index < 0) | (index >= limits)).any(axis=0)] = -1
    return index.reshape(2, *shape)


def overlay_dice(viewer: Viewer, study: Study, k: int) -> float:
    """Dice of the coloured pixels on the screen with the mask of slice `k`."""
    picture = viewer.canvas()
    j, i = voxels_on_screen(viewer, study, k, picture.shape[:2])
    expected = (study.labels[k][j, i] > 0) & (j >= 0)
    seen = coloured(picture)
    # texts and arrows of the viewer itself lie at the edge, far from the spine
    rows, columns = np.flatnonzero(expected.any(1)), np.flatnonzero(expected.any(0))
    part = (slice(max(rows[0] - 60, 0), rows[-1] + 60), slice(columns[0] - 60, columns[-1] + 60))
    both = np.count_nonzero(seen[part] & expected[part])
    return 2 * both / (np.count_nonzero(seen[part]) + np.count_nonzero(expected[part]))


def ct_correlation(viewer: Viewer, study: Study, k: int) -> float:
    """Correlation of the grey pixels on the screen with the CT of slice `k`."""
    picture = viewer.canvas()
    j, i = voxels_on_screen(viewer, study, k, picture.shape[:2])
    grey = (j >= 0) & ~coloured(picture)
    hu = np.clip(study.volume.hu[k][j, i], -450, 1050)
    return float(np.corrcoef(picture[..., 1][grey], hu[grey])[0, 1])
