"""Every CT class in every claimed transfer syntax: sent as a scanner would, read back as numbers.

The pixels are really encoded, so this fails when a syntax is negotiated that nothing here decodes.
"""

from __future__ import annotations

from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    generate_uid,
)
from pynetdicom import AE

from inference import CTVolume
from node import CT_TRANSFER_SYNTAXES, RECEIVED_SOP_CLASSES, Outcome, SeriesSettings, send_files
from node.sop_classes import VERIFICATION

SHAPE_KJI = (8, 24, 20)
Encoder = Callable[[np.ndarray], bytes]
ENCODERS: dict[UID, Encoder] = {
    JPEGLosslessSV1: lambda a: imagecodecs.ljpeg_encode(a, bitspersample=12),
    JPEGLossless: lambda a: imagecodecs.ljpeg_encode(a, bitspersample=12),
    JPEGLSLossless: imagecodecs.jpegls_encode,
    JPEGLSNearLossless: lambda a: imagecodecs.jpegls_encode(a, level=2),
    JPEG2000Lossless: lambda a: imagecodecs.jpeg2k_encode(a, codecformat="j2k", reversible=True),
    JPEG2000: lambda a: imagecodecs.jpeg2k_encode(a, codecformat="j2k", level=90),
    HTJ2KLossless: lambda a: imagecodecs.htj2k_encode(a, reversible=True),
    HTJ2KLosslessRPCL: lambda a: imagecodecs.htj2k_encode(a, reversible=True),
    HTJ2K: lambda a: imagecodecs.htj2k_encode(a, reversible=False),
    JPEGBaseline8Bit: lambda a: imagecodecs.jpeg8_encode(a, level=100),
    JPEGExtended12Bit: lambda a: imagecodecs.jpeg8_encode(a, level=100, bitspersample=12),
}
LARGEST_ERROR_HU = {JPEGLSNearLossless: 2, JPEG2000: 8, HTJ2K: 4, JPEGExtended12Bit: 4}
"""Of the lossy syntaxes; JPEG Baseline has 8 bits, here of 16 HU each."""
BASELINE_STEP_HU = 16


def stored_values(syntax: UID) -> np.ndarray:
    """A ramp that differs along every axis: 12 bits, or 8 for JPEG Baseline."""
    k, j, i = np.indices(SHAPE_KJI)
    if syntax == JPEGBaseline8Bit:
        return (40 + 9 * k + 3 * j + i).astype(np.uint8)
    return (400 + 150 * k + 60 * j + 25 * i).astype(np.uint16)


