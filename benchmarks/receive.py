"""Receiving side by side: our node, DCMTK storescp, Orthanc and pynetdicom's storescp.

``python -m benchmarks.receive`` sends 600 CT instances of half a megabyte over 1, 4 and 10
associations to every receiver that is installed, in interleaved rounds, and prints the medians;
``--memory`` sends 10,000 instances to our node and prints its memory; ``--stages`` prints where
the time of our node goes. The sender is DCMTK's storescu, ``--sending as-installed``, where small
packets wait for each other, or ``undelayed``, which asks more of a receiver.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.receiving.instances import Template, write_parts
from benchmarks.receiving.process import MeasuredProcess
from benchmarks.receiving.receivers import RECEIVERS, Receiver, of_other_tree
from benchmarks.receiving.senders import BareSender, Sending, storescu
from benchmarks.receiving.stages import print_stages

SETTLE_SECONDS = 0.5


@dataclass(frozen=True)
class Round:
    """One receiver, one number of associations, all instances once."""

    seconds: float
    cpu_ms_per_instance: float
    peak_rss_mib: float
    lost: int


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def one_round(receiver: Receiver, folders: list[Path], store: Path, sending: Sending) -> Round:
    folder, count = Path(tempfile.mkdtemp(dir=store)), instances_in(folders)
    port = free_port()
    process = MeasuredProcess(receiver.command(folder, port), folder, port)
    try:
        before = process.usage()
        seconds, _ = storescu(folders, port, sending)
        # What a receiver does after its last answer belongs to its price.
        time.sleep(SETTLE_SECONDS)
        after = process.usage()
    finally:
        process.stop()
    lost = count - receiver.count(folder)
    _empty(folder)
    cpu_ms = (after.cpu_seconds - before.cpu_seconds) / count * 1e3
    return Round(seconds, cpu_ms, after.peak_rss_mib, lost)


def instances_in(folders: list[Path]) -> int:
    return sum(1 for folder in folders for _ in folder.iterdir())


def _empty(folder: Path) -> None:
    """Give the space back and keep the inodes.

    ext4 searches long for inodes that were not freed lately, which the next receiver would pay.
    """
    for path in folder.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)
    os.sync()


def compare(options: argparse.Namespace, store: Path) -> list[dict[str, object]]:
    present = [each for each in RECEIVERS if each.needs and _chosen(each, options.receivers)]
    present += [of_other_tree(each.resolve()) for each in options.trees]
    for each in RECEIVERS:
        if not each.needs:
            print(f"{each.name}: not installed, left out")
    rounds: dict[tuple[int, str], list[Round]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="receive-sent-", dir="/dev/shm") as sent:
        parts = {n: write_parts(Path(sent), options.instances, n) for n in options.associations}
        for _ in range(options.rounds):
            for number, folders in parts.items():
                for each in present:
                    result = one_round(each, folders, store, options.sending)
                    rounds[number, each.name].append(result)
    rows = []
    for number in options.associations:
        rows += _table(number, {e.name: rounds[number, e.name] for e in present}, options.instances)
    return rows


def _chosen(receiver: Receiver, names: list[str]) -> bool:
    return not names or receiver.name in names


def _table(number: int, rounds: dict[str, list[Round]], count: int) -> list[dict[str, object]]:
    print(f"\n{number} association{'s' * (number > 1)}, {count} instances")
    print("| receiver | instances/s (of rounds) | rate | CPU ms/instance | CPU | peak MiB | lost |")
    print("|---|---|---|---|---|---|---|")
    rows: list[dict[str, object]] = []
    first = next(iter(rounds))
    for name, each in rounds.items():
        rate = [count / r.seconds for r in each]
        # Ratios within a round: what disturbs a round disturbs all its receivers alike.
        faster = statistics.median(
            b.seconds / a.seconds for a, b in zip(each, rounds[first], strict=True)
        )
        dearer = statistics.median(
            a.cpu_ms_per_instance / b.cpu_ms_per_instance
            for a, b in zip(each, rounds[first], strict=True)
        )
        cpu = statistics.median(r.cpu_ms_per_instance for r in each)
        peak = max(r.peak_rss_mib for r in each)
        lost = sum(r.lost for r in each)
        print(
            f"| {name} | {statistics.median(rate):.0f} ({min(rate):.0f}-{max(rate):.0f}) "
            f"| {faster:.2f} | {cpu:.2f} | {dearer:.2f} | {peak:.0f} | {lost} |",
            flush=True,
        )
        rows.append({"associations": number, "receiver": name, "rounds": [asdict(r) for r in each]})
    return rows


def memory(options: argparse.Namespace, store: Path) -> None:
    """Resident memory of our node while instances keep coming over one association."""
    (receiver,) = (each for each in RECEIVERS if each.name == "spinenode")
    template = Template.make()
    folder = Path(tempfile.mkdtemp(prefix="receive-", dir=store))
    port = free_port()
    process = MeasuredProcess(receiver.command(folder, port), folder, port)
    try:
        sender, stored, step = BareSender(port), 0, max(1, options.memory // 10)
        for number in range(options.memory):
            stored += sender.store(*template.data_set(number))
            if (number + 1) % step == 0:
                print(f"{number + 1} instances: {process.resident_mib():.1f} MiB", flush=True)
        sender.close()
    finally:
        process.stop()
        lost = options.memory - receiver.count(folder)
        shutil.rmtree(folder)
    print(f"answered with success {stored}, lost {lost}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 4, 10])
    parser.add_argument("--receivers", nargs="+", default=[], help="names as in the tables")
    parser.add_argument("--sending", type=Sending, choices=Sending, default=Sending.UNDELAYED)
    parser.add_argument("--trees", type=Path, nargs="+", default=[], help="other checkouts")
    parser.add_argument("--stores", type=Path, nargs="+", default=[Path(tempfile.gettempdir())])
    parser.add_argument("--memory", type=int, nargs="?", const=10_000, default=0)
    parser.add_argument("--stages", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if shutil.which("storescu") is None and not options.memory:
        parser.exit(2, "receive: DCMTK's storescu, which sends, is not installed\n")
    rows = []
    for store in options.stores:
        print(f"\nstore on {store}")
        if options.memory:
            memory(options, store)
        elif options.stages:
            print_stages(store, options.instances, options.associations)
        else:
            with tempfile.TemporaryDirectory(prefix="receive-", dir=store) as folder:
                rows += [{"store": str(store), **r} for r in compare(options, Path(folder))]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
