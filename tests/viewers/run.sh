#!/usr/bin/env bash
# OHIF in headless Chromium against a real Orthanc, on results of synthetic spines.
#
# Needs orthanc, orthanc-dicomweb and chromium from Debian (installed here as root), and npm for the
# prebuilt viewer. Everything runs in a network namespace of its own that has only a loopback.
set -euo pipefail
cd "$(dirname "$0")/../.."

viewer=${OHIF_VERSION:-3.13.2}
build=build/viewers
ohif=build/ohif-$viewer
python=${SPINENODE_PYTHON:-$PWD/.venv/bin/python}

. tests/fixtures/debian_packages.sh
had_orthanc=$(command -v Orthanc || true)
need_packages orthanc orthanc-dicomweb chromium iproute2
command -v npm >/dev/null || need_packages npm
if [ -z "$had_orthanc" ]; then
    # the package starts its own Orthanc where there is a service manager; this test has another
    systemctl stop orthanc >/dev/null 2>&1 || true
fi

if [ ! -f "$ohif/dist/index.html" ]; then
    mkdir -p "$ohif"
    archive=$(cd "$ohif" && npm pack --silent "@ohif/app@$viewer")
    tar -xzf "$ohif/$archive" -C "$ohif" --strip-components=1
    rm "$ohif/$archive"
fi

rm -rf "$build"
export OMP_NUM_THREADS=1 PYTHONPATH=tests/validators:tests/fixtures
exec unshare --map-root-user --net bash -c 'ip link set lo up && exec "$@"' viewers \
    "$python" tests/viewers/check.py --out "$build" --viewer "$ohif/dist"
