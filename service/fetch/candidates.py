"""Which series of a study are worth fetching, by what the archive says before the transfer.

The rules of the configuration hold here as far as an archive can answer for them; thickness,
kernel and orientation are known only once the images are here, and decide then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from node import RECEIVED_SOP_CLASSES
from node.query import FoundInstance, FoundSeries
from service.config import RulesConfig
from service.patterns import first_match

SCOUT_WORDS = (
    "localizer", "localiser", "scout", "topogram", "surview", "scanogram", "scano", "scanogramm",
)  # fmt: skip
OTHER_WORDS = (
    "dose report", "dosisbericht", "patient protocol", "patientenprotokoll", "smartprep",
    "premonitoring", "monitoring", "bolus tracking", "screen save", "secondary capture",
)  # fmt: skip
OFF_SPINE_PARTS = frozenset((
    "ANKLE", "BRAIN", "BREAST", "CALCANEUS", "CALF", "CORONARYARTERY", "EAR", "ELBOW", "EXTREMITY",
    "EYE", "FEMUR", "FINGER", "FOOT", "FOREARM", "HAND", "HEAD", "HIP", "HUMERUS", "IAC", "JAW",
    "KNEE", "LEG", "MANDIBLE", "MAXILLA", "ORBIT", "PAROTID", "SINUS", "SHOULDER", "SKULL",
    "TIBIA", "TMJ", "TOE", "WRIST",
))  # fmt: skip
"""Defined terms of Body Part Examined (PS3.16 Annex L) that show no vertebral body as a rule.
What is not listed, chest and abdomen included, shows some."""


@dataclass(frozen=True)
class Filters:
    """What narrows the choice.

    Attributes
    ----------
    descriptions
        Patterns as in `rules:`; a series description has to fit one, if there are any.
    study_descriptions
        The same for the study's description.
    off_spine_parts
        Body parts that are left out.
    """

    rules: RulesConfig = field(default_factory=RulesConfig)
    modality: str = "CT"
    descriptions: tuple[str, ...] = ()
    study_descriptions: tuple[str, ...] = ()
    off_spine_parts: frozenset[str] = OFF_SPINE_PARTS

    def study_left_out(self, description: str) -> str:
        """Say why a study is left out by its description; empty when it is not."""
        if self.study_descriptions and first_match(self.study_descriptions, description) is None:
            return "the study description fits no --study-description"
        return ""

    def series_left_out(self, series: FoundSeries) -> str:
        """Say why a series is not fetched; empty when it is a candidate."""
        return next(self._reasons(series), "")

    def is_short(self, series: FoundSeries) -> bool:
        """Whether it has too few images to be a volume, unless they are multi-frame."""
        return series.images is not None and series.images < self.rules.min_instances

    def short_left_out(self, images: int, instances: tuple[FoundInstance, ...]) -> str:
        """Say why a short series is not fetched, by its instances; empty when it is multi-frame."""
        if any(
            RECEIVED_SOP_CLASSES.get(i.SOPClassUID, "").find("Enhanced") >= 0 for i in instances
        ):
            return ""
        return f"{images} images, rules.min_instances is {self.rules.min_instances}"

    def _reasons(self, series: FoundSeries) -> Iterator[str]:
        text, rules = series.SeriesDescription, self.rules
        if series.Modality and series.Modality != self.modality:
            yield f"Modality {series.Modality}"
        if (pattern := first_match(rules.exclude_description, text)) is not None:
            yield f"rules.exclude_description {pattern!r}"
        for wanted, name in (
            (rules.include_description, "rules.include_description"),
            (self.descriptions, "--description"),
        ):
            if wanted and first_match(wanted, text) is None:
                yield f"the description fits nothing in {name}"
        if (word := first_match((*SCOUT_WORDS, *OTHER_WORDS), text)) is not None:
            yield f"no volume by its description ({word!r})"
        if series.BodyPartExamined.upper() in self.off_spine_parts:
            yield f"BodyPartExamined {series.BodyPartExamined}"
        if series.images == 0:
            yield "no images"
