"""Series small enough to send by the hundred: a short synthetic spine, and ones that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from inference import VertebraLevel
from inference.phantom.dicom import write_phantom
from inference.phantom.spec import PhantomSpec

LEVELS = tuple(VertebraLevel[name] for name in ("L2", "L3", "L4"))
PATIENT = {"PatientName": "Nobody^Synthetic", "PatientID": "SYNTHETIC"}


def spine(folder: Path) -> list[Path]:
    """Files of a synthetic CT of three vertebrae, to be copied under other UIDs."""
    spec = PhantomSpec(
        seed=5, levels=LEVELS, spacing_xyz_mm=(2.5, 2.5, 3.0), field_of_view_mm=130.0
    )
    return sorted(write_phantom(spec, folder).iterdir())


def copy_series(files: list[Path], folder: Path, name: str) -> list[Path]:
    """Copy a series under UIDs that derive from `name`."""
    folder.mkdir(parents=True)
    copies = []
    for number, path in enumerate(files):
        ds = pydicom.dcmread(path)
        _identify(ds, name, number)
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        copies.append(folder / f"{number:04d}.dcm")
        ds.save_as(copies[-1], enforce_file_format=True)
    return copies


def too_short(folder: Path, name: str, count: int = 3) -> list[Path]:
    """Write a series that ends as not analysable at once: a few tiny slices of nothing."""
    folder.mkdir(parents=True)
    paths = []
    for number in range(count):
        ds = Dataset()
        ds.SOPClassUID, ds.Modality = CTImageStorage, "CT"
        _identify(ds, name, number)
        for keyword, value in PATIENT.items():
            setattr(ds, keyword, value)
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.ImagePositionPatient = [0, 0, 2.0 * number]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing, ds.SliceThickness = [1, 1], 2
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, -1024, "HU"
        ds.Rows = ds.Columns = 16
        ds.BitsAllocated = ds.BitsStored = 16
        ds.HighBit, ds.PixelRepresentation, ds.SamplesPerPixel = 15, 0, 1
        ds.PhotometricInterpretation = "MONOCHROME2"
        pixels = np.random.default_rng(number).integers(0, 2000, (16, 16), dtype=np.uint16)
        ds.add_new("PixelData", "OW", pixels.tobytes())
        ds.file_meta = FileMetaDataset()
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        paths.append(folder / f"{number:04d}.dcm")
        ds.save_as(paths[-1], enforce_file_format=True)
    return paths


def _identify(ds: Dataset, name: str, number: int) -> None:
    ds.StudyInstanceUID = _uid(name, "study")
    ds.SeriesInstanceUID = _uid(name, "series")
    ds.FrameOfReferenceUID = _uid(name, "frame of reference")
    ds.SOPInstanceUID = _uid(name, str(number))


def _uid(*parts: str) -> str:
    return str(generate_uid(entropy_srcs=["spinenode endurance", *parts]))
