"""Texture of a 17-vertebra spine at 1 mm with 1000 levels: this engine and its peers, one run.

    python benchmarks/texture.py [--pyradiomics PYTHON] [--mirp PYTHON] [--json FILE]

Each peer runs on its own interpreter, because neither installs beside this project. To build
them with Python 3.11 and a C compiler:

    python3.11 -m venv pyradiomics-env
    pyradiomics-env/bin/pip install "numpy<2" "setuptools<70" wheel versioneer SimpleITK \
        PyWavelets pykwalify six
    pyradiomics-env/bin/pip install --no-build-isolation pyradiomics==3.0.1
    python3.11 -m venv mirp-env
    mirp-env/bin/pip install mirp

CPU seconds of one thread, without start-up and imports. The peers get the quantised levels and
unit weights, which all tools can do; the engine's agreement with them is checked on that. The
engine and plain numpy are timed on the whole of `goller2023`, from HU to eight numbers.
"""

import os
import sys
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
# This file has the name of the package it measures, so its folder must not be searched.
sys.path[0] = str(Path(__file__).parent / "texture_peers")

if __name__ == "__main__":
    from compare import main

    main(__doc__)
