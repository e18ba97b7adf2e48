"""The studies that are shown: synthetic spines that no mirror image fits, analysed as a user would.

The command line makes and analyses them with their true masks, so what is shown is what
`spinenode analyze` writes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage, generate_uid

from inference import CTVolume
from inference.nifti import load_labels
from inference.volume import LabelArray

_PHANTOMS = {
    "axial": ("--seed=3", "--levels=T12-L3", "--fracture=L2:wedge:0.33", "--spacing=1.5,1.5,3"),
    "sagittal": (
        "--seed=4", "--levels=L1-L4", "--fracture=L3:biconcave:0.3", "--spacing=3,1.5,1.5",
        "--orientation=sagittal",
    ),
    "enhanced": ("--seed=5", "--levels=T11-L1", "--fracture=T12:crush:0.45", "--spacing=1.5,1.5,3"),
}  # fmt: skip
_PER_SLICE = (
    "ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber", "SliceLocation",
    "SOPInstanceUID", "PixelData", "ImageType", "PixelSpacing", "SliceThickness",
    "SpacingBetweenSlices", "RescaleSlope", "RescaleIntercept", "RescaleType",
)  # fmt: skip


@dataclass(frozen=True)
class Study:
    """One source series with its results."""

    name: str
    source: Path
    results: Path
    volume: CTVolume
    labels: LabelArray
    findings: dict[str, Any]

    @property
    def uid(self) -> str:
        return str(self.findings["source"]["study_instance_uid"])

    @property
    def files(self) -> list[Path]:
        return [*sorted(self.source.glob("*.dcm")), *sorted(self.results.glob("*.dcm"))]


def make_studies(out: Path) -> list[Study]:
    return [_study(name, options, out / name) for name, options in _PHANTOMS.items()]


def _study(name: str, options: tuple[str, ...], folder: Path) -> Study:
    # the bead and the rib of one side tell left from right
    _spinenode("phantom", "--out", folder, "--left-marker", *options)
    source = folder / "dicom"
    if name == "enhanced":
        source = _as_enhanced(source, folder / "enhanced")
    mask = folder / "labels.nii.gz"
    _spinenode("analyze", source, "--out", folder / "results", "--segmentation", mask)
    volume = CTVolume.from_dicom(source)
    labels = load_labels(mask, volume)
    findings = json.loads((folder / "results" / "findings.json").read_text())
    return Study(name, source, folder / "results", volume, labels, findings)


def _spinenode(*arguments: str | Path) -> None:
    command = [Path(sys.executable).with_name("spinenode"), *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=300)


def _as_enhanced(folder: Path, out: Path) -> Path:
    """Write the slices as one Enhanced CT (PS3.3 A.38), first frame at the head."""
    slices = [pydicom.dcmread(path) for path in folder.glob("*.dcm")]
    slices.sort(key=lambda ds: -float(ds.ImagePositionPatient[2]))
    ds = Dataset()
    ds.update({e.tag: e for e in slices[0] if e.keyword not in _PER_SLICE})
    ds.file_meta = slices[0].file_meta
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    ds.SOPInstanceUID = generate_uid(entropy_srcs=[slices[0].SeriesInstanceUID, "enhanced"])
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.InstanceNumber, ds.NumberOfFrames = 1, len(slices)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.SharedFunctionalGroupsSequence = [_shared_groups(slices[0])]
    ds.PerFrameFunctionalGroupsSequence = [_frame_groups(s, n) for n, s in enumerate(slices, 1)]
    organisation = generate_uid(entropy_srcs=[ds.SOPInstanceUID, "dimensions"])
    ds.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organisation)]
    ds.DimensionIndexSequence = [
        _item(
            DimensionOrganizationUID=organisation,
            DimensionIndexPointer=0x00200032,
            FunctionalGroupPointer=0x00209113,
        )
    ]
    ds.PixelData = b"".join(s.PixelData for s in slices)
    out.mkdir(exist_ok=True)
    pydicom.dcmwrite(out / "enhanced.dcm", ds, enforce_file_format=True)
    return out


def _shared_groups(first: Dataset) -> Dataset:
    return _item(
        PlaneOrientationSequence=[_item(ImageOrientationPatient=first.ImageOrientationPatient)],
        PixelMeasuresSequence=[
            _item(
                PixelSpacing=first.PixelSpacing,
                SliceThickness=first.SliceThickness,
                SpacingBetweenSlices=first.SpacingBetweenSlices,
            )
        ],
        PixelValueTransformationSequence=[
            _item(
                RescaleSlope=first.RescaleSlope,
                RescaleIntercept=first.RescaleIntercept,
                RescaleType="HU",
            )
        ],
        FrameVOILUTSequence=[_item(WindowCenter="300", WindowWidth="1500")],
        CTImageFrameTypeSequence=[_item(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])],
    )


def _frame_groups(ds: Dataset, number: int) -> Dataset:
    content = _item(DimensionIndexValues=[number], StackID="1", InStackPositionNumber=number)
    position = _item(ImagePositionPatient=ds.ImagePositionPatient)
    return _item(FrameContentSequence=[content], PlanePositionSequence=[position])


def _item(**elements: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds
