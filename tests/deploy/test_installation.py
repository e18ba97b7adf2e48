"""docs/installation.md on a plain Debian 12 that systemd booted and that has no network.

The lines marked ``sh`` are taken from the document and run as they stand. The second release is the
same program under another version number: what two commits make of one queue, test_upgrade shows.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from plain_debian import Booted
from waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]
DOCUMENT = Path(__file__).parents[2] / "docs/installation.md"
NEXT_VERSION = "99.0.0"
SEND = """
/opt/spinenode/current/venv/bin/python - {folder} <<'END'
import sys
from pathlib import Path
from node import Destination, send_files
node = Destination("node", "SPINENODE", "127.0.0.1", 11112, calling_ae_title="CT1")
results = send_files(sorted(Path(sys.argv[1]).iterdir()), node)
print(sum(result.outcome == "sent" for result in results), "sent")
END
"""


def lines_of(section: str) -> str:
    """What a section of the document tells to type."""
    text = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", DOCUMENT.read_text(), re.M | re.S)
    assert text, section
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", text[1], re.M | re.S))


@pytest.fixture(scope="module")
def debian(plain_debian, wheelhouse, tmp_path_factory):
    """The booted Debian, with the wheels of this version and of a next one in /root."""
    debian = plain_debian.copy(tmp_path_factory.mktemp("installed") / "root")
    debian.run(
        "apt-get update -qq && apt-get install --yes -qq --no-install-recommends"
        " systemd systemd-sysv dbus python3-venv"
    )
    shutil.copytree(wheelhouse, debian.root / "root/wheelhouse")
    shutil.copytree(wheelhouse, debian.root / "root/wheelhouse-new")
    renumber(debian.root / "root/wheelhouse-new")
    with debian.booted() as booted:
        yield booted


def renumber(wheelhouse: Path) -> None:
    """Give the program's wheel another version, and the folder its sums again."""
    (old,) = wheelhouse.glob("spinenode-*.whl")
    version = old.name.split("-")[1]
    new = old.with_name(old.name.replace(version, NEXT_VERSION))
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(new, "w") as target:
        record = []
        for entry in source.infolist():
            name = entry.filename.replace(f"-{version}.dist-info", f"-{NEXT_VERSION}.dist-info")
            content = source.read(entry)
            if name.endswith("/METADATA"):
                content = content.replace(
                    f"\nVersion: {version}\n".encode(), f"\nVersion: {NEXT_VERSION}\n".encode()
                )
            if name.endswith("/RECORD"):
                content = "".join([*record, f"{name},,\n"]).encode()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            record.append(f"{name},sha256={digest.decode()},{len(content)}\n")
            target.writestr(name, content)
    old.unlink()
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(wheelhouse.iterdir())
        if path.name != "SHA256SUMS"
    ]
    (wheelhouse / "SHA256SUMS").write_text("".join(sums))


def jobs(debian: Booted) -> list[str]:
    """State of every job."""
    return [job["state"] for job in json.loads(debian.run("spinenode jobs list --json"))]


def wait_for_jobs(debian: Booted, states: list[str], seconds: float = 600) -> None:
    try:
        wait_for(lambda: sorted(jobs(debian)) == sorted(states), f"jobs to be {states}", seconds)
    except AssertionError as late:
        raise AssertionError(jobs(debian), debian.run("journalctl -u spinenode -n 30")) from late


def service_process(debian: Booted) -> dict[str, str]:
    """`/proc/PID/status` of the service."""
    pid = debian.property("spinenode", "MainPID")
    lines = debian.run(f"cat /proc/{pid}/status").splitlines()
    return dict(re.split(r":\s*", line, maxsplit=1) for line in lines)


def release(debian: Booted) -> str:
    return debian.run("readlink /opt/spinenode/current").strip()


def test_the_document_from_installation_to_removal(debian):
    said = debian.run(lines_of("Install"), timeout=1200)
    assert said.rstrip().endswith("active")
    process = service_process(debian)
    uid = debian.run("id -u spinenode").strip()
    assert process["Uid"].split() == [uid] * 4 != ["0"] * 4
    assert (process["Seccomp"], process["NoNewPrivs"], int(process["CapEff"], 16)) == ("2", "1", 0)
    assert "SPINENODE on port 11112" in debian.property("spinenode", "StatusText")
    first = release(debian)

    # A series goes all the way under the system call filter.
    phantom = "/opt/spinenode/current/venv/bin/spinenode phantom --spacing 1.5,1.5,2.5"
    for number in (1, 2):
        debian.run(f"{phantom} --levels L1-L5 --seed {number} --out /root/{number}")
    debian.run(SEND.format(folder="/root/1/dicom"))
    wait_for_jobs(debian, ["analysed"])

    debian.run("sed -i 's/^  peers: .*/  peers: [{ae_title: CT1}]/' /etc/spinenode/config.yaml")
    debian.run(lines_of("Change the configuration"))
    assert '"node.peers"' in debian.run("journalctl -u spinenode -n 5")

    # A job waits while the release changes, twice.
    debian.run(SEND.format(folder="/root/2/dicom"))
    wait_for_jobs(debian, ["analysed", "running"], 120)
    debian.run(lines_of("Upgrade"), timeout=1200)
    assert release(debian).startswith(f"releases/{NEXT_VERSION}-")
    assert debian.run("systemctl is-active spinenode").strip() == "active"
    assert "queue.sqlite" in debian.run("ls /var/lib/spinenode/backups/*")
    debian.run(lines_of("Go back"))
    assert release(debian) == first
    wait_for_jobs(debian, ["analysed", "analysed"])
    assert "ok    database" in debian.run("spinenode check")
    not_ours = debian.run("find /var/lib/spinenode -not -user spinenode")
    assert not_ours == "", "root left files that the service cannot write"

    debian.run(lines_of("Uninstall").splitlines()[0])
    assert debian.run("ls /var/lib/spinenode/spool/jobs").split()
    assert debian.run("systemctl is-active spinenode || true").strip() == "inactive"
    debian.run(lines_of("Uninstall").splitlines()[-1], timeout=900)
    left = debian.run(
        "ls -d /opt/spinenode /etc/spinenode /var/lib/spinenode || true; id spinenode || true"
    )
    assert left == ""
