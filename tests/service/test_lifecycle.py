"""The real service under a test that plays systemd: reload without dropping, refusal, drain."""

from __future__ import annotations

import signal
import socket
import time

import pytest
import yaml
from knocking import knock

CALLING_UNKNOWN = (1, 1, 3)


@pytest.fixture
def service(make_service, tmp_path, monkeypatch):
    """A running service that believes to be started by systemd, and what it tells systemd."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.settimeout(120)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    service = make_service(tmp_path)
    service.heard = listener
    service.start()
    yield service
    listener.close()


def hear_until(service, wanted: str) -> list[str]:
    """Everything told to systemd up to a line that contains so."""
    heard: list[str] = []
    deadline = time.monotonic() + 120
    while not any(wanted in line for line in heard):
        assert time.monotonic() < deadline, (wanted, heard[-5:])
        heard += service.heard.recv(4096).decode().split("\n")
    return heard


def reload(service, **sections) -> None:
    config = yaml.safe_load(service.config.read_text())
    for name, section in sections.items():
        if isinstance(section, dict):
            config.setdefault(name, {}).update(section)
        else:
            config[name] = section
    service.config.write_text(yaml.safe_dump(config))
    service.process.send_signal(signal.SIGHUP)


def test_the_life_of_a_service_under_systemd(service):
    heard = hear_until(service, f"on port {service.port}")
    assert heard[:2] == ["STATUS=starting", "READY=1"]
    assert "WATCHDOG=1" in heard

    open_association = knock(service.port, "CT1").association
    assert open_association.is_established
    reload(service, node={"peers": [{"ae_title": "CT2"}]}, rules={"min_instances": 2})
    heard = hear_until(service, "RELOADING=1") + hear_until(service, "READY=1")
    assert any(line.startswith("MONOTONIC_USEC=") for line in heard)
    assert open_association.send_c_echo().Status == 0, "an open association was dropped"
    assert knock(service.port, "CT1").refusal == CALLING_UNKNOWN
    open_association.release()

    reload(service, node={"peeers": []})
    heard = hear_until(service, "unknown key 'node.peeers'")
    assert "line " in heard[-1]
    other = knock(service.port, "CT2")
    assert other.is_admitted, "the former configuration did not stay"
    other.association.release()
    assert '"configuration refused; the former one stays in force"' in service.log.read_text()

    hear_until(service, "WATCHDOG=1")
    started = time.monotonic()
    assert service.terminate() == 0
    assert time.monotonic() - started < 45
    hear_until(service, "STOPPING=1")
