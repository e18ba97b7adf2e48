"""Every study of a day, also from an archive that answers only the first so many.

Archives cut long lists: some say so with a status, many end with success after a round number.
A window whose list is cut, or could be, is asked again in halves, down to single minutes.
"""

from __future__ import annotations

from dataclasses import replace

from node.query import Answers, ArchiveQuery, FoundStudy, StudyKeys, StudyWindow

SUSPICIOUS_MULTIPLE = 50
"""Limits met in practice are multiples of it: 50, 100, 200, 250, 300, 500, 1000, 2000."""
SHORTEST_WINDOW_MINUTES = 2

Studies = dict[str, FoundStudy]


def studies_in(query: ArchiveQuery, keys: StudyKeys, window: StudyWindow) -> Answers[FoundStudy]:
    """Return the studies of a window, asked in as many pieces as it takes.

    A `shortfall` remains only where pieces do not help: the archive cuts the list of a single
    minute, does not search by time, or keeps studies without a time.
    """
    return _searched(query, keys, window, query.studies(replace(keys, window=window)))


def _searched(
    query: ArchiveQuery, keys: StudyKeys, window: StudyWindow, answers: Answers[FoundStudy]
) -> Answers[FoundStudy]:
    """Return `answers` to a window, completed by those to its halves if they may be cut."""
    doubt = _doubt(answers)
    if not doubt:
        return answers
    if window.end - window.start < SHORTEST_WINDOW_MINUTES:
        return Answers(answers.items, doubt)
    whole = _by_uid(answers)
    halves = window.halves()
    parts = [query.studies(replace(keys, window=half)) for half in halves]
    if all(whole and _by_uid(part).keys() == whole.keys() for part in parts):
        return Answers(answers.items, f"{doubt}, and the archive does not search by time")
    parts = [_searched(query, keys, *each) for each in zip(halves, parts, strict=True)]
    found = _by_uid(*parts)
    shortfall = next((part.shortfall for part in parts if part.shortfall), "")
    if not whole.keys() <= found.keys():
        shortfall = shortfall or f"{doubt}, and some studies have no time to search by"
    return Answers(tuple((whole | found).values()), shortfall)


def _doubt(answers: Answers[FoundStudy]) -> str:
    """Say why a list may be cut; empty if it is whole."""
    count = len(answers.items)
    if answers.shortfall or not count or count % SUSPICIOUS_MULTIPLE:
        return answers.shortfall
    return f"the list may be cut: exactly {count} studies"


def _by_uid(*parts: Answers[FoundStudy]) -> Studies:
    return {study.StudyInstanceUID: study for part in parts for study in part.items}
