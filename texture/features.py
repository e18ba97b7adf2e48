"""The eight features by name: formula, unit, IBSI code, reference, differences and baseline.

The SR, the CSV, the PDF and the table in docs/texture.md read from `REGISTRY`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FeatureDefinition:
    """What one feature is.

    Attributes
    ----------
    key
        Name in files and in Python.
    name
        Name for people, as Goller 2023 (Table 2) prints it.
    formula
        LaTeX, in the notation of docs/texture.md.
    unit
        Of the value with ``histogram="toolbox"``; ``unit_raw`` where raw moments differ.
    ibsi_code, ibsi_name
        Nearest definition of the Image Biomarker Standardisation Initiative.
    reference
        Where the feature was first defined.
    note
        Where this implementation differs from the IBSI definition; empty if it does not.
    baseline
        Value on the IBSI digital phantom with toolbox definitions, 64 levels and 64 bins.
    """

    key: str
    name: str
    formula: str
    unit: str
    unit_raw: str
    ibsi_code: str
    ibsi_name: str
    reference: str
    note: str
    baseline: float


_HARALICK = "Haralick 1973, IEEE Trans. Syst. Man Cybern. 3:610-621"
_GALLOWAY = "Galloway 1975, Comput. Graph. Image Process. 4:172-179"
_WEIGHTED = (
    "One matrix merged over 13 directions; each direction counts 1, sqrt(2) or sqrt(3) by its step "
    "length where IBSI counts 1; levels by rounding, so that the first and last are half as wide."
)

_DEFINITIONS = (
    FeatureDefinition(
        key="variance",
        name="Variance",
        formula=r"\sum_k (k-\mu)^2 p_k",
        unit="bins²",
        unit_raw="HU²",
        ibsi_code="CH89",
        ibsi_name="Intensity histogram variance",
        reference="IBSI reference manual, intensity histogram",
        note=(
            "Bins are (a, b] between the region's extremes, 64 of them; the value grows with the "
            "square of the number of bins. It is no variance in HU (that is IBSI ECT3)."
        ),
        baseline=485.46603360116876,
    ),
    FeatureDefinition(
        key="skewness",
        name="Skewness",
        formula=r"\sum_k (k-\mu)^3 p_k \,/\, \mathrm{Variance}^{3/2}",
        unit="1",
        unit_raw="1",
        ibsi_code="88K1",
        ibsi_name="Intensity histogram skewness",
        reference="IBSI reference manual, intensity histogram",
        note="Same formula on bin indices (a, b]; differs from that of raw HU in the 4th digit.",
        baseline=1.0782910503514476,
    ),
    FeatureDefinition(
        key="energy",
        name="Energy",
        formula=r"\sum_{i,j} p(i,j)^2",
        unit="1",
        unit_raw="1",
        ibsi_code="8ZQL",
        ibsi_name="Angular second moment",
        reference=_HARALICK,
        note=_WEIGHTED,
        baseline=0.28510569213420306,
    ),
    FeatureDefinition(
        key="entropy",
        name="Entropy",
        formula=r"-\sum_{i,j} p(i,j)\log_2 p(i,j)",
        unit="bit",
        unit_raw="bit",
        ibsi_code="TU9B",
        ibsi_name="Joint entropy",
        reference=_HARALICK,
        note=_WEIGHTED,
        baseline=2.591453781866174,
    ),
    FeatureDefinition(
        key="sre",
        name="Short run emphasis",
        formula=r"\sum_j r_j / j^2",
        unit="1",
        unit_raw="1",
        ibsi_code="22OV",
        ibsi_name="Short runs emphasis",
        reference=_GALLOWAY,
        note=_WEIGHTED,
        baseline=0.7468899708907748,
    ),
    FeatureDefinition(
        key="lre",
        name="Long run emphasis",
        formula=r"\sum_j j^2 r_j",
        unit="1",
        unit_raw="1",
        ibsi_code="W4KF",
        ibsi_name="Long runs emphasis",
        reference=_GALLOWAY,
        note=_WEIGHTED,
        baseline=2.5576974072306395,
    ),
    FeatureDefinition(
        key="rln",
        name="Run length non-uniformity",
        formula=r"\sum_j r_j^2",
        unit="1",
        unit_raw="1",
        ibsi_code="IC23",
        ibsi_name="Normalised run length non-uniformity",
        reference=_GALLOWAY,
        note="The normalised form, in (0, 1]; IBSI's W92Y of the same name is not. " + _WEIGHTED,
        baseline=0.52406144913630881,
    ),
    FeatureDefinition(
        key="rp",
        name="Run percentage",
        formula=r"1 \,/\, \sum_j j\, r_j",
        unit="1",
        unit_raw="1",
        ibsi_code="9ZK5",
        ibsi_name="Run percentage",
        reference=_GALLOWAY,
        note=_WEIGHTED,
        baseline=0.70092126674133448,
    ),
)

REGISTRY: dict[str, FeatureDefinition] = {d.key: d for d in _DEFINITIONS}
FEATURE_KEYS: tuple[str, ...] = tuple(REGISTRY)
