"""docs/security.md is true: its recipe works, its tables name every listener and connection."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from node import Destination, NodeServer, Spool, SpoolSettings
from node.errors import NodeError
from node.scu import echo
from node.settings import ListenerSettings, SeriesSettings, TlsSettings
from service.config import Config

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"
if not PAGE.is_file():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)
TEXT = PAGE.read_text(encoding="utf-8")
CONNECTS = re.compile(
    r"create_connection\(|\.associate\(|HTTPS?Connection\(url|smtplib\.SMTP(?:_SSL)?\(|urlopen\("
    r"|psycopg\.connect\(|DBOSClient\(|\bDBOS\(config|import (?:requests|httpx|ftplib|telnetlib)"
    r"|socket\.AF_UNIX"
)


def section(title: str) -> str:
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_every_module_that_can_open_a_connection_is_listed():
    modules = {
        path.relative_to(ROOT).as_posix()
        for package in ("node", "service", "inference", "texture", "sr_writer")
        for path in (ROOT / package).rglob("*.py")
        if CONNECTS.search(path.read_text(encoding="utf-8"))
    }
    assert len(modules) >= 8
    listed = set(re.findall(r"`((?:node|service)/[a-z_/]+\.py)`", section("What it connects to")))
    assert modules <= listed, "a module opens connections that the page does not list"
    assert [name for name in listed if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("title", ["What it listens on", "What it connects to", "Audit trail"])
def test_every_setting_named_exists(title):
    keys = re.findall(r"`((?:node|service|destinations|sources)(?:\.[a-z_]+)*)`", section(title))
    assert keys
    for key in keys:
        value = Config()
        for part in key.split("."):
            assert part in type(value).model_fields, key
            value = getattr(value, part)


def test_the_listed_ports_are_the_defaults():
    config = Config()
    table = section("What it listens on")
    for address, port in (
        (config.node.host, config.node.port),
        (config.service.dashboard.host, config.service.dashboard.port),
    ):
        assert f"| {port}/tcp | `{address}` |" in table


def test_nothing_is_configured_to_be_connected_to_by_default():
    config = Config()
    told = config.service.notifications
    assert not config.destinations
    assert not config.sources
    assert not config.node.peers
    assert config.database_url.startswith("sqlite:")
    assert not config.service.audit.syslog.host
    receivers = (told.email.host, told.webhooks, told.hl7.host, told.fhir.url)
    assert not any(receivers)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    """A folder in which the commands of the page were run."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, so the recipe cannot be run")
    folder = tmp_path_factory.mktemp("recipe")
    commands = TEXT.partition("<!-- recipe: run by a test -->\n```bash\n")[2].partition("```")[0]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "node.pem: OK" in done.stdout
    return folder


@pytest.fixture
def node(recipe, tmp_path):
    """A listener with the certificates of the recipe."""
    tls = TlsSettings(recipe / "node.pem", recipe / "node.key", recipe / "hospital-ca.pem", True)
    server = NodeServer(
        ListenerSettings(host="127.0.0.1", port=0, tls=tls),
        Spool(SpoolSettings(tmp_path / "spool", 0.0)),
        SeriesSettings(),
        lambda _series: None,
    )
    server.start()
    yield server
    server.stop()


def test_a_peer_with_a_certificate_of_the_recipe_is_let_in(recipe, node):
    shown = TlsSettings(recipe / "ct1.pem", recipe / "ct1.key", recipe / "hospital-ca.pem")
    echo(Destination("node", "SPINENODE", "localhost", node.port, tls=shown))


def test_a_peer_without_one_is_not(recipe, node):
    bare = TlsSettings(ca=recipe / "hospital-ca.pem")
    with pytest.raises(NodeError):
        echo(Destination("node", "SPINENODE", "localhost", node.port, tls=bare))


def test_private_keys_of_the_recipe_are_for_their_owner(recipe):
    keys = list(recipe.glob("*.key"))
    assert len(keys) == 3
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys)
