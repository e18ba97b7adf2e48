"""Trouble that lasts is told once, its end is told, and what was given up is told at once."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from node import Retryable
from service.app import Service
from service.config import Config
from service.dashboard.workers import SignOfLife
from service.notifications import TroubleWatch, final_trouble, lasting_trouble
from service.notifications.errors import NotReached


class Announcer:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.ids: list[str] = []
        self.down = False

    def announce(self, announcement) -> None:
        if self.down:
            raise NotReached("down")
        self.told.append(announcement.title)
        self.ids.append(announcement.id)
        self.last = announcement


class Scene:
    """A watch over problems that the test sets, and one announcer."""

    def __init__(self) -> None:
        self.lasting: dict[str, str] = {}
        self.final: dict[str, str] | None = {}
        self.counted: list[tuple[str, str]] = []
        self.announcer = Announcer()
        channels = SimpleNamespace(
            announcers={"mail": self.announcer}, about=lambda _subject: ["mail"]
        )
        config = Config(service={"notifications": {"trouble_minutes": 5}})
        self.watch = TroubleWatch(
            config,
            channels,
            lambda: self.lasting,
            lambda: self.final,
            lambda *count: self.counted.append(count),
        )

    def look(self, *minutes: float) -> list[str]:
        """Titles told by looks at these times."""
        before = len(self.announcer.told)
        for minute in minutes:
            self.watch.look(60 * minute)
        return self.announcer.told[before:]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_only_trouble_that_lasts_is_told_and_its_end_as_well(scene):
    scene.lasting = {"disk": "1.0 GiB free"}
    assert scene.look(0, 1, 4.9) == []
    assert scene.look(5, 6, 600) == ["trouble: disk"]
    assert scene.announcer.last.lines[0] == "disk: 1.0 GiB free"
    scene.lasting = {}
    assert scene.look(601, 602) == ["works again: disk"]


def test_trouble_that_comes_and_goes_is_not_told(scene):
    for minute in range(0, 60, 4):
        scene.lasting = {"disk": "x"} if minute % 8 else {}
        assert scene.look(minute) == []


def test_what_was_given_up_is_told_at_once_and_once(scene):
    scene.final = {"job 1 to pacs": "given up"}
    assert scene.look(0) == [], "known already when the watch began"
    scene.final = {"job 1 to pacs": "given up", "job 2": "failed"}
    assert scene.look(1, 2) == ["trouble: job 2"]
    scene.final = None
    assert scene.look(3) == []
    scene.final = {"job 1 to pacs": "given up", "job 2": "failed"}
    assert scene.look(4) == [], "a database that was away for a moment tells nothing twice"


def test_a_channel_that_is_down_is_told_later_in_order(scene):
    scene.announcer.down = True
    scene.look(0)
    scene.final = {"job 1": "failed"}
    assert scene.look(1) == []
    scene.final = {"job 1": "failed", "job 2": "failed"}
    assert scene.look(2) == []
    scene.announcer.down = False
    assert scene.look(3) == ["trouble: job 1", "trouble: job 2"]
    assert scene.look(4) == []
    assert len(set(scene.announcer.ids)) == 2


def test_a_channel_that_is_down_for_a_day_is_given_up(scene):
    scene.announcer.down = True
    scene.look(0)
    scene.final = {"job 1": "failed"}
    scene.look(1, 25 * 60)
    scene.announcer.down = False
    assert scene.look(25 * 60 + 1) == []
    assert scene.counted[-1] == ("mail", "refused")


def test_a_silent_worker_is_trouble_and_an_archive_s_own_words_are_left_out():
    signs = [SignOfLife("gpu-1", "gpu-1", 3.0), SignOfLife("gpu-2", "gpu-2", 45.0)]
    found = lasting_trouble(
        lambda: {"delivery to pacs": "not possible for 7 min (9 attempts); no such patient Qponm"},
        lambda: signs,
    )
    assert found == {
        "delivery to pacs": "not possible for 7 min (9 attempts)",
        "worker gpu-2": "no sign of life for 45 s",
    }


def test_without_database_the_other_troubles_are_still_told():
    def away():
        raise Retryable("cannot be reached")

    assert lasting_trouble(lambda: {"database": "away"}, away) == {"database": "away"}


def test_failed_jobs_and_deliveries_that_were_given_up_are_final():
    def mark(destination, state):
        return SimpleNamespace(destination=destination, state=state)

    rows = (
        SimpleNamespace(id="1", state="failed", deliveries=()),
        SimpleNamespace(
            id="2", state="analysed", deliveries=(mark("pacs", "failed"), mark("web", "delivered"))
        ),
        SimpleNamespace(id="3", state="running", deliveries=()),
    )
    board = SimpleNamespace(snapshot=lambda: SimpleNamespace(rows=rows))
    assert set(final_trouble(board)) == {"job 1", "job 2 to pacs"}


def test_the_service_tells_its_own_trouble(tmp_path, web_receiver):
    """A service that was never started has something to tell."""
    hook = {"name": "it", "url": web_receiver.url, "secret": "0123456789abcdef"}
    notifications = {"trouble_minutes": 0, "webhooks": [hook]}
    service = Service(
        Config(
            node={"spool": tmp_path / "spool", "port": 0},
            service={"dashboard": {"port": 0}, "notifications": notifications},
        )
    )
    try:
        service.trouble.look(0)
    finally:
        service.stop()
    told = {json.loads(body)["component"]: json.loads(body) for _, _, body in web_receiver.requests}
    assert told["listener"]["text"] == "not listening"
    assert told["listener"]["state"] == "began"
