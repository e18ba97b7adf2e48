"""The second network: one vertebra at 1 mm, given what the first one said about it at 2 mm.

It sees the HU around one vertebra, and the first network's soft masks split into "own" and
"other vertebrae", and answers per voxel: own body, own posterior elements, another vertebra, or
none of these. Axes are the network's ``[R+, A+, S+]`` as in `inference.networks`.
"""

from __future__ import annotations

from enum import IntEnum

import torch
from torch import Tensor
from torch.nn import functional

from inference.networks import SpineUNet, Tissue

FINE_MM = 1.0
FINER = 2
"""Voxels of the fine grid along one voxel of the 2 mm grid."""

REFINER_WIDTHS = (8, 16, 32, 48)
REFINER_STRIDE = 8
"""Sizes of its input must be multiples of this: three halvings."""


class Part(IntEnum):
    """Output channels."""

    OUTSIDE = 0
    BODY = 1
    POSTERIOR = 2
    NEIGHBOUR = 3


INPUT_CHANNELS = 7


def refiner_network() -> SpineUNet:
    """Build the second network with random weights."""
    return SpineUNet(INPUT_CHANNELS, len(Part), REFINER_WIDTHS)


def refiner_input(windows: Tensor, probabilities: Tensor, own: Tensor) -> Tensor:
    """Stack the channels of the second network.

    Parameters
    ----------
    windows
        float32 (2, 2a, 2b, 2c), `inference.preprocess.hu_windows` of the HU at 1 mm.
    probabilities
        float32 (7, a, b, c), the first network's, at 2 mm.
    own
        bool (a, b, c), voxels at 2 mm that may belong to this vertebra.

    Returns
    -------
    float32 (7, 2a, 2b, 2c): windows, own body, own posterior elements, other vertebrae, other
    bone, disc; each between 0 and 1 but for the windows.
    """
    body, posterior = probabilities[Tissue.BODY], probabilities[Tissue.POSTERIOR]
    bone = probabilities[[Tissue.SACRUM, Tissue.RIB, Tissue.OTHER_BONE]].sum(dim=0)
    soft = torch.stack(
        [
            body * own,
            posterior * own,
            (body + posterior) * ~own,
            bone,
            probabilities[Tissue.DISC],
        ]
    )
    fine = functional.interpolate(
        soft[None], scale_factor=FINER, mode="trilinear", align_corners=False
    )
    return torch.cat([windows, fine[0]])
