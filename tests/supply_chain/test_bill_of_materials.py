"""The bill of materials holds what the product needs to run, and none of the tools."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def product():
    spec = importlib.util.spec_from_file_location("product_only", HERE / "product_only.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def component(name: str) -> dict[str, str]:
    return {"bom-ref": name, "name": name}


def bill(**needs: list[str]) -> dict:
    names = {name for below in needs.values() for name in below} | (needs.keys() - {"root"})
    return {
        "metadata": {"component": component("root")},
        "components": [component(name) for name in sorted(names)],
        "dependencies": [{"ref": ref, "dependsOn": below} for ref, below in needs.items()],
    }


def test_tools_go_and_dependencies_on_them_too(product):
    whole = bill(root=["web", "pytest"], web=["anyio", "pytest"], pytest=["pluggy"], anyio=[])
    reduced = product.product_only(whole, {"web", "anyio"})
    assert [each["name"] for each in reduced["components"]] == ["anyio", "web"]
    refs = {entry["ref"]: entry.get("dependsOn") for entry in reduced["dependencies"]}
    assert refs == {"root": ["web"], "web": ["anyio"], "anyio": None}


def test_what_the_product_needs_is_followed_through_dependencies_without_tools(product):
    names = product.runtime_names(product.direct_requirements())
    assert {"torch", "fhir-resources", "fhir-core", "anyio", "sqlalchemy"} <= names
    assert not names & {"pytest", "mypy", "hypothesis", "playwright"}


def test_a_distribution_that_is_not_installed_is_no_bill(product):
    with pytest.raises(SystemExit, match="no-such-thing"):
        product.runtime_names(["no-such-thing"])


def test_every_accepted_advisory_is_explained():
    accepted = (HERE / "accepted_advisories.txt").read_text().splitlines()
    page = (ROOT / "docs" / "security.md").read_text()
    ids = [line for line in accepted if line and not line.startswith("#")]
    assert [id_ for id_ in ids if id_ not in page] == []


def test_every_dependency_is_pinned_for_the_audit(product):
    pinned = {
        product.normalised(re.split("==", line)[0])
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    assert product.runtime_names(product.direct_requirements()) <= pinned


def test_a_built_bill_is_cyclonedx():
    built = ROOT / "dist" / "spinenode.cdx.json"
    if not built.is_file():
        pytest.skip("no bill built: make sbom")
    document = json.loads(built.read_text())
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == "spinenode"
    names = {each["name"].lower() for each in document["components"]}
    assert {"torch", "pydicom", "dbos"} <= names
    assert not names & {"pytest", "ruff", "mypy"}
