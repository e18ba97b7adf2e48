"""Connections that say nothing, or say it one byte at a time, do not keep the others out."""

import socket
import time

import pytest

from service import http_protocol

REQUEST = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def hurried(make_pages, monkeypatch):
    monkeypatch.setattr(http_protocol, "REQUEST_SECONDS", 0.4)
    return make_pages()


def connect(pages) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", pages.server.port), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def said_nothing_and_hung_up(connection: socket.socket) -> bool:
    """Listen for a moment."""
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False


def test_a_silent_connection_is_closed_and_others_are_answered_meanwhile(hurried):
    silent = [connect(hurried) for _ in range(20)]
    assert hurried.browser().get("/health/live").status == 200
    assert [each.recv(1) for each in silent] == [b""] * 20


def test_a_request_that_comes_one_byte_at_a_time_is_cut_off(hurried):
    with connect(hurried) as dripping:
        dripping.settimeout(0.05)
        dripping.sendall(REQUEST)
        deadline = time.monotonic() + 20
        while not said_nothing_and_hung_up(dripping):
            assert time.monotonic() < deadline
            dripping.sendall(b"X")


def test_a_form_that_never_ends_is_cut_off(hurried):
    with connect(hurried) as dripping:
        head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n"
        dripping.sendall(head + b"Content-Type: application/x-www-form-urlencoded\r\n\r\nname=a")
        assert dripping.recv(1) == b""


def test_a_connection_that_is_kept_is_closed_when_the_next_request_does_not_come(hurried):
    with connect(hurried) as kept:
        kept.sendall(REQUEST + b"\r\n")
        answer = b""
        while not answer.endswith(b'{"status":"live"}'):
            answer += kept.recv(4096)
        kept.sendall(REQUEST)  # without its end
        assert kept.recv(1) == b""


def test_an_answer_may_take_longer_than_a_request(make_pages, monkeypatch):
    monkeypatch.setattr(http_protocol, "REQUEST_SECONDS", 0.2)
    pages = make_pages()
    look = pages.board.snapshot
    monkeypatch.setattr(pages.board, "snapshot", lambda: (time.sleep(0.8), look())[1])
    assert pages.browser().html("/").status == 200
