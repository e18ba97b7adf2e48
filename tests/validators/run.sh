#!/usr/bin/env bash
# Every validator and reader of docs/dicom-output.md on freshly written objects, as one table.
#
# Needs dcmtk, dicom3tools, libpixelmed-java and a Java from Debian, dcmqi and pydicom-seg from the
# Python index. The last needs pydicom 2, so both live in an environment of their own.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=build/validators
readers=build/validators-venv
python=${SPINENODE_PYTHON:-.venv/bin/python}

. tests/fixtures/debian_packages.sh
need_packages dcmtk dicom3tools libpixelmed-java
command -v java >/dev/null || need_packages default-jre-headless

if [ ! -x "$readers/bin/segimage2itkimage" ]; then
    "$python" -m venv "$readers"
    "$readers/bin/python" -m pip install --quiet --disable-pip-version-check \
        'dcmqi==1.5.7' 'pydicom-seg==0.4.1' 'pydicom<3' 'numpy<2'
fi

rm -rf "$build"
OMP_NUM_THREADS=1 exec "$python" tests/validators/check.py --out "$build" --readers "$readers/bin"
