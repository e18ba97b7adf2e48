#!/bin/sh
# Install or upgrade spinenode from the wheels beside this file, without network.
#   sh install.sh [PREFIX]         PREFIX: /opt/spinenode
# Needs root and python3 with venv (Debian: python3-venv). The release goes into a folder of its
# own; a release that is there already is left as it is, so that running this again does no harm.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
prefix=${1:-/opt/spinenode}
wheel=$(ls "$here"/spinenode-*.whl)
[ "$(id -u)" = 0 ] || { echo "install.sh: needs root" >&2; exit 2; }
python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "install.sh: needs Python 3.11 or later with venv (apt-get install python3-venv)" >&2
    exit 2
}

cd "$here"
sha256sum --check --quiet SHA256SUMS

version=${wheel##*/spinenode-}
release=${version%%-*}-$(sha256sum "$wheel" | cut -c 1-8)
folder=$prefix/releases/$release
if [ ! -e "$folder/complete" ]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    python3 -m venv "$folder/venv"
    # --isolated: no configuration or variable of pip may add another source.
    "$folder/venv/bin/python" -m pip --isolated install --quiet --disable-pip-version-check \
        --no-index --find-links "$here" --constraint "$here/constraints.txt" spinenode
    "$folder/venv/bin/spinenode" version
    touch "$folder/complete"
fi
exec "$folder/venv/bin/spinenode" install-service --prefix "$prefix"
