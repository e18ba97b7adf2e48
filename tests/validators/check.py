"""Writes objects, lets every validator and reader look at them, prints one table.

``python tests/validators/check.py --out DIR --readers BIN``; exit status 1 on any fault.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import command_line
import read_back
from objects import ObjectSet, make_objects
from remarks import KNOWN
from result import Result, table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--readers", type=Path, required=True, help="bin of their environment")
    options = parser.parse_args()
    sets = make_objects(options.out)
    results = [
        result
        for objects in sets
        for result in _checks(objects, options.readers.absolute(), options.out / "read")
    ]
    text = table(sorted(results, key=lambda result: result.tool))
    (options.out / "table.md").write_text(f"{text}\n")
    sys.stdout.write(f"{text}\n\nKnown remarks:\n")
    for known in KNOWN:
        sys.stdout.write(f"- {known.tool}, {known.objects or 'any'}: {known.reason}\n")
    faults = [(result, fault) for result in results for fault in result.faults]
    for result, fault in faults:
        sys.stdout.write(f"FAULT {result.tool}, {result.objects}: {fault}\n")
    return 1 if faults else 0


def _checks(objects: ObjectSet, readers: Path, scratch: Path) -> Iterator[Result]:
    scratch = scratch / objects.name.replace(" ", "-")
    yield command_line.dciodvfy(objects)
    yield command_line.dcentvfy(objects)
    yield from command_line.dcmtk(objects)
    if objects.segmentation is None:
        return
    yield read_back.highdicom_seg(objects)
    yield read_back.highdicom_sr(objects)
    yield read_back.dcmqi_sr(objects, readers, scratch)
    yield read_back.dcmqi_seg(objects, readers, scratch)
    if objects.name == "label map":
        # pydicom-seg does not know the SOP class
        return
    yield read_back.pydicom_seg(objects, readers, scratch)
    if objects.name == "one vertebra":
        # with more vertebrae it runs out of memory
        yield command_line.pixelmed(objects)


if __name__ == "__main__":
    sys.exit(main())