def image(sop_class_uid: str, syntax: UID, frames: np.ndarray, origin_mm: float) -> FileDataset:
    """A CT object; with `frames` of three dimensions one with functional groups."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID = meta.MediaStorageSOPClassUID = sop_class_uid
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.Modality, ds.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = 8 * frames.itemsize
    ds.BitsStored = 8 if frames.itemsize == 1 else 12
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, 0
    ds.Rows, ds.Columns = frames.shape[-2:]
    if frames.ndim == 2:
        ds.update({**plane(origin_mm), **measures()})
        ds.update(rescale(frames.itemsize))
    else:
        ds.NumberOfFrames = len(frames)
        shared = Dataset()
        shared.PixelMeasuresSequence = [measures()]
        shared.PixelValueTransformationSequence = [rescale(frames.itemsize)]
        ds.SharedFunctionalGroupsSequence = [shared]
        ds.PerFrameFunctionalGroupsSequence = [frame_groups(k) for k in range(len(frames))]
    ds.LossyImageCompression = "01" if syntax in {JPEGBaseline8Bit, *LARGEST_ERROR_HU} else "00"
    set_pixels(ds, frames.reshape(-1, *frames.shape[-2:]), syntax)
    return ds


def plane(origin_mm: float) -> Dataset:
    ds = Dataset()
    ds.ImagePositionPatient = [0, 0, origin_mm]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    return ds


def measures() -> Dataset:
    ds = Dataset()
    ds.PixelSpacing, ds.SliceThickness = [0.7, 0.7], 2
    return ds


def rescale(itemsize: int) -> Dataset:
    ds = Dataset()
    ds.RescaleIntercept, ds.RescaleType = -1024, "HU"
    ds.RescaleSlope = BASELINE_STEP_HU if itemsize == 1 else 1
    return ds


def frame_groups(k: int) -> Dataset:
    whole, item, position, orientation = plane(2.0 * k), Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = whole.ImagePositionPatient
    orientation.ImageOrientationPatient = whole.ImageOrientationPatient
    item.PlanePositionSequence, item.PlaneOrientationSequence = [position], [orientation]
    return item


def set_pixels(ds: FileDataset, frames: np.ndarray, syntax: UID) -> None:
    if syntax in ENCODERS:
        ds.PixelData = encapsulate([ENCODERS[syntax](frame) for frame in frames])
        ds["PixelData"].VR = "OB"
        return
    order = "<" if syntax.is_little_endian else ">"
    values = frames.astype(frames.dtype.newbyteorder(order)).tobytes()
    ds.add_new("PixelData", "OW", values)
    ds.set_original_encoding(syntax.is_implicit_VR, syntax.is_little_endian)
    if syntax == RLELossless:
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.compress(RLELossless, generate_instance_uid=False)


def write_all_classes(folder, syntax):
    """A series of each class with the same voxels; return paths by class."""
    values, study = stored_values(syntax), generate_uid()
    paths = {}
    for sop_class in RECEIVED_SOP_CLASSES:
        frames = list(values) if sop_class == CTImageStorage else [values]
        series, frame_of_reference = generate_uid(), generate_uid()
        paths[sop_class] = []
        for number, frame in enumerate(frames):
            ds = image(sop_class, syntax, frame, 2.0 * number)
            ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
            ds.FrameOfReferenceUID, ds.InstanceNumber = frame_of_reference, number + 1
            path = folder / f"{sop_class}-{number}.dcm"
            ds.save_as(path, enforce_file_format=True)
            paths[sop_class].append(path)
    return paths


@pytest.mark.parametrize("syntax", CT_TRANSFER_SYNTAXES, ids=lambda uid: uid.name)
def test_every_class_in_every_syntax_is_negotiated_received_and_analysable(
    start_node, tmp_path, syntax
):
    by_class = write_all_classes(tmp_path, syntax)
    node = start_node(SeriesSettings(quiet_seconds=0.1, max_wait_seconds=60))
    results = send_files([p for paths in by_class.values() for p in paths], node.destination)
    assert {each.outcome for each in results} == {Outcome.SENT}
    slope = BASELINE_STEP_HU if syntax == JPEGBaseline8Bit else 1
    expected = stored_values(syntax).astype(int) * slope - 1024
    largest = 2 * slope if syntax == JPEGBaseline8Bit else LARGEST_ERROR_HU.get(syntax, 0)
    for _ in by_class:
        series = node.completed.get(timeout=20)
        volume = CTVolume.from_dicom(series.folder)
        assert volume.hu.shape == SHAPE_KJI
        assert np.abs(volume.hu.astype(int) - expected).max() <= largest


def test_what_is_not_supported_is_refused_politely_and_the_association_goes_on(start_node):
    """Result 3 for a class, 4 for a syntax (PS3.8 Table 9-18); C-ECHO beside them is answered."""
    jpip, jpeg_xl = "1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.110"
    mpeg2, mr = "1.2.840.10008.1.2.4.100", "1.2.840.10008.5.1.4.1.1.4"
    ae = AE()
    for sop_class in RECEIVED_SOP_CLASSES:
        ae.add_requested_context(sop_class, [jpip, jpeg_xl, mpeg2])
    ae.add_requested_context(mr)
    ae.add_requested_context(VERIFICATION)
    association = ae.associate("127.0.0.1", start_node().server.port, ae_title="SPINENODE")
    refused = {str(each.abstract_syntax): each.result for each in association.rejected_contexts}
    assert refused == {mr: 3, **dict.fromkeys(RECEIVED_SOP_CLASSES, 4)}
    assert association.send_c_echo().Status == 0
    association.release()
