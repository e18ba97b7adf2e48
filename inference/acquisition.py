"""Acquisition attributes of a CT object, single-frame or enhanced."""

from __future__ import annotations

from pydicom import Dataset

from inference.dicom_files import DicomHeader
from inference.headers import element_value, number, text
from inference.volume import Acquisition

_GROUP_SEQUENCES = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_MACROS = (
    "CTXRayDetailsSequence",
    "CTReconstructionSequence",
    "CTAcquisitionDetailsSequence",
    "PixelMeasuresSequence",
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
        groups = element_value(dataset, sequence)
        if groups:
            macros = (element_value(groups[0], keyword) for keyword in _MACROS)
            places.extend(items[0] for items in macros if items)
    agents = element_value(dataset, "ContrastBolusAgentSequence")
    if agents and (meaning := text(agents[0], "CodeMeaning")):
        named = Dataset()
        named.ContrastBolusAgent = meaning
        places.append(named)
    return places
