"""`spinenode check` against real folders, databases and associations."""

import os
import socket

import pytest
import torch
from waiting import free_port

from node import LoopbackArchive
from service.config import (
    Config,
    DashboardConfig,
    DestinationConfig,
    InferenceConfig,
    NodeConfig,
    ServiceConfig,
    TlsConfig,
)
from service.doctor import examine, examine_destinations


def by_name(results):
    return {result.name: result for result in results}


def config_in(tmp_path, **sections):
    node = NodeConfig(spool=tmp_path / "spool", min_free_gib=0.0, port=free_port())
    return Config(node=node, **sections)


def test_a_default_installation_passes_every_check(tmp_path):
    results = examine(config_in(tmp_path))
    assert [result.name for result in results if not result.ok] == []


def test_a_disk_below_the_watermark_names_the_fix(tmp_path):
    config = Config(node=NodeConfig(spool=tmp_path / "spool", min_free_gib=10**9))
    disk = by_name(examine(config))["disk"]
    assert not disk.ok
    assert "min_free_gib" in disk.fix


def test_a_spool_that_cannot_be_made_names_the_fix(tmp_path):
    (tmp_path / "file").write_text("")
    config = Config(node=NodeConfig(spool=tmp_path / "file" / "spool"))
    spool = by_name(examine(config))["spool"]
    assert not spool.ok
    assert "node.spool" in spool.fix


def test_altered_weights_are_found(tmp_path):
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"x")
    config = config_in(
        tmp_path, inference=InferenceConfig(weights=weights, weights_sha256="0" * 64)
    )
    model = by_name(examine(config))["model"]
    assert not model.ok
    assert "sha256" in model.found


def test_an_unreachable_database_is_found(tmp_path):
    service = ServiceConfig(database="postgresql://nobody@127.0.0.1:1/none")
    database = by_name(examine(config_in(tmp_path, service=service)))["database"]
    assert not database.ok
    assert "service.database" in database.fix


def test_destinations_are_echoed(tmp_path):
    with LoopbackArchive(tmp_path / "archive") as archive:
        there = DestinationConfig(
            name="there", ae_title="ARCHIVE", host="127.0.0.1", port=archive.port
        )
        gone = DestinationConfig(name="gone", ae_title="ARCHIVE", host="127.0.0.1", port=1)
        results = examine_destinations(config_in(tmp_path, destinations=(there, gone)))
    assert [result.ok for result in results] == [True, False]
    assert "FAIL" in results[1].line()
    assert "Fix:" in results[1].line()


def test_a_port_that_another_program_has_is_found(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        node = NodeConfig(spool=tmp_path / "spool", min_free_gib=0.0, port=port)
        service = ServiceConfig(dashboard=DashboardConfig(port=free_port()))
        found = by_name(examine(Config(node=node, service=service)))["port"]
    assert not found.ok
    assert "ss -ltnp" in found.fix


def test_an_address_of_another_host_is_found(tmp_path):
    node = NodeConfig(spool=tmp_path / "spool", min_free_gib=0.0, host="192.0.2.1")
    found = by_name(examine(Config(node=node)))["port"]
    assert not found.ok
    assert "0.0.0.0" in found.fix


def test_a_missing_certificate_is_found_wherever_it_is_named(tmp_path):
    there = DestinationConfig(
        name="there", ae_title="ARCHIVE", host="127.0.0.1", port=104,
        tls=TlsConfig(enabled=True, ca=tmp_path / "none.pem"),
    )  # fmt: skip
    tls = by_name(examine(config_in(tmp_path, destinations=(there,))))["tls"]
    assert not tls.ok
    assert tls.found.startswith("destination there")
    assert "PEM" in tls.fix


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_wanted_and_not_there_is_found(tmp_path):
    config = config_in(tmp_path, inference=InferenceConfig(device="cuda"))
    model = by_name(examine(config))["model"]
    assert not model.ok
    assert "inference.device: cpu" in model.fix


def test_pages_that_nobody_can_open_are_said(tmp_path):
    service = ServiceConfig(dashboard=DashboardConfig(host="0.0.0.0"))
    dashboard = by_name(examine(config_in(tmp_path, service=service)))["dashboard"]
    assert dashboard.ok
    assert "service.dashboard.users" in dashboard.found


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_does_not_write_into_the_spool_of_the_service(tmp_path):
    config = config_in(tmp_path)
    config.node.spool.mkdir()
    os.chown(config.node.spool, 12345, 12345)
    (account,) = examine(config)
    assert not account.ok
    assert "runuser" in account.fix
    assert list(config.node.spool.iterdir()) == []
