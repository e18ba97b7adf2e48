"""SIGHUP: what changes at once, what waits for a restart, and a file that cannot be used."""

import logging

import pytest
from plain_browser import quick_hash

from service.config import Config
from service.config_file import load_config
from service.reload import Reloader, changed_keys


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("node: {port: 11112}\n")
    return path


@pytest.fixture
def followed():
    return []


@pytest.fixture
def reloader(file, followed):
    return Reloader(load_config(file), lambda: load_config(file), followed.append)


def test_peers_destinations_rules_and_log_level_change_at_once(file, reloader, followed):
    file.write_text(
        "node: {port: 11112, peers: [{ae_title: CT1}]}\n"
        "destinations: [{name: pacs, ae_title: PACS, host: 192.0.2.1, port: 104}]\n"
        "rules: {min_instances: 3}\n"
        "service: {log_level: debug}\n"
    )
    assert reloader() == ""
    (config,) = followed
    assert [peer.ae_title for peer in config.node.peers] == ["CT1"]
    assert [destination.name for destination in config.destinations] == ["pacs"]
    assert config.rules.min_instances == 3
    assert config.service.log_level == "debug"


def test_users_of_the_pages_change_at_once_and_their_address_does_not(file, reloader, followed):
    file.write_text(
        "node: {port: 11112}\n"
        "service: {dashboard: {port: 8043, session_idle_minutes: 5,"
        f" users: {{anna: {quick_hash()}}}}}}}\n"
    )
    assert reloader() == ""
    (config,) = followed
    assert list(config.service.dashboard.users) == ["anna"]
    assert config.service.dashboard.session_idle_minutes == 5
    assert config.service.dashboard.port == 8042


def test_what_needs_a_restart_stays_and_is_named(file, reloader, followed, caplog):
    file.write_text("node: {port: 11113, peers: [{ae_title: CT1}]}\nservice: {workers: 2}\n")
    with caplog.at_level(logging.INFO):
        assert reloader() == ""
    (config,) = followed
    assert (config.node.port, config.service.workers) == (11112, 1)
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert warning.keys == ["node.port", "service.workers"]


def test_a_key_that_waits_for_a_restart_is_named_at_each_reload(file, reloader, caplog):
    file.write_text("node: {port: 11113}\n")
    for _ in range(2):
        caplog.clear()
        reloader()
        assert any(getattr(record, "keys", None) == ["node.port"] for record in caplog.records)


@pytest.mark.parametrize("text", ["node:\n  peeers: []\n", "node: {port: 99999}\n", "node: [\n"])
def test_an_unusable_file_changes_nothing_and_is_named_with_its_line(
    file, reloader, followed, caplog, text
):
    file.write_text(text)
    refused = reloader()
    assert followed == []
    assert "line " in refused
    assert str(file) in refused
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_file_that_is_gone_changes_nothing(file, reloader, followed):
    file.unlink()
    assert "cannot be read" in reloader()
    assert followed == []


def test_after_a_refusal_the_mended_file_is_taken(file, reloader, followed):
    file.write_text("rules: {min_instances: none}\n")
    assert reloader() != ""
    file.write_text("rules: {min_instances: 5}\n")
    assert reloader() == ""
    assert followed[-1].rules.min_instances == 5


def test_no_value_is_named_only_keys():
    """Values may be passwords."""
    before = Config()
    after = before.model_copy(
        update={"service": before.service.model_copy(update={"database": "postgresql://a:b@c/d"})}
    )
    assert changed_keys(before, after) == ["service.database"]
