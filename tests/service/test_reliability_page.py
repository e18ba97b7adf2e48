"""docs/reliability.md quotes only messages, metrics and settings that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.config import Config

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
if not PAGE.is_file():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def program():
    packages = (ROOT / "node", ROOT / "service")
    return "\n".join(
        path.read_text(encoding="utf-8") for each in packages for path in each.rglob("*.py")
    )


def test_quoted_messages_are_the_programs_own(program):
    quoted = re.findall(r"\*\*([^*]+)\*\*", TEXT)
    assert len(quoted) > 10
    assert [message for message in quoted if message not in program] == []


def test_metrics_exist(program):
    named = set(re.findall(r"`(spinenode_[a-z_]+)", TEXT))
    assert len(named) > 5
    assert [name for name in named if f'"{name}"' not in program] == []


def test_settings_exist():
    named = re.findall(r"`((?:node|inference|service)(?:\.[a-z_0-9]+)+)`", TEXT)
    assert named
    for key in named:
        section = Config()
        for part in key.split("."):
            assert hasattr(section, part), key
            section = getattr(section, part)
