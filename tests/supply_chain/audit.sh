#!/bin/bash
# Every pinned dependency against the advisory database of the Python package index (or of OSV:
# AUDIT_SERVICE=osv). What cannot be looked up fails, so that "clean" means looked up.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools="$1"
accepted=()
while read -r id; do
    accepted+=(--ignore-vuln "$id")
done < <(grep -v -e '^#' -e '^$' tests/supply_chain/accepted_advisories.txt)
"$tools/pip-audit" --strict --no-deps --disable-pip --progress-spinner off \
    --vulnerability-service "${AUDIT_SERVICE:-pypi}" \
    --requirement constraints.txt "${accepted[@]}"
