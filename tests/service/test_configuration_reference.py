"""docs/configuration.md lists every key of the configuration, and nothing else."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml

DOCS = Path(__file__).parents[2] / "docs"
if not (DOCS / "generate_configuration.py").is_file():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gen", DOCS / "generate_configuration.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(text: str) -> dict[str, str]:
    """Meaning of every key of a page."""
    return {
        match[1]: match[2].strip() for match in re.finditer(r"^\| `(\S+)` .*\|(.*)\|$", text, re.M)
    }


def test_the_page_is_what_the_models_and_the_shipped_file_give(generator):
    written = (DOCS / "configuration.md").read_text(encoding="utf-8")
    assert written == generator.page(), "run: python docs/generate_configuration.py"


def test_every_key_has_a_meaning(generator):
    assert [key for key, meaning in rows(generator.page()).items() if not meaning] == []


def test_every_key_of_the_shipped_file_is_on_the_page(generator):
    def keys(content: dict, path: str = "") -> list[str]:
        found = []
        for name, value in content.items():
            below = keys(value, f"{path}{name}.") if isinstance(value, dict) else []
            found += below or [path + name]
        return found

    shipped = yaml.safe_load((DOCS.parent / "config.yaml").read_text(encoding="utf-8"))
    assert set(keys(shipped)) <= set(rows(generator.page()))


def test_no_meaning_is_kept_for_a_key_that_is_gone(generator):
    known = {re.sub(r"^.*\btls(?=\.)", "tls", key) for key in rows(generator.page())}
    assert set(generator.MEANINGS) <= known
