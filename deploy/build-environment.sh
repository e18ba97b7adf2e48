#!/bin/sh
# The virtual environment of the container image.
#   build-environment.sh cpu|cuda FOLDER        from the root of the source tree
set -eu

variant=$1
folder=$2
wheels=dist/wheelhouse
torch=$(sed -n 's/^torch==//p' constraints.txt)
case $variant in
    cpu) build=+cpu ;;
    cuda) build= ;;
    *) echo "VARIANT is cpu or cuda, not '$variant'" >&2; exit 2 ;;
esac

python3 -m venv "$folder"
pip() { "$folder/bin/python" -m pip --disable-pip-version-check --no-cache-dir "$@"; }
set -- --quiet --constraint constraints.txt
[ ! -d "$wheels" ] || set -- "$@" --find-links "$wheels"

# The processor-only build of torch is a tenth of the size, and not every index has it.
pip install "$@" "torch==$torch$build" || {
    [ "$variant" = cpu ] || exit 1
    echo "no processor-only build of torch found (PIP_EXTRA_INDEX_URL names where): using the one that is" >&2
    pip install "$@" "torch==$torch"
}
if [ "$variant" = cuda ] && "$folder/bin/python" -c 'import sys, torch; sys.exit(torch.version.cuda is not None)'; then
    echo "VARIANT=cuda, but the torch that was found has no CUDA (remove +cpu wheels from $wheels)" >&2
    exit 1
fi

# The wheel of this version if there is one, else the source tree.
program=$(ls "$wheels"/spinenode-*.whl 2>/dev/null || echo .)
pip install "$@" "$program"
"$folder/bin/spinenode" version
