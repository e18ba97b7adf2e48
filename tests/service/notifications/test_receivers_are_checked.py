"""`spinenode check --connect` connects to every receiver and tells it nothing."""

from __future__ import annotations

import socket

import pytest

from service.config import Config
from service.config_file import load_config
from service.doctor import examine_receivers
from service.doctor.telling import check_audit_file
from service.errors import ConfigurationError

SECRET = "0123456789abcdef"


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def receivers(port: int, url: str) -> Config:
    here = {"host": "127.0.0.1", "port": port}
    notifications = {
        "email": {**here, "security": "none", "sender": "a@b", "recipients": ["c@d"]},
        "webhooks": [{"name": "x", "url": f"{url}/hook", "secret": SECRET}],
        "hl7": here,
        "fhir": {"url": f"{url}/fhir"},
    }
    return Config(service={"audit": {"syslog": here}, "notifications": notifications})


def test_receivers_that_are_down_are_named_with_a_fix(closed_port):
    results = examine_receivers(receivers(closed_port, f"http://127.0.0.1:{closed_port}"))
    assert [each.name for each in results] == ["audit syslog", "mail", "webhook x", "hl7", "fhir"]
    assert not any(each.ok for each in results)
    assert all("firewall" in each.fix for each in results)


def test_receivers_that_answer_are_told_nothing(closed_port, web_receiver):
    results = examine_receivers(receivers(closed_port, web_receiver.url))
    assert {each.name for each in results if each.ok} == {"webhook x", "fhir"}
    assert web_receiver.requests == []


def test_nobody_is_connected_to_by_default():
    assert examine_receivers(Config()) == []


def test_a_folder_for_audit_files_has_to_be_writable(tmp_path):
    (tmp_path / "file").touch()
    good = Config(service={"audit": {"file": str(tmp_path / "log" / "audit.xml")}})
    bad = Config(service={"audit": {"file": str(tmp_path / "file" / "audit.xml")}})
    assert check_audit_file(good).ok
    assert "service.audit.file" in check_audit_file(bad).fix
    assert check_audit_file(Config()).ok


def test_an_error_in_the_configuration_repeats_no_secret(tmp_path):
    for text in (
        "webhooks: [{name: x, url: 'http://h', secret: hush}]",
        "email: {password: hush, host: h}",
    ):
        path = tmp_path / "config.yaml"
        path.write_text(f"service:\n  notifications:\n    {text}\n")
        with pytest.raises(ConfigurationError, match="line 3") as caught:
            load_config(path)
        assert "hush" not in str(caught.value)
