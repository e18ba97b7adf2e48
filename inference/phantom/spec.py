"""What a phantom should be: the values behind `spinenode phantom`, and how its text is read."""

from __future__ import annotations

from dataclasses import dataclass

from inference.anatomy import VertebraLevel
from inference.phantom.errors import InvalidPhantom
from inference.phantom.fractures import GRADE_THRESHOLDS, Fracture
from inference.phantom.sizes import LEVEL_SIZES

FractureSpec = Fracture
"""A requested fracture, as the anatomy understands it."""

ORIENTATIONS = ("axial", "sagittal", "coronal")
BMD_RANGE_MG_CM3 = (0.0, 400.0)
SPACING_RANGE_MM = (0.2, 10.0)
FIELD_OF_VIEW_RANGE_MM = (80.0, 500.0)
USUAL_LEVELS = tuple(
    level
    for level in VertebraLevel.ordered()
    if level in LEVEL_SIZES and level not in (VertebraLevel.T13, VertebraLevel.L6)
)
"""C2 to L5, the levels of a phantom's spine."""


def _span(first: VertebraLevel, last: VertebraLevel) -> tuple[VertebraLevel, ...]:
    return tuple(level for level in USUAL_LEVELS if first.rank <= level.rank <= last.rank)


@dataclass(frozen=True)
class PhantomSpec:
    """A synthetic spine CT; equal specs give equal files, byte for byte.

    Attributes
    ----------
    seed
        Chooses the patient and the noise.
    levels
        Vertebrae that lie completely in the field of view, from head to foot without a gap.
    fractures
        At most one per level, on `levels`. A small loss is built as well as a large one: the
        truth then has that loss and grade 0.
    bmd_mg_cm3
        Density of the trabecular bone in every body.
    orientation
        Slice plane of the series: ``axial``, ``sagittal`` or ``coronal``.
    spacing_xyz_mm
        Voxel size along the patient's x (left-right), y (front-back) and z (head-foot), whatever
        the orientation; across the slices it is also the slice thickness.
    left_marker
        A metal bead on the left of the abdomen and a supernumerary rib on the left (L1, or C7
        where L1 is not shown), for tests of left and right.
    noise_hu
        Standard deviation of the noise.
    field_of_view_mm
        Extent along x and y.

    Raises
    ------
    InvalidPhantom
        Naming the value that cannot be built.
    """

    seed: int = 1
    levels: tuple[VertebraLevel, ...] = _span(VertebraLevel.T10, VertebraLevel.L5)
    fractures: tuple[Fracture, ...] = ()
    bmd_mg_cm3: float = 130.0
    orientation: str = "axial"
    spacing_xyz_mm: tuple[float, float, float] = (0.9, 0.9, 1.5)
    left_marker: bool = False
    noise_hu: float = 12.0
    field_of_view_mm: float = 300.0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InvalidPhantom(f"seed {self.seed} is negative")
        if not self.levels or self.levels != _span(self.levels[0], self.levels[-1]):
            names = ",".join(level.name for level in self.levels)
            raise InvalidPhantom(f"levels {names!r} are not a gapless run within C2-L5")
        if self.orientation not in ORIENTATIONS:
            raise InvalidPhantom(f"orientation {self.orientation!r} is not one of {ORIENTATIONS}")
        _require_within("bmd", self.bmd_mg_cm3, BMD_RANGE_MG_CM3)
        _require_within("field of view", self.field_of_view_mm, FIELD_OF_VIEW_RANGE_MM)
        _require_within("noise", self.noise_hu, (0.0, 200.0))
        for spacing in self.spacing_xyz_mm:
            _require_within("spacing", spacing, SPACING_RANGE_MM)
        self._require_fractures()

    def _require_fractures(self) -> None:
        seen = set()
        for fracture in self.fractures:
            name = fracture.level.name
            if fracture.level not in self.levels:
                raise InvalidPhantom(f"fracture of {name}: the level is not among the levels shown")
            if fracture.level in seen:
                raise InvalidPhantom(f"fracture of {name} is given twice")
            seen.add(fracture.level)
        broken = [f.type for f in self.fractures if f.loss > 0]
        if len(broken) == len(self.levels) and "crush" in broken:
            raise InvalidPhantom("a crush needs an unfractured neighbour among the levels shown")


def _require_within(name: str, value: float, limits: tuple[float, float]) -> None:
    if not limits[0] <= value <= limits[1]:
        raise InvalidPhantom(f"{name} {value} is not within {limits[0]:g} to {limits[1]:g}")


def parse_level(text: str) -> VertebraLevel:
    """Level of a name such as ``L1``.

    Raises
    ------
    InvalidPhantom
        If no phantom has that level.
    """
    try:
        level = VertebraLevel.from_name(text)
    except KeyError:
        raise InvalidPhantom(f"{text!r} is not the name of a vertebra") from None
    if level not in USUAL_LEVELS:
        raise InvalidPhantom(f"{text!r} is outside C2-L5, which phantoms are made of")
    return level


def parse_levels(text: str) -> tuple[VertebraLevel, ...]:
    """Levels of a range such as ``T10-L5`` or of a single name such as ``L3``.

    Raises
    ------
    InvalidPhantom
        Naming the text that is not understood.
    """
    first, dash, last = text.partition("-")
    levels = _span(parse_level(first), parse_level(last if dash else first))
    if not levels:
        raise InvalidPhantom(f"levels {text!r} run from foot to head; give the upper one first")
    return levels


def parse_fracture(text: str) -> Fracture:
    """Fracture of ``LEVEL:TYPE:LOSS``, for example ``L1:wedge:0.35``.

    Raises
    ------
    InvalidPhantom
        Naming the part that is not understood.
    """
    parts = text.split(":")
    if len(parts) != 3:
        raise InvalidPhantom(f"fracture {text!r} is not LEVEL:TYPE:LOSS, such as L1:wedge:0.35")
    try:
        loss = float(parts[2])
    except ValueError:
        raise InvalidPhantom(f"fracture {text!r}: loss {parts[2]!r} is not a number") from None
    return Fracture(parse_level(parts[0]), parts[1].strip().lower(), loss)


def parse_spacing(text: str) -> tuple[float, float, float]:
    """Spacing of ``X,Y,Z`` in mm, patient axes.

    Raises
    ------
    InvalidPhantom
        If these are not three numbers.
    """
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise InvalidPhantom(f"spacing {text!r} is not X,Y,Z in mm, such as 0.9,0.9,1.5") from None
    return x, y, z


def demo_spec(seed: int = 1) -> PhantomSpec:
    """The built-in case of `spinenode demo`: a grade 2 wedge of L1 in osteopenic bone."""
    loss = (GRADE_THRESHOLDS[1] + GRADE_THRESHOLDS[2]) / 2
    fracture = Fracture(VertebraLevel.L1, "wedge", loss)
    return PhantomSpec(seed=seed, fractures=(fracture,), bmd_mg_cm3=100.0)
