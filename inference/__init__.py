"""From a CT volume to labelled vertebra masks, heights and fracture findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inference.anatomy import SACRUM_LABEL, VertebraLevel
from inference.errors import (
    InferenceError,
    InputUnavailable,
    ModelUnavailable,
    NotAnalysable,
    UnreadableInput,
)
from inference.report import (
    FractureFinding,
    Heights,
    LabelledVertebra,
    ModelIdentity,
    Segmentation,
    SpineReport,
    VertebraMeasurement,
)
from inference.volume import Acquisition, CTVolume, Notice, SourceFrame, SourceSeries

if TYPE_CHECKING:
    from inference.analysis import analyse_volume

__all__ = [
    "SACRUM_LABEL",
    "Acquisition",
    "CTVolume",
    "FractureFinding",
    "Heights",
    "InferenceError",
    "InputUnavailable",
    "LabelledVertebra",
    "ModelIdentity",
    "ModelUnavailable",
    "NotAnalysable",
    "Notice",
    "Segmentation",
    "SourceFrame",
    "SourceSeries",
    "SpineReport",
    "UnreadableInput",
    "VertebraLevel",
    "VertebraMeasurement",
    "analyse_volume",
]


def __getattr__(name: str) -> Any:
    """Import `analyse_volume`, and with it torch, only when it is asked for."""
    if name == "analyse_volume":
        from inference.analysis import analyse_volume  # noqa: PLC0415 - torch takes seconds to load

        return analyse_volume
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
