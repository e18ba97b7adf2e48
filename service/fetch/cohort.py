"""The tables of a fetched cohort: `cohort.csv` with one row per vertebra, `series.csv` per series.

`spinenode cohort` reads the first as it is. The second says of every series what became of it and
why, so that nothing is missing silently.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from service.fetch.ledger import FetchLedger, FetchState, LedgerEntry, LedgerStudy
from service.fetch.person import PERSON_COLUMNS
from sr_writer.tables import COLUMNS as VERTEBRA_COLUMNS

SOURCE_COLUMNS = ("study_instance_uid", "series_instance_uid", "accession_number")
COHORT_COLUMNS = (*SOURCE_COLUMNS, *PERSON_COLUMNS, *VERTEBRA_COLUMNS)
SERIES_COLUMNS = (*SOURCE_COLUMNS, "state", "images", "reason", "results")


def write_tables(ledger: FetchLedger, out: Path, results: Path) -> None:
    """Write both tables into `out`, each appearing as a whole."""
    studies = ledger.studies()
    _write(out / "cohort.csv", COHORT_COLUMNS, _vertebrae(ledger, studies, results))
    _write(out / "series.csv", SERIES_COLUMNS, _series(ledger, studies, out, results))


def _vertebrae(
    ledger: FetchLedger, studies: Iterable[LedgerStudy], results: Path
) -> Iterator[dict[str, object]]:
    for study in studies:
        for entry in ledger.series_of(study.StudyInstanceUID):
            if entry.state is not FetchState.ANALYSED:
                continue
            table = results / entry.results / "features.csv"
            with table.open(encoding="utf-8", newline="") as lines:
                for row in csv.DictReader(lines):
                    yield {**_source(study, entry), **_person(study), **row}


def _series(
    ledger: FetchLedger, studies: Iterable[LedgerStudy], out: Path, results: Path
) -> Iterator[dict[str, object]]:
    for study in studies:
        for entry in ledger.series_of(study.StudyInstanceUID):
            folder = (results / entry.results).relative_to(out) if entry.results else ""
            yield {
                **_source(study, entry),
                "state": entry.state.value,
                "images": entry.images,
                "reason": entry.reason,
                "results": str(folder),
            }


def _source(study: LedgerStudy, entry: LedgerEntry) -> dict[str, object]:
    return {
        "study_instance_uid": study.StudyInstanceUID,
        "series_instance_uid": entry.SeriesInstanceUID,
        "accession_number": study.accession_number,
    }


def _person(study: LedgerStudy) -> dict[str, object]:
    return {name: getattr(study.person, name) for name in PERSON_COLUMNS}


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[dict[str, object]]) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(path)
