"""mirp on a stored spine; runs in its own environment (see ../texture.py)."""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np
from mirp import extract_features

COLUMNS = {
    "energy": "cm_energy",
    "entropy": "cm_joint_entr",
    "sre": "rlm_sre",
    "lre": "rlm_lre",
    "rln": "rlm_rlnu_norm",
    "rp": "rlm_r_perc",
}


def main() -> None:
    warnings.simplefilter("ignore")
    spine = np.load(sys.argv[1])
    results, cpu = {}, 0.0
    for label in np.unique(spine["labels"])[1:]:
        where = np.argwhere(spine["labels"] == label)
        box = tuple(slice(a, b + 1) for a, b in zip(where.min(0), where.max(0), strict=True))
        image = spine["levels"][box].astype(np.float64)
        mask = (spine["labels"] == label)[box]
        start = time.process_time()
        table = extract_features(
            image=image,
            mask=mask.astype(np.uint8),
            base_feature_families=["intensity_histogram", "cm", "rlm"],
            base_discretisation_method="fixed_bin_size",
            base_discretisation_bin_width=1.0,
            resegmentation_intensity_range=[1.0, np.nan],
            glcm_spatial_method="3d_volume_merge",
            glrlm_spatial_method="3d_volume_merge",
            num_cpus=1,
        )[0]
        cpu += time.process_time() - start
        results[int(label)] = {
            key: float(next(table[c].iloc[0] for c in table.columns if c.startswith(prefix)))
            for key, prefix in COLUMNS.items()
        }
    json.dump({"cpu_s": cpu, "features": results}, sys.stdout)


if __name__ == "__main__":
    main()
