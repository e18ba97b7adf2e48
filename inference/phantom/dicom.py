"""A phantom as a CT Image Storage series (PS3.3 A.3), and everything else that goes with it.

Every UID derives from the spec, so equal specs give equal files and no re-run litters an archive.
The header says that the patient is synthetic.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from inference.nifti import save_labels
from inference.phantom.layout import field_of_view, phantom_anatomy
from inference.phantom.render import Progress, render, silent
from inference.phantom.spec import PhantomSpec
from inference.phantom.truth import truth
from inference.volume import Affine, HUArray

RESCALE_INTERCEPT = -1024
IMPLEMENTATION_VERSION = "SPINENODE_PHANT"
_DATE, _TIME = "20240115", "103000"
_FILE_PATTERN = "CT*.dcm"


def write_phantom(spec: PhantomSpec, out: Path, progress: Progress = silent) -> Path:
    """Render `spec` into ``out``: ``dicom/``, ``labels.nii.gz``, ``bodies.nii.gz``, ``truth.json``.

    `progress` is called with the slices rendered so far and their number.

    Returns
    -------
    Path
        The folder of the DICOM series.
    """
    anatomy = phantom_anatomy(spec)
    affine, shape = field_of_view(spec, anatomy)
    known = truth(spec, anatomy, affine, shape)
    rendered = render(spec, anatomy, affine, shape, progress)
    folder = out / "dicom"
    folder.mkdir(parents=True, exist_ok=True)
    write_series(spec, rendered.hu, affine, folder)
    save_labels(out / "labels.nii.gz", rendered.labels, affine)
    save_labels(out / "bodies.nii.gz", rendered.bodies, affine)
    text = json.dumps(known, indent=1, allow_nan=False)
    (out / "truth.json").write_text(text + "\n", encoding="utf-8")
    return folder


def write_series(spec: PhantomSpec, hu: HUArray, affine_lps: Affine, folder: Path) -> None:
    """Write one file per slice; files of an earlier phantom in `folder` are replaced."""
    for old in folder.glob(_FILE_PATTERN):
        old.unlink()
    for index, plane in enumerate(hu):
        dataset = _slice(spec, plane, affine_lps, index)
        path = folder / f"CT{index + 1:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)


def _uid(spec: PhantomSpec, *parts: object) -> str:
    described = json.dumps(asdict(spec), sort_keys=True, default=str)
    return generate_uid(entropy_srcs=["spinenode phantom", described, *map(str, parts)])


def _slice(spec: PhantomSpec, plane: HUArray, affine_lps: Affine, index: int) -> Dataset:
    ds = Dataset()
    _add_patient_and_study(ds, spec)
    _add_series_and_equipment(ds, spec)
    _add_plane(ds, affine_lps, index)
    _add_acquisition(ds, spec.orientation)
    _add_pixels(ds, plane)
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = _uid(spec, "instance", index)
    ds.FrameOfReferenceUID = _uid(spec, "frame of reference")
    ds.PositionReferenceIndicator = ""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.ImplementationClassUID = generate_uid(entropy_srcs=["spinenode phantom writer"])
    ds.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    return ds


def _add_patient_and_study(ds: Dataset, spec: PhantomSpec) -> None:
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName = "Phantom^Spine"
    ds.PatientID = f"PHANTOM-{spec.seed}"
    ds.PatientBirthDate = "19500101"
    ds.PatientSex = "O"
    ds.PatientComments = "Rendered from procedural anatomy, no person"
    ds.StudyInstanceUID = _uid(spec, "study")
    ds.StudyID = f"PH{spec.seed}"[:16]
    ds.StudyDate, ds.StudyTime = _DATE, _TIME
    ds.StudyDescription = "Synthetic spine"
    ds.AccessionNumber = f"PH{spec.seed}"[:16]
    ds.ReferringPhysicianName = ""


def _add_series_and_equipment(ds: Dataset, spec: PhantomSpec) -> None:
    ds.Modality = "CT"
    ds.SeriesInstanceUID = _uid(spec, "series")
    ds.SeriesNumber = 2
    ds.SeriesDate, ds.SeriesTime = _DATE, _TIME
    ds.SeriesDescription = f"Spine phantom {spec.orientation}"
    ds.PatientPosition = "HFS"
    ds.BodyPartExamined = "SPINE"
    ds.Manufacturer = "spinenode"
    ds.ManufacturerModelName = "procedural phantom"
    ds.SoftwareVersions = "1"
    ds.DeviceSerialNumber = "0"
    ds.InstitutionName = ""
    ds.StationName = "PHANTOM"


def _add_plane(ds: Dataset, affine_lps: Affine, index: int) -> None:
    step_k, step_j, step_i = affine_lps[:3, :3].T
    spacing_k, spacing_j, spacing_i = (float(np.linalg.norm(s)) for s in (step_k, step_j, step_i))
    origin = affine_lps[:3, 3] + step_k * index
    ds.InstanceNumber = index + 1
    ds.ImagePositionPatient = [_decimal(v) for v in origin]
    ds.ImageOrientationPatient = [_decimal(v) for v in [*step_i / spacing_i, *step_j / spacing_j]]
    ds.PixelSpacing = [_decimal(spacing_j), _decimal(spacing_i)]
    ds.SliceThickness = _decimal(spacing_k)
    ds.SpacingBetweenSlices = _decimal(spacing_k)
    ds.SliceLocation = _decimal(float(origin @ (step_k / spacing_k)))


def _add_acquisition(ds: Dataset, orientation: str) -> None:
    if orientation == "axial":
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    else:
        ds.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
        ds.DerivationDescription = f"{orientation} reformat"
    ds.AcquisitionNumber = 1
    ds.AcquisitionDate, ds.AcquisitionTime = _DATE, _TIME
    ds.ContentDate, ds.ContentTime = _DATE, _TIME
    ds.KVP = "120"
    ds.ExposureTime, ds.XRayTubeCurrent, ds.Exposure = "500", "300", "150"
    ds.ConvolutionKernel = "STANDARD"
    ds.RotationDirection = "CW"
    ds.GantryDetectorTilt = "0"
    ds.TableHeight = "150"


def _add_pixels(ds: Dataset, plane: HUArray) -> None:
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = plane.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    ds.PixelRepresentation = 1
    ds.RescaleIntercept, ds.RescaleSlope = str(RESCALE_INTERCEPT), "1"
    ds.RescaleType = "HU"
    ds.WindowCenter, ds.WindowWidth = "300", "1500"
    ds.WindowCenterWidthExplanation = "BONE"
    ds.BurnedInAnnotation = "NO"
    stored = plane.astype(np.int32) - RESCALE_INTERCEPT
    ds.PixelData = stored.astype("<i2").tobytes()


def _decimal(value: float) -> str:
    """A decimal string (VR DS) of at most 16 characters, without negative zero."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
