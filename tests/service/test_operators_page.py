"""docs/operators.md names only commands, settings, metrics and codes that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from service.cli import app
from service.config import Config

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operators.md"
if not PAGE.is_file():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)
TEXT = PAGE.read_text(encoding="utf-8")


def sources(package: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / package).rglob("*.py"))


def test_every_setting_exists():
    named = re.findall(
        r"`((?:node|inference|texture|sr_writer|service|rules)(?:\.[a-z_0-9]+)+)", TEXT
    )
    assert len(named) > 10
    for key in named:
        value = Config()
        for part in key.split("."):
            assert part in type(value).model_fields, key
            value = getattr(value, part)


def test_every_command_and_option_exists():
    named = re.findall(r"spinenode ((?:jobs )?[a-z-]+)((?: --?[a-z]+| [A-Z]+)*)", TEXT)
    assert len(named) > 10
    for words, options in named:
        command = get_command(app)
        for word in words.split():
            subcommands = getattr(command, "commands", {})
            assert word in subcommands, words
            command = subcommands[word]
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z]+", options)) <= known, f"spinenode {words}{options}"


def test_every_reason_code_is_given_by_the_program():
    written = sources("inference") + sources("service")
    table = TEXT.partition("what do the codes mean?")[2].partition("\n### ")[0]
    rows = [row for row in re.findall(r"^\|([^|]*)\|", table, re.M) if "`" in row]
    codes = [code for row in rows for code in re.findall(r"`([a-z_]+)`", row)]
    assert len(codes) > 15
    assert [code for code in codes if f'"{code}"' not in written] == []


def test_every_rejection_and_metric_is_given_by_the_program():
    written = sources("node") + sources("service")
    table = TEXT.partition("**association rejected**")[2].partition("\n### ")[0]
    rows = re.findall(r"^\|([^|]*)\|", table, re.M)
    reasons = [code for row in rows for code in re.findall(r"`([a-z_]+)`", row)]
    metrics = re.findall(r"`(spinenode_[a-z_]+)`", TEXT)
    names = reasons + metrics
    assert len(names) >= 9
    assert [name for name in names if f'"{name}"' not in written] == []


@pytest.mark.parametrize(
    "message",
    [
        "association rejected",
        "instance refused",
        "series left out",
        "could not be handed over",
        "instance sent again with other content; both are kept",
        "the service stopped during this job too many times",
        "objects refused by the archive",
        "tls needs a certificate (node.tls.cert)",
        "tls.require_client_cert needs tls.ca",
        "tls files are unusable",
        "unknown section",
        "unknown key",
    ],
)
def test_quoted_messages_are_the_programs_own(message):
    assert message in " ".join(TEXT.split())
    assert message in sources("node") + sources("service")
