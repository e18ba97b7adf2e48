"""Reduce a bill of materials of the development environment to what the product needs to run.

python tests/supply_chain/product_only.py ENVIRONMENT.json OUT.json
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def product_only(bill: dict[str, Any], wanted: set[str]) -> dict[str, Any]:
    """Keep the components of these names, and what is said of their dependencies on each other."""
    root = bill["metadata"]["component"]["bom-ref"]
    components = [each for each in bill["components"] if normalised(each["name"]) in wanted]
    kept = {each["bom-ref"] for each in components}
    dependencies = []
    for entry in bill["dependencies"]:
        if entry["ref"] == root or entry["ref"] in kept:
            below = sorted(set(entry.get("dependsOn", [])) & kept)
            dependencies.append({"ref": entry["ref"]} | ({"dependsOn": below} if below else {}))
    return {**bill, "components": components, "dependencies": dependencies}


def runtime_names(direct: list[str]) -> set[str]:
    """Normalised names of these requirements and of everything that they need to run here."""
    found: set[str] = set()
    unread = [(line, frozenset[str]()) for line in direct]
    while unread:
        line, extras = unread.pop()
        needed = Requirement(line)
        name = normalised(needed.name)
        if _applies(needed, extras) and (name not in found or needed.extras):
            found.add(name)
            wanted = frozenset(needed.extras)
            unread += [(below, wanted) for below in _requires(needed.name)]
    return found


def direct_requirements() -> list[str]:
    """The dependencies of pyproject.toml without its extras."""
    project: dict[str, Any] = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    return list(project["dependencies"])


def normalised(name: str) -> str:
    """Name as the package index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _requires(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError as error:
        raise SystemExit(f"not installed: {name}") from error


def _applies(needed: Requirement, extras: frozenset[str]) -> bool:
    marker = needed.marker
    return marker is None or any(marker.evaluate({"extra": each}) for each in ("", *extras))


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:3])
    reduced = product_only(json.loads(source.read_text()), runtime_names(direct_requirements()))
    target.write_text(json.dumps(reduced, indent=2) + "\n")
    sys.stdout.write(f"{target}: {len(reduced['components'])} components\n")
