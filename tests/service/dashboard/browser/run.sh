#!/usr/bin/env bash
# The dashboard in headless Chromium, before the real service. Pictures are left in build/browser.
#
# Needs Debian's chromium, which is installed here as root; axe-core lies in tests/fixtures.
set -euo pipefail
cd "$(dirname "$0")/../../../.."

if ! command -v chromium chromium-browser google-chrome >/dev/null; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "no Chromium: as root, apt-get install chromium" >&2
        exit 2
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        chromium fonts-dejavu-core >/dev/null
fi

rm -rf build/browser
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
exec .venv/bin/python -m pytest -m slow tests/service/dashboard/browser "$@"
