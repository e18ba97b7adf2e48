from pathlib import Path

import pytest

from service.config import Config
from service.config_file import load_config
from service.errors import ConfigurationError

REPOSITORY = Path(__file__).parents[2]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_shipped_config_states_exactly_the_defaults():
    assert load_config(REPOSITORY / "config.yaml") == Config()


def test_every_setting_is_documented_in_the_shipped_config():
    text = (REPOSITORY / "config.yaml").read_text()

    def leaves(model, prefix=()):
        for name, field in model.model_fields.items():
            inner = field.annotation
            if hasattr(inner, "model_fields"):
                yield from leaves(inner, (*prefix, name))
            else:
                yield name

    missing = [name for name in leaves(Config) if f"{name}:" not in text]
    assert missing == []


def test_partial_file_is_completed_with_defaults(tmp_path):
    config = load_config(written(tmp_path, "node:\n  port: 4242\n"))
    assert config.node.port == 4242
    assert config.node.ae_title == Config().node.ae_title


def test_empty_file_means_defaults(tmp_path):
    assert load_config(written(tmp_path, "")) == Config()


def test_unknown_key_is_named_with_its_line_and_a_suggestion(tmp_path):
    path = written(tmp_path, "node:\n  ae_title: A\n  prot: 1\n")
    with pytest.raises(ConfigurationError, match=r"line 3: unknown key 'node.prot'.*'port'"):
        load_config(path)


def test_unknown_section_is_named_with_its_line(tmp_path):
    with pytest.raises(ConfigurationError, match=r"line 1: unknown key 'nodes'.*'node'"):
        load_config(written(tmp_path, "nodes: {}\n"))


def test_wrong_value_is_named_with_key_line_and_value(tmp_path):
    path = written(tmp_path, "service:\n  workers: many\n")
    with pytest.raises(ConfigurationError, match=r"line 2: service.workers: .*'many'"):
        load_config(path)


def test_wrong_value_inside_a_list_names_its_line(tmp_path):
    text = "destinations:\n  - name: a\n    ae_title: A\n    host: h\n    port: 99999999\n"
    with pytest.raises(ConfigurationError, match=r"line 5: destinations.0.port"):
        load_config(written(tmp_path, text))


def test_two_destinations_of_one_name_are_refused(tmp_path):
    entry = "  - {name: a, ae_title: A, host: h, port: 104}\n"
    with pytest.raises(ConfigurationError, match="'a' is used more than once"):
        load_config(written(tmp_path, "destinations:\n" + entry + entry))


def test_broken_yaml_names_its_line(tmp_path):
    with pytest.raises(ConfigurationError, match="line 2"):
        load_config(written(tmp_path, "node:\n  port: }\n"))


def test_a_list_instead_of_sections_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="expected sections"):
        load_config(written(tmp_path, "- 1\n"))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"absent\.yaml: cannot be read"):
        load_config(tmp_path / "absent.yaml")


def test_environment_overrides_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("SPINENODE_NODE__PORT", "5151")
    assert load_config(written(tmp_path, "node:\n  port: 4242\n  ae_title: B\n")).node.port == 5151


def test_environment_override_keeps_the_rest_of_the_section(tmp_path, monkeypatch):
    monkeypatch.setenv("SPINENODE_NODE__PORT", "5151")
    config = load_config(written(tmp_path, "node:\n  ae_title: B\n"))
    assert (config.node.ae_title, config.node.port) == ("B", 5151)


def test_mistyped_environment_section_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("SPINENODE_NOODE__PORT", "5151")
    with pytest.raises(ConfigurationError, match="SPINENODE_NOODE__PORT"):
        load_config(written(tmp_path, ""))


def test_queue_lies_beside_the_spool_unless_configured(tmp_path):
    config = load_config(written(tmp_path, f"node:\n  spool: {tmp_path / 's'}\n"))
    assert config.database_url == f"sqlite:///{tmp_path / 's' / 'queue.sqlite'}"
