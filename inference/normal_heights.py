"""Normal heights of vertebral bodies, as ratios between levels and within one body.

`POSTERIOR_HEIGHT_MM`: mean posterior body heights of adult specimens as Panjabi et al. give them
(Spine 1991;16:861 cervical, 1991;16:888 thoracic, 1992;17:299 lumbar). They were written down from
memory of these papers, whose tables could not be looked up again, and are therefore used as ratios
only: the size of the patient comes from the neighbours. 33 healthy bodies T2 to L5 of four public
label maps, measured by this program, lie within 8 % of one patient's factor of them
(docs/heights.md).

`NORMAL_SHAPE`: anterior, middle and posterior height over the posterior one, medians of the same
bodies drawn smoothly along the spine. Four patients are no reference population: the shape says
what is far outside, and never enters a grade. C2 and C1 have no comparable body.
"""

from __future__ import annotations

from inference.anatomy import VertebraLevel as V
from inference.report import Heights

POSTERIOR_HEIGHT_MM: dict[V, float] = {
    V.C3: 11.6,
    V.C4: 11.4,
    V.C5: 11.4,
    V.C6: 10.9,
    V.C7: 12.8,
    V.T1: 14.1,
    V.T2: 15.6,
    V.T3: 15.7,
    V.T4: 16.2,
    V.T5: 16.2,
    V.T6: 17.4,
    V.T7: 18.2,
    V.T8: 18.7,
    V.T9: 19.3,
    V.T10: 20.2,
    V.T11: 21.3,
    V.T12: 22.7,
    V.T13: 23.2,  # between its neighbours: no series of thirteenth thoracic vertebrae exists
    V.L1: 23.8,
    V.L2: 24.3,
    V.L3: 23.8,
    V.L4: 24.1,
    V.L5: 22.9,
    V.L6: 22.9,  # as L5, whose place above the sacrum it takes
}

_ANTERIOR_AND_MIDDLE: dict[V, tuple[float, float]] = {
    V.C3: (0.92, 0.94),
    V.C4: (0.92, 0.94),
    V.C5: (0.94, 0.92),
    V.C6: (0.95, 0.92),
    V.C7: (0.98, 0.94),
    V.T1: (0.97, 0.95),
    V.T2: (0.97, 0.95),
    V.T3: (0.96, 0.94),
    V.T4: (0.95, 0.93),
    V.T5: (0.93, 0.92),
    V.T6: (0.92, 0.92),
    V.T7: (0.91, 0.91),
    V.T8: (0.92, 0.91),
    V.T9: (0.93, 0.92),
    V.T10: (0.94, 0.92),
    V.T11: (0.96, 0.92),
    V.T12: (0.97, 0.93),
    V.T13: (0.98, 0.94),
    V.L1: (0.98, 0.94),
    V.L2: (1.01, 0.95),
    V.L3: (1.06, 0.97),
    V.L4: (1.09, 0.99),
    V.L5: (1.14, 1.03),
    V.L6: (1.14, 1.03),
}
NORMAL_SHAPE = {
    level: Heights(anterior=anterior, middle=middle, posterior=1.0)
    for level, (anterior, middle) in _ANTERIOR_AND_MIDDLE.items()
}

VOLUME_PER_CUBED_HEIGHT = 2.8
"""Volume of a body in cubes of its posterior height: 40 ml at 24.3 mm (L2), 15 ml at 17.4 mm."""


def normal_volume_ml(level: V) -> float:
    """About the volume of an adult's vertebral body; C2 counts as C3."""
    height_mm = POSTERIOR_HEIGHT_MM.get(level, POSTERIOR_HEIGHT_MM[V.C3])
    return VOLUME_PER_CUBED_HEIGHT * height_mm**3 / 1000.0
