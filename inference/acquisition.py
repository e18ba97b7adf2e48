"""Acquisition attributes of a CT object, single-frame or enhanced."""

from __future__ import annotations

from pydicom import Dataset

from inference.dicom_files import DicomHeader
from inference.headers import number, text
from inference.volume import Acquisition

_GROUP_SEQUENCES = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_MACROS = (
    "CTXRayDetailsSequence",
    "CTReconstructionSequence",
    "CTAcquisitionDetailsSequence",
    "PixelMeasuresSequence",
    "ContrastBolusUsageSequence",
)


def read_acquisition(header: DicomHeader) -> Acquisition:
    """Read what is present; enhanced objects keep it in the functional groups."""
    places = _places(header.dataset)

    def first_number(keyword: str) -> float | None:
        return next((v for d in places if (v := number(d, keyword)) is not None), None)

    def first_text(keyword: str) -> str | None:
        return next((v for d in places if (v := text(d, keyword)) is not None), None)

    return Acquisition(
        Manufacturer=first_text("Manufacturer"),
        ManufacturerModelName=first_text("ManufacturerModelName"),
        KVP=first_number("KVP"),
        ConvolutionKernel=first_text("ConvolutionKernel"),
        SliceThickness=first_number("SliceThickness"),
        ContrastBolusAgent=first_text("ContrastBolusAgent"),
        GantryDetectorTilt=first_number("GantryDetectorTilt"),
    )


def _places(dataset: Dataset) -> list[Dataset]:
    """Return the data set, then the macros of the shared and of the first frame's groups."""
    places = [dataset]
    for sequence in _GROUP_SEQUENCES:
        groups = dataset.get(sequence)
        if groups:
            places.extend(groups[0][m][0] for m in _MACROS if groups[0].get(m))
    agents = dataset.get("ContrastBolusAgentSequence")
    if agents and not dataset.get("ContrastBolusAgent") and agents[0].get("CodeMeaning"):
        named = Dataset()
        named.ContrastBolusAgent = str(agents[0].CodeMeaning)
        places.append(named)
    return places
