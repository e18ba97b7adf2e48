"""CT instances to send: 512 x 512 at 16 bit, half a megabyte of noise each, no patient."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SIDE = 512
# Stands for the SOPInstanceUID in the template and is overwritten, so it has a fixed length.
PLACE = "1.2.826.0.1.3680043.8.498.10000000000000000000000000000000"


def ct_instance(sop_instance_uid: str, seed: int) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = sop_instance_uid
    ds.StudyDate = ds.SeriesDate = "20240101"
    ds.Modality = "CT"
    ds.Manufacturer = "Synthetic"
    ds.PatientName = "Nobody^Synthetic"
    ds.PatientID = "SYNTHETIC"
    ds.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    ds.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.1.1"
    ds.InstanceNumber = seed
    ds.ImagePositionPatient = [0, 0, seed]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [0.7, 0.7]
    ds.SliceThickness = 1
    ds.Rows = ds.Columns = SIDE
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = 0
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.RescaleIntercept, ds.RescaleSlope = -1024, 1
    noise = np.random.default_rng(seed).integers(0, 4096, SIDE * SIDE, dtype=np.uint16)
    ds.add_new("PixelData", "OW", noise.tobytes())
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = sop_instance_uid
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def write_parts(folder: Path, count: int, parts: int) -> list[Path]:
    """Write `count` instances as hard links into `parts` folders of equal size per association."""
    whole = folder / "all"
    if not whole.exists():
        whole.mkdir(parents=True)
        for number in range(count):
            name = whole / f"{number:05d}.dcm"
            ct_instance(generate_uid(), number).save_as(name, enforce_file_format=True)
    folders = []
    for part in range(parts):
        target = folder / f"{parts}-{part}"
        folders.append(target)
        if not target.exists():
            target.mkdir()
            for path in sorted(whole.iterdir())[part::parts]:
                (target / path.name).hardlink_to(path)
    return folders


@dataclass(frozen=True)
class Template:
    """An encoded data set into which any SOPInstanceUID of the length of `PLACE` can be put."""

    before: bytes
    after: bytes

    @classmethod
    def make(cls) -> Template:
        buffer = BytesIO()
        ds = ct_instance(PLACE, 1)
        ds.save_as(buffer, enforce_file_format=True)
        encoded = buffer.getvalue()
        start = encoded.index(b"\x08\x00\x05\x00") if b"\x08\x00\x05\x00" in encoded else -1
        start = start if start >= 0 else encoded.index(b"\x08\x00\x16\x00UI")
        before, after = encoded[start:].split(PLACE.encode())
        return cls(before, after)

    def data_set(self, number: int) -> tuple[str, bytes]:
        """Return SOPInstanceUID and data set of one more instance."""
        uid = PLACE[:-8] + f"{number + 1:08d}"
        return uid, self.before + uid.encode() + self.after
