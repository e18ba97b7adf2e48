"""True-colour Secondary Capture (PS3.3 A.8.1): the overview for viewers that show only images."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from sr_writer.drawing import RGBArray
from sr_writer.instance import ResultContext, new_instance
from sr_writer.provenance import OVERVIEW


def build_secondary_capture(picture: RGBArray, context: ResultContext) -> Dataset:
    """Return the picture as an image object.

    Parameters
    ----------
    picture
        uint8 (rows, columns, 3), without patient identity.
    """
    ds = new_instance(OVERVIEW, context)
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
