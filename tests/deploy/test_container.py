"""The container image: what the files promise, and every step of it run on a plain Debian."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from dockerfile import Builder, build_context, instructions

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = REPOSITORY / "Dockerfile"
COMPOSE = ("compose.yaml", "compose.evaluation.yaml", "compose.gpu.yaml")
HEALTHY_WITHIN_SECONDS = 120


def services(name: str) -> dict[str, dict]:
    return yaml.safe_load((REPOSITORY / name).read_text())["services"]


def test_the_base_is_pinned_by_digest():
    (base,) = [
        rest for name, rest in instructions(DOCKERFILE.read_text()) if rest.startswith("BASE=")
    ]
    assert re.fullmatch(r"BASE=debian:bookworm-\d{8}-slim@sha256:[0-9a-f]{64}", base)


def test_the_container_ends_as_a_user_that_is_not_root():
    users = [rest for name, rest in instructions(DOCKERFILE.read_text()) if name == "USER"]
    assert users == ["10001:10001"]


def test_no_package_registry_is_named():
    for name in ("Dockerfile", "deploy/build-environment.sh", "deploy/install.sh", *COMPOSE):
        assert not re.search(r"https?://(?!127\.0\.0\.1)", (REPOSITORY / name).read_text()), name


def test_by_default_the_node_runs_alone_and_only_dicom_is_open_to_the_network():
    assert list(services("compose.yaml")) == ["node"]
    dicom, pages = services("compose.yaml")["node"]["ports"]
    assert dicom.endswith(":11112")
    assert pages.startswith("127.0.0.1:")


def test_the_evaluation_stack_has_pinned_images_and_nothing_open_beyond_this_host():
    stack = services("compose.evaluation.yaml")
    assert set(stack) == {"node", "orthanc", "database"}
    for name in ("orthanc", "database"):
        assert re.search(r":\d[\w.-]+$", stack[name]["image"])
        assert all(port.startswith("127.0.0.1:") for port in stack[name].get("ports", ()))


def test_the_evaluation_stack_s_settings_are_ones_that_the_node_knows(monkeypatch):
    from service.config_file import load_config

    for name in ("compose.yaml", "compose.evaluation.yaml"):
        for key, value in services(name)["node"]["environment"].items():
            monkeypatch.setenv(key, value.replace("${SPINENODE_AE_TITLE:-SPINENODE}", "SPINENODE"))
    config = load_config(REPOSITORY / "config.yaml")
    assert config.database_url == "postgresql://spinenode@database/spinenode"
    (archive,) = config.destinations
    orthanc = services("compose.evaluation.yaml")["orthanc"]["environment"]
    assert (archive.host, archive.ae_title) == ("orthanc", orthanc["ORTHANC__DICOM_AET"])


def test_an_unknown_instruction_is_an_error_and_not_passed_over(tmp_path):
    with pytest.raises(AttributeError):
        Builder(None, tmp_path, tmp_path, {}).build("ADD x y")


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_every_step_runs_on_a_plain_debian_and_the_result_becomes_healthy(
    plain_debian, wheelhouse, tmp_path
):
    """The steps of both stages in order; then the command and the health check as their user."""
    context = tmp_path / "context"
    build_context(REPOSITORY, context)
    shutil.copytree(wheelhouse, context / "dist/wheelhouse")
    builder = Builder(plain_debian, context, tmp_path, {"PIP_NO_INDEX": "1"})
    image = builder.build(DOCKERFILE.read_text())

    command = shlex.join([*image.entrypoint, *image.command])
    healthcheck = shlex.join(image.healthcheck)
    said = image.debian.run_offline(
        f"""
        {command} > /tmp/log 2>&1 & service=$!
        for second in $(seq {HEALTHY_WITHIN_SECONDS}); do
            {healthcheck} 2>/dev/null && break
            kill -0 $service || {{ cat /tmp/log; exit 1; }}
            sleep 1
        done
        {healthcheck} && echo healthy as $(id -u):$(id -g)
        kill -TERM $service
        wait $service && echo ended well
        """,
        image.environment, image.user, image.folder, timeout=300,
    )  # fmt: skip
    print(f"\n{len(image.ran)} RUN step(s) of the last stage; {' '.join(said.split())}")
    assert "healthy as 10001:10001" in said
    assert "ended well" in said
