"""What may be asked of a sampled anatomy, and random patients for training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inference.anatomy import VertebraLevel
from inference.phantom.fractures import Fracture


@dataclass(frozen=True)
class AnatomyOptions:
    """What to ask of a sampled anatomy; everything else varies within the normal range.

    Attributes
    ----------
    fractures
        Requested fractures; `reference_levels` limits the neighbours that a crush is measured
        against (all levels when empty).
    variation
        0 for an average adult, 1 for the spread of a population.
    scoliosis_deg
        Largest lateral tilt.
    curvature
        Factor on kyphosis and lordosis.
    thoracic_count, lumbar_count
        12 and 5 as a rule; 11 or 13, and 4 or 6, are built too.
    osteophytes
        Largest relative outgrowth of the rims; 0.25 is severe.
    narrow_discs
        Share of discs that have lost height.
    left_extra_rib
        A supernumerary rib on the left: ``"none"``, ``"cervical"`` (C7) or ``"thirteenth"`` (L1).
    rudimentary_last_ribs
        The last thoracic ribs are short stumps.
    """

    fractures: tuple[Fracture, ...] = ()
    reference_levels: tuple[VertebraLevel, ...] = ()
    variation: float = 1.0
    scoliosis_deg: float = 2.0
    curvature: float = 1.0
    thoracic_count: int = 12
    lumbar_count: int = 5
    osteophytes: float = 0.05
    narrow_discs: float = 0.0
    left_extra_rib: str = "none"
    rudimentary_last_ribs: bool = False


def random_options(rng: np.random.Generator) -> AnatomyOptions:
    """Options of a random patient for training: every grade, type and variant now and then."""
    rate = rng.choice([0.0, 0.06, 0.22], p=[0.35, 0.35, 0.3])
    usual = present_levels(AnatomyOptions())
    levels = [level for level in usual if level.rank >= VertebraLevel.T3.rank]
    fractures = tuple(
        Fracture(level, str(rng.choice(["wedge", "biconcave", "crush"])), rng.uniform(0.13, 0.6))
        for level in levels
        if rng.random() < rate
    )
    return AnatomyOptions(
        fractures=fractures,
        scoliosis_deg=float(rng.choice([2.0, 6.0, 16.0], p=[0.6, 0.28, 0.12])),
        curvature=float(rng.uniform(0.4, 1.35)),
        thoracic_count=int(rng.choice([11, 12, 13], p=[0.04, 0.92, 0.04])),
        lumbar_count=int(rng.choice([4, 5, 6], p=[0.04, 0.90, 0.06])),
        osteophytes=float(rng.choice([0.03, 0.12, 0.28], p=[0.5, 0.35, 0.15])),
        narrow_discs=float(rng.choice([0.0, 0.15, 0.5], p=[0.45, 0.4, 0.15])),
        left_extra_rib=str(rng.choice(["none", "cervical", "thirteenth"], p=[0.96, 0.01, 0.03])),
        rudimentary_last_ribs=bool(rng.random() < 0.08),
    )


def present_levels(options: AnatomyOptions) -> tuple[VertebraLevel, ...]:
    """Levels that a spine with these options has, C2 to the last lumbar, from head to foot."""
    absent = {VertebraLevel.C1}
    if options.thoracic_count < 12:
        absent.add(VertebraLevel.T12)
    if options.thoracic_count < 13:
        absent.add(VertebraLevel.T13)
    if options.lumbar_count < 5:
        absent.add(VertebraLevel.L5)
    if options.lumbar_count < 6:
        absent.add(VertebraLevel.L6)
    return tuple(level for level in VertebraLevel.ordered() if level not in absent)
