"""Normal posterior heights of vertebral bodies, as ratios between levels.

Panjabi et al., Spine 1991;16:861 (cervical), 1991;16:888 (thoracic) and 1992;17:299 (lumbar):
mean posterior body heights of adult specimens. Only their ratios are used; the size of the
patient comes from the neighbours. C2 and C1 have no comparable body.
"""

from __future__ import annotations

from inference.anatomy import VertebraLevel as V

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

VOLUME_PER_CUBED_HEIGHT = 2.8
"""Volume of a body in cubes of its posterior height: 40 ml at 24.3 mm (L2), 15 ml at 17.4 mm."""


def normal_volume_ml(level: V) -> float:
    """About the volume of an adult's vertebral body; C2 counts as C3."""
    height_mm = POSTERIOR_HEIGHT_MM.get(level, POSTERIOR_HEIGHT_MM[V.C3])
    return VOLUME_PER_CUBED_HEIGHT * height_mm**3 / 1000.0
