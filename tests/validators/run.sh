#!/usr/bin/env bash
# Every validator and reader of docs/dicom-output.md on freshly written objects, as one table.
#
# Needs dcmtk, dicom3tools and libpixelmed-java from Debian, and dcmqi and pydicom-seg from the
# Python index. The last needs pydicom 2, so both live in an environment of their own.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=build/validators
readers=build/validators-venv
packages=(dcmtk dicom3tools libpixelmed-java)
python=${SPINENODE_PYTHON:-.venv/bin/python}

missing=()
for package in "${packages[@]}"; do
    dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "missing: ${missing[*]}; as root: apt-get install ${missing[*]}" >&2
        exit 2
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
fi

if [ ! -x "$readers/bin/segimage2itkimage" ]; then
    "$python" -m venv "$readers"
    "$readers/bin/python" -m pip install --quiet --disable-pip-version-check \
        'dcmqi==1.5.7' 'pydicom-seg==0.4.1' 'pydicom<3' 'numpy<2'
fi

rm -rf "$build"
OMP_NUM_THREADS=1 exec "$python" tests/validators/check.py --out "$build" --readers "$readers/bin"
