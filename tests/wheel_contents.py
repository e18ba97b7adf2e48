"""Check what the built wheel installs: `python tests/wheel_contents.py dist`."""

import sys
import zipfile
from pathlib import Path

TOP_LEVEL = {"node", "inference", "texture", "sr_writer", "service"}
NEEDED = (
    "inference/weights/spinenode-2mm.safetensors",
    "inference/weights/MODEL_CARD.md",
    "service/dashboard/templates/queue.html",
    "service/dashboard/static/htmx.min.js",
    "service/dashboard/static/style.css",
    "service/dashboard/static/live.js",
    "service/dashboard/static/icon.svg",
)


def main(folder: str) -> int:
    (wheel,) = sorted(Path(folder).glob("spinenode-*.whl"))[-1:]
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names if ".dist-info" not in name}
    problems = [f"missing {name}" for name in NEEDED if name not in names]
    if top != TOP_LEVEL:
        problems.append(f"top-level names {sorted(top)}, expected {sorted(TOP_LEVEL)}")
    sys.stdout.write("\n".join(problems or [f"{wheel.name}: {len(names)} files, complete"]) + "\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
