"""`spinenode check` against real folders, databases and associations."""

from node import LoopbackArchive
from service.config import Config, DestinationConfig, InferenceConfig, NodeConfig, ServiceConfig
from service.doctor import examine, examine_destinations


def by_name(results):
    return {result.name: result for result in results}


def config_in(tmp_path, **sections):
    return Config(node=NodeConfig(spool=tmp_path / "spool", min_free_gib=0.0), **sections)


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
