"""Centres of labelled voxels in patient coordinates."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from inference.anatomy import VertebraLevel
from inference.evaluation.centroid_file import Centroids
from inference.volume import CTVolume, LabelArray


def mask_centres(labels: LabelArray, volume: CTVolume) -> Centroids:
    """Mean of the voxel centres of every vertebra in a mask, LPS mm.

    Parameters
    ----------
    labels
        uint8 (k, j, i), VerSe labels on the grid of `volume`; the sacrum is left out.
    """
    boxes = ndimage.find_objects(labels)
    centres: Centroids = {}
    for level in VertebraLevel.ordered():
        box = boxes[int(level) - 1] if int(level) <= len(boxes) else None
        if box is None:
            continue
        corner = np.array([part.start for part in box])
        inside = np.argwhere(labels[box] == int(level))
        centres[level] = volume.to_lps_mm(inside.mean(axis=0) + corner)
    return centres
