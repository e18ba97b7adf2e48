"""From a CT volume to labelled vertebra masks, heights and fracture findings."""

from inference.anatomy import SACRUM_LABEL, VertebraLevel
from inference.errors import InferenceError, ModelUnavailable, NotAnalysable, UnreadableInput
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

__all__ = [
    "SACRUM_LABEL",
    "Acquisition",
    "CTVolume",
    "FractureFinding",
    "Heights",
    "InferenceError",
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
]
