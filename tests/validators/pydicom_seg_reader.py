"""Segments of a SEG as pydicom-seg reads them, to a file; runs in its own environment (pydicom 2).

``python pydicom_seg_reader.py SEG.dcm OUT.npz``
"""

import sys

import numpy as np
import pydicom
import pydicom_seg

result = pydicom_seg.SegmentReader().read(pydicom.dcmread(sys.argv[1]))
arrays = {}
for number in result.available_segments:
    image = result.segment_image(number)
    label = result.segment_infos[number].SegmentLabel
    arrays[f"{label}/mask"] = result.segment_data(number)
    arrays[f"{label}/origin"] = np.array(image.GetOrigin())
    direction = np.array(image.GetDirection()).reshape(3, 3)
    arrays[f"{label}/steps"] = direction * np.array(image.GetSpacing())
np.savez_compressed(sys.argv[2], **arrays)
