"""The smooth surface of least cost through a field of columns.

Semi-global matching (Hirschmüller, IEEE TPAMI 2008): costs are summed along the paths that reach
a column from its four sides, with a penalty on every step of depth between neighbouring columns;
the depth with the lowest sum wins. Steps are dear but possible, so walls stay steep.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def smooth_surface(cost: FloatArray, step_penalty: float) -> npt.NDArray[np.int64]:
    """Index of the surface in every column.

    Parameters
    ----------
    cost
        (a, b, d), cost of a surface at depth index d in the column at (a, b).
    step_penalty
        Cost of one step of depth between neighbours.

    Returns
    -------
    (a, b), depth indices.
    """
    across = cost.transpose(1, 0, 2)
    total = (
        _along(cost, step_penalty)
        + _along(cost[::-1], step_penalty)[::-1]
        + _along(across, step_penalty).transpose(1, 0, 2)
        + _along(across[::-1], step_penalty)[::-1].transpose(1, 0, 2)
    )
    return np.asarray(total.argmin(axis=2), dtype=np.int64)


def _along(cost: FloatArray, step_penalty: float) -> FloatArray:
    """Costs of the cheapest paths along the first axis that end in each column and depth."""
    summed = np.empty_like(cost)
    summed[0] = cost[0]
    for n in range(1, cost.shape[0]):
        reached = _with_steps(summed[n - 1], step_penalty)
        summed[n] = cost[n] + reached - reached.min(axis=-1, keepdims=True)
    return summed


def _with_steps(cost: FloatArray, step_penalty: float) -> FloatArray:
    """For every depth the least cost over all depths, steps included (b, d)."""
    ramp = step_penalty * np.arange(cost.shape[-1])
    down = np.minimum.accumulate(cost - ramp, axis=-1) + ramp
    up = np.minimum.accumulate((cost + ramp)[..., ::-1], axis=-1)[..., ::-1] - ramp
    return np.asarray(np.minimum(down, up))
