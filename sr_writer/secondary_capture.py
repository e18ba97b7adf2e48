"""True-colour Secondary Capture (PS3.3 A.8.1): the overview for viewers that show only images."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from sr_writer import wording
from sr_writer.drawing import RGBArray
from sr_writer.findings_schema import VertebraFindings
from sr_writer.instance import ResultContext, new_instance
from sr_writer.provenance import OVERVIEW, ObjectKind, close_up_kind


def build_secondary_capture(picture: RGBArray, context: ResultContext) -> Dataset:
    """Return the overview as an image object.

    Parameters
    ----------
    picture
        uint8 (rows, columns, 3), without patient identity.
    """
    return _image(picture, OVERVIEW, context)


def build_close_up(
    picture: RGBArray, vertebra: VertebraFindings, context: ResultContext
) -> Dataset:
    """Return the close-up of a flagged level as an image object; Image Comments say its finding."""
    ds = _image(picture, close_up_kind(vertebra.label), context)
    ds.InstanceNumber = vertebra.level.rank + 1
    ds.ImageComments = close_up_comment(vertebra)
    return ds


def close_up_comment(vertebra: VertebraFindings) -> str:
    """Level and finding in one line, as Image Comments of its close-up."""
    return f"{vertebra.label}: {wording.grade_text(vertebra)}"


def _image(picture: RGBArray, kind: ObjectKind, context: ResultContext) -> Dataset:
    ds = new_instance(kind, context)
    ds.ConversionType = "WSD"
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.PatientOrientation = ""
    ds.BurnedInAnnotation = "NO"
    ds.DerivationDescription = "Reformat along the spine with masks and measurements"
    ds.SamplesPerPixel = 3
    ds.PhotometricInterpretation = "RGB"
    ds.PlanarConfiguration = 0
    ds.Rows, ds.Columns = picture.shape[:2]
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7
    ds.PixelRepresentation = 0
    ds.LossyImageCompression = "00"
    data = np.ascontiguousarray(picture, dtype=np.uint8).tobytes()
    ds.PixelData = data + b"\x00" * (len(data) % 2)
    ds["PixelData"].VR = "OB"
    return ds
