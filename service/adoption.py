"""Jobs that a program with another order of steps left in the queue are taken over at start.

The queue hands a job only to programs of the version that it was submitted under, because recorded
steps are replayed by their order. After an upgrade, or on going back, such jobs would stay,
so waiting jobs are given our version, and those that this process had begun start again at their
first step: steps put the same files in the same place, and the ledger of deliveries knows what has
arrived, so nothing is sent twice.
"""

from __future__ import annotations

import logging

from sqlalchemy import create_engine, inspect, text

log = logging.getLogger(__name__)

_WAITING = "status IN ('ENQUEUED', 'DELAYED') AND application_version <> :version"
_BEGUN = "status = 'PENDING' AND executor_id = :executor AND application_version <> :version"


def adopt_jobs(url: str, version: str, executor: str) -> int:
    """Take over what other versions left waiting, and what they left this process half done.

    Parameters
    ----------
    url
        SQLAlchemy URL of the queue.
    executor
        Our name; what other processes have begun is theirs.

    Returns
    -------
    How many jobs and deliveries now run under our version.

    Raises
    ------
    sqlalchemy.exc.SQLAlchemyError
        The database cannot be reached.
    """
    engine = create_engine(url)
    try:
        schema = None if url.startswith("sqlite") else "dbos"
        if not inspect(engine).has_table("workflow_status", schema=schema):
            return 0
        prefix = f"{schema}." if schema else ""
        values = {"version": version, "executor": executor}
        with engine.begin() as db:
            begun = f"SELECT workflow_uuid FROM {prefix}workflow_status WHERE {_BEGUN}"
            db.execute(
                text(f"DELETE FROM {prefix}operation_outputs WHERE workflow_uuid IN ({begun})"),
                values,
            )
            adopted = db.execute(
                text(
                    f"UPDATE {prefix}workflow_status SET application_version = :version"
                    f" WHERE ({_WAITING}) OR ({_BEGUN})"
                ),
                values,
            ).rowcount
    finally:
        engine.dispose()
    if adopted:
        log.warning("took over jobs of another version of the program", extra={"jobs": adopted})
    return adopted
