"""Which windows to look through: from dense bone along the spine, not over the whole patient.

A torso holds the spine in about a quarter of its windows. The search starts, at every height,
where bone is thickest, and goes on to a neighbouring window wherever spine reaches into it. If no
start shows any spine, every window is looked through, so that nothing is missed for speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

from inference.networks import Tissue

Box = tuple[slice, slice, slice]
Place = tuple[int, int, int]

Progress = Callable[[float], None]
"""Called with the finished fraction, 0 to 1."""

_STARTS_PER_HEIGHT = 2
_DENSE_BONE = -0.1
"""About 165 HU in the network's bone window."""

_THICKNESS_VOXELS = 2.0
_REACHING_VOXELS = 40
_SPINE = torch.tensor([Tissue.BODY, Tissue.POSTERIOR, Tissue.SACRUM, Tissue.DISC])


@dataclass(frozen=True)
class WindowLattice:
    """Overlapping windows of one size over an array."""

    shape: tuple[int, ...]
    size: tuple[int, ...]
    overlap: float

    @property
    def counts(self) -> Place:
        """Number of windows along each axis."""
        a, b, c = (
            max(0, int(np.ceil((n - w) / (w * (1 - self.overlap))))) + 1
            for n, w in zip(self.shape, self.size, strict=True)
        )
        return a, b, c

    def box(self, place: Place) -> Box:
        """Extent of the window at a place of the lattice; first and last touch the borders."""
        spans = []
        for at, count, length, window in zip(
            place, self.counts, self.shape, self.size, strict=True
        ):
            start = 0 if count == 1 else round(at * (length - window) / (count - 1))
            spans.append(slice(start, start + window))
        return spans[0], spans[1], spans[2]

    def places(self) -> Iterator[Place]:
        """All places."""
        a, b, c = self.counts
        yield from product(range(a), range(b), range(c))

    def neighbours(self, place: Place) -> Iterator[Place]:
        """Places one step away along one axis."""
        for axis, step in product(range(3), (-1, 1)):
            moved = list(place)
            moved[axis] += step
            if 0 <= moved[axis] < self.counts[axis]:
                yield moved[0], moved[1], moved[2]


def follow_spine(
    lattice: WindowLattice,
    bone_window: npt.NDArray[np.float32],
    look: Callable[[Box], Tensor],
    progress: Progress | None = None,
) -> None:
    """Look through the windows that hold the spine.

    Parameters
    ----------
    bone_window
        First channel of the network's input, network order (R, A, S).
    look
        Processes one window and returns its tissue classes.
    """
    queue = list(starting_places(lattice, bone_window))
    asked = set(queue)
    spine_found = False
    done = 0
    while queue:
        place = queue.pop(0)
        spine = torch.isin(look(lattice.box(place)), _SPINE)
        done += 1
        spine_found |= int(spine.sum()) >= _REACHING_VOXELS
        for other in lattice.neighbours(place):
            if other not in asked and _reaches(spine, lattice, place, other):
                asked.add(other)
                queue.append(other)
        if not queue and not spine_found:
            queue = [other for other in lattice.places() if other not in asked]
            asked.update(queue)
            spine_found = True
        if progress is not None:
            progress(done / (done + len(queue)))


def starting_places(lattice: WindowLattice, bone_window: npt.NDArray[np.float32]) -> list[Place]:
    """At every height the windows with the most thick bone, most first."""
    thick = ndimage.gaussian_filter(bone_window, _THICKNESS_VOXELS) > _DENSE_BONE
    across, deep, high = lattice.counts
    starts: list[Place] = []
    for height in range(high):
        ranked = sorted(
            product(range(across), range(deep), [height]),
            key=lambda place: -np.count_nonzero(thick[lattice.box(place)]),
        )
        starts.extend(ranked[:_STARTS_PER_HEIGHT])
    return starts


def _reaches(spine: Tensor, lattice: WindowLattice, place: Place, other: Place) -> bool:
    """Whether spine lies in the part of one window that the other one covers too."""
    shared = tuple(
        slice(max(0, theirs.start - own.start), max(0, min(own.stop, theirs.stop) - own.start))
        for own, theirs in zip(lattice.box(place), lattice.box(other), strict=True)
    )
    return int(spine[shared].sum()) >= _REACHING_VOXELS
