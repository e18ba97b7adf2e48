"""pyradiomics on a stored spine; runs in its own environment (see ../texture.py)."""

from __future__ import annotations

import json
import logging
import sys
import time

import numpy as np
import SimpleITK as sitk  # noqa: N813
from radiomics.firstorder import RadiomicsFirstOrder
from radiomics.glcm import RadiomicsGLCM
from radiomics.glrlm import RadiomicsGLRLM

CLASSES = {
    RadiomicsFirstOrder: {"Variance": "variance", "Skewness": "skewness"},
    RadiomicsGLCM: {"JointEnergy": "energy", "JointEntropy": "entropy"},
    RadiomicsGLRLM: {
        "ShortRunEmphasis": "sre",
        "LongRunEmphasis": "lre",
        "RunLengthNonUniformityNormalized": "rln",
        "RunPercentage": "rp",
    },
}


def main() -> None:
    logging.getLogger("radiomics").setLevel(logging.ERROR)
    spine = np.load(sys.argv[1])
    results, cpu = {}, 0.0
    for label in np.unique(spine["labels"])[1:]:
        image, mask = crop(spine["levels"], spine["labels"] == label)
        start = time.process_time()
        found = {}
        settings = {"binWidth": 1, "weightingNorm": "no_weighting", "label": 1}
        for feature_class, names in CLASSES.items():
            extractor = feature_class(sitk.GetImageFromArray(image), mask, **settings)
            extractor.disableAllFeatures()
            for name in names:
                extractor.enableFeatureByName(name)
            values = extractor.execute()
            found.update({names[n]: float(v) for n, v in values.items() if n in names})
        cpu += time.process_time() - start
        results[int(label)] = found
    json.dump({"cpu_s": cpu, "features": results}, sys.stdout)


def crop(levels: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, sitk.Image]:
    where = np.argwhere(mask)
    box = tuple(slice(a, b + 1) for a, b in zip(where.min(0), where.max(0), strict=True))
    return levels[box].astype(np.float64), sitk.GetImageFromArray(mask[box].astype(np.uint8))


if __name__ == "__main__":
    main()
