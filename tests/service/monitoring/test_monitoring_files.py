"""Dashboard and alert rules name only metrics and labels that the service exports."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.resources import files

import pytest
import yaml

from service.app import Service
from service.config import Config

FOLDER = files("service") / "monitoring"
ALERTS = FOLDER / "prometheus" / "alerts.yaml"
DASHBOARD = FOLDER / "grafana" / "spinenode.json"
NAME = re.compile(r"\bspinenode_[a-z_0-9]+\b")
SELECTOR = re.compile(r"(\bspinenode_[a-z_0-9]+)\{([^}]*)\}")
GROUPED = re.compile(r"by \(([^)]*)\)")


def panels() -> Iterator[dict]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        yield panel
        yield from panel.get("panels", [])


def dashboard_expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel.get("targets", [])]


def alert_rules() -> list[dict]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


EXPRESSIONS = sorted({*dashboard_expressions(), *(rule["expr"] for rule in alert_rules())})


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> dict[str, set[str]]:
    """Every sample name that the service can export, with its labels."""
    spool = tmp_path_factory.mktemp("spool")
    service = Service(Config(node={"spool": spool, "port": 0}, service={"dashboard": {"port": 0}}))
    names: dict[str, set[str]] = {}
    for collector in service.worker.metrics.registry._collector_to_names:
        labels = set(getattr(collector, "_labelnames", getattr(collector, "_labels", ())))
        families = list(collector.describe()) or list(collector.collect())
        for family in families:
            kinds = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
            for suffix in kinds.get(family.type, ("",)):
                names[family.name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    service.stop()
    return names


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=lambda each: NAME.search(each)[0])
def test_every_metric_and_label_named_is_exported(exported, expression):
    names = NAME.findall(expression)
    assert names
    assert [name for name in names if name not in exported] == []
    for name, selected in SELECTOR.findall(expression):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selected)) - {"instance"}
        assert labels <= exported[name], name
    for grouped in GROUPED.findall(expression):
        labels = {label.strip() for label in grouped.split(",")}
        assert labels <= set().union(*(exported[name] for name in names)), expression


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=lambda each: NAME.search(each)[0])
def test_every_expression_is_balanced_and_ranges_have_units(expression):
    depth: list[str] = []
    for character in re.sub(r'"[^"]*"', '""', expression):
        if character in "([{":
            depth.append(character)
        elif character in ")]}":
            assert depth, expression
            assert depth.pop() + character in ("()", "[]", "{}"), expression
    assert depth == []
    for window in re.findall(r"\[([^\]]*)\]", expression):
        assert re.fullmatch(r"\d+[smhdw]", window)


def test_every_exported_metric_of_ours_is_on_the_dashboard(exported):
    shown = set(NAME.findall(" ".join(dashboard_expressions())))
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported}
    seen = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    assert families - seen == {"spinenode_up", "spinenode_spool_reserve_bytes"}


def test_prometheus_itself_accepts_every_expression(tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    rules = [
        {"record": f"dashboard:expression:{number}", "expr": each.replace("$instance", ".+")}
        for number, each in enumerate(dashboard_expressions())
    ]
    shown = tmp_path / "dashboard.yaml"
    shown.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    command = [promtool, "check", "rules", str(ALERTS), str(shown)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_says_what_and_what_to_do():
    rules = alert_rules()
    assert len(rules) > 10
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_panels_do_not_overlap_and_have_their_own_numbers():
    placed = list(panels())
    assert len({panel["id"] for panel in placed}) == len(placed)
    taken: set[tuple[int, int]] = set()
    for panel in placed:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in taken, panel["title"]
                taken.add((x, y))
