"""Texture settings as data: the three presets, and presets a site defines itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

from texture.errors import SettingsError, UnknownPreset

Resampling = Literal["centred", "toolbox", "native"]
Quantiser = Literal["toolbox", "fixed_bin_number", "fixed_bin_size"]
Histogram = Literal["toolbox", "fixed_bin_number", "raw"]
Weighting = Literal["distance", "none"]
Aggregation = Literal["merged", "averaged"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "resampling": get_args(Resampling),
    "quantiser": get_args(Quantiser),
    "histogram": get_args(Histogram),
    "weighting": get_args(Weighting),
    "aggregation": get_args(Aggregation),
}
MAXIMUM_LEVELS = 4096
"""A dense co-occurrence triangle of this many levels takes 67 MB."""
MAXIMUM_BINS = 65535


@dataclass(frozen=True)
class Settings:
    """Everything that decides the value of a feature.

    Attributes
    ----------
    voxel_mm
        Edge of the isotropic voxel the region is resampled to.
    resampling
        ``centred``: voxel centres aligned, real neighbours outside the region. ``toolbox``: as
        the MATLAB toolbox (box cropped first, zeros outside, no half-voxel centring).
        ``native``: the grid as it is.
    quantiser
        ``toolbox``: rounding to 1..levels with half-width first and last bins.
        ``fixed_bin_number`` and ``fixed_bin_size``: as IBSI defines them.
    levels
        Number of grey levels; ignored by ``fixed_bin_size``.
    bin_width_hu, bin_origin_hu
        For ``fixed_bin_size``; origin None is the region's minimum.
    histogram
        ``toolbox``: bins (a, b]; ``fixed_bin_number``: bins [a, b) as IBSI; ``raw``: moments of
        the HU themselves, no bins.
    weighting
        ``distance``: pairs and runs count 1, sqrt(2), sqrt(3) by step length; ``none``: 1.
    aggregation
        ``merged``: one matrix of all 13 directions; ``averaged``: mean of 13 features.
    foreign_material_hu
        A region that holds this value or more gets no features; None switches the check off.
    evidence
        Where these settings come from, in one or two sentences.
    """

    name: str = "custom"
    voxel_mm: float = 1.0
    resampling: Resampling = "centred"
    quantiser: Quantiser = "toolbox"
    levels: int = 1000
    bin_width_hu: float = 25.0
    bin_origin_hu: float | None = None
    histogram: Histogram = "toolbox"
    histogram_bins: int = 64
    weighting: Weighting = "distance"
    aggregation: Aggregation = "merged"
    foreign_material_hu: float | None = 2500.0
    evidence: str = ""

    def __post_init__(self) -> None:
        for key, allowed in _CHOICES.items():
            if getattr(self, key) not in allowed:
                self._refuse(key, f"one of {', '.join(allowed)}")
        if not 0.05 <= self.voxel_mm <= 20:
            self._refuse("voxel_mm", "between 0.05 and 20")
        if not 2 <= self.levels <= MAXIMUM_LEVELS:
            self._refuse("levels", f"between 2 and {MAXIMUM_LEVELS}")
        if not self.bin_width_hu > 0:
            self._refuse("bin_width_hu", "positive")
        if self.histogram != "raw" and not 2 <= self.histogram_bins <= MAXIMUM_BINS:
            self._refuse("histogram_bins", f"between 2 and {MAXIMUM_BINS}")

    def _refuse(self, key: str, expected: str) -> None:
        raise SettingsError(
            f"texture preset {self.name!r}: {key} is {getattr(self, key)!r}, must be {expected}"
        )


_GOLLER = Settings(
    name="goller2023",
    evidence=(
        "Inferred. Published: cubic interpolation to isotropic voxels, quantisation of the region"
        " to 0-1, the toolbox. Not published: voxel size, levels, bins. 1.0 mm with 1000 levels"
        " meets the printed energy, entropy and run features together; 64 bins meet the printed"
        " variance (docs/texture.md)."
    ),
)

PRESETS: Mapping[str, Settings] = {
    "goller2023": _GOLLER,
    "vallieres": replace(
        _GOLLER,
        name="vallieres",
        histogram_bins=100,
        evidence="goller2023 with the 100 histogram bins of the toolbox's own examples.",
    ),
    "ibsi": Settings(
        name="ibsi",
        quantiser="fixed_bin_number",
        levels=32,
        histogram="raw",
        histogram_bins=0,
        weighting="none",
        evidence="IBSI definitions: unit weights, fixed bin number 32, moments of the HU.",
    ),
}


def resolve_settings(preset: Settings | str) -> Settings:
    """Settings of a preset's name; a `Settings` object is returned as it is.

    Raises
    ------
    UnknownPreset
        If no preset has that name.
    """
    if isinstance(preset, Settings):
        return preset
    if preset not in PRESETS:
        raise UnknownPreset(f"unknown texture preset {preset!r}; known: {', '.join(PRESETS)}")
    return PRESETS[preset]


def settings_from_mapping(name: str, values: Mapping[str, object]) -> Settings:
    """A preset as a site writes it in its configuration.

    `values` holds field names of `Settings`, and optionally ``base``: the preset whose values
    fill the rest (default ``goller2023``).

    Raises
    ------
    SettingsError
        If a key is unknown or a value cannot be used; names both.
    """
    given = dict(values)
    base = given.pop("base", "goller2023")
    known = {f.name for f in fields(Settings)} - {"name"}
    for key in given:
        if key not in known:
            raise SettingsError(
                f"texture preset {name!r}: unknown key {key!r}; known: base, "
                f"{', '.join(sorted(known))}"
            )
    given.setdefault("evidence", f"defined by this site on the base of {base}")
    try:
        return replace(resolve_settings(str(base)), name=name, **given)  # type: ignore[arg-type]
    except TypeError as error:
        raise SettingsError(f"texture preset {name!r}: {error}") from None
