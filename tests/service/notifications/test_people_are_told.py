"""Mail and webhooks tell of flagged fractures, without a word about the patient."""

from __future__ import annotations

import email
import email.policy
import hashlib
import hmac
import json
import shutil

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from notified_job import IDENTIFIERS, JOB, STUDY, NoArchives, findings
from waiting import free_port

from service.config import Config
from service.errors import RetryableError
from service.layout import jobs_folder
from service.notifications import Notifier
from service.notifications.errors import NotReached, NotTaken
from service.workspace import Workspace

SECRET = "0123456789abcdef"


def notifier(config: Config, count=lambda *_: None) -> Notifier:
    return Notifier(config, NoArchives(), count)


class MailServer:
    """A mail server with STARTTLS and passwords that keeps what it takes."""

    def __init__(self, tls_files, answer="250 OK") -> None:
        self.mails: list[email.message.EmailMessage] = []
        self.logins: list[bytes] = []
        self.answer = answer
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=free_port(),
            tls_context=tls_files.server_context(client_must_show=False),
            require_starttls=True,
            authenticator=self._authenticate,
        )
        self._controller.start()
        self.port = self._controller.port

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
        if self.answer.startswith("250"):
            self.mails.append(
                email.message_from_bytes(envelope.content, policy=email.policy.default)
            )
        return self.answer

    def _authenticate(self, _server, _session, _envelope, _mechanism, data):
        assert isinstance(data, LoginPassword)
        self.logins.append(data.password)
        return AuthResult(success=data.password == b"s3cret")

    def close(self) -> None:
        self._controller.stop()


@pytest.fixture
def mail_server(tls_files):
    server = MailServer(tls_files)
    yield server
    server.close()


def email_settings(server, tls_files, **changes):
    return {
        "email": {
            "host": "localhost",
            "port": server.port,
            "ca": str(tls_files.ca),
            "user": "spine",
            "password": "s3cret",
            "sender": "Spine Node <node@example.org>",
            "recipients": ["rad@example.org", "it@example.org"],
            **changes,
        },
        "dashboard_url": "https://spine.example.org/",
    }


def test_a_mail_names_levels_study_and_job_and_nobody(make_job, mail_server, tls_files):
    config = make_job(findings("L2", "L4"), email_settings(mail_server, tls_files))
    told = notifier(config)
    assert told.destinations(JOB) == ["notify:email"]
    assert told.deliver(JOB, "notify:email") == "told"
    (mail,) = mail_server.mails
    assert mail["To"] == "rad@example.org, it@example.org"
    assert mail["Subject"] == "SPINENODE: fracture flagged: L2, L4"
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content()
    assert "L2 wedge, Genant grade 2, 33 % height loss" in text
    assert STUDY in text
    assert f"https://spine.example.org/jobs/{JOB}" in text
    assert "Not for diagnosis" in text
    assert_anonymous(mail.as_string())
    assert mail_server.logins == [b"s3cret"]


def test_a_mail_sent_again_has_the_same_message_id(make_job, mail_server, tls_files):
    config = make_job(findings("L2"), email_settings(mail_server, tls_files))
    for _ in range(2):
        notifier(config).deliver(JOB, "notify:email")
    first, second = mail_server.mails
    assert first["Message-ID"] == second["Message-ID"] == f"<{JOB}-fracture@example.org>"


@pytest.mark.parametrize(("answer", "error"), [("451 later", NotReached), ("550 no", NotTaken)])
def test_a_mail_server_may_ask_to_come_again_or_refuse(
    make_job, mail_server, tls_files, answer, error
):
    mail_server.answer = answer
    config = make_job(findings("L2"), email_settings(mail_server, tls_files))
    with pytest.raises(error, match=answer[:3]):
        notifier(config).deliver(JOB, "notify:email")


def test_a_mail_server_of_another_authority_gets_no_password(make_job, mail_server, tls_files):
    config = make_job(findings("L2"), email_settings(mail_server, tls_files, ca=None))
    with pytest.raises(NotReached):
        notifier(config).deliver(JOB, "notify:email")
    assert mail_server.logins == []


def test_a_mail_server_that_is_down_is_tried_again(make_job, tls_files, mail_server):
    config = make_job(findings("L2"), email_settings(mail_server, tls_files, port=free_port()))
    with pytest.raises(RetryableError):
        notifier(config).deliver(JOB, "notify:email")


def webhook_settings(url, **changes):
    return {"webhooks": [{"name": "chat", "url": url, "secret": SECRET, **changes}]}


def test_a_webhook_is_signed_json_without_identifiers(make_job, web_receiver):
    config = make_job(findings("L2"), webhook_settings(f"{web_receiver.url}/hooks/spine?key=1"))
    counted = []
    told = notifier(config, lambda *count: counted.append(count))
    (name,) = told.destinations(JOB)
    told.deliver(JOB, name)
    ((path, headers, body),) = web_receiver.requests
    assert path == "/hooks/spine?key=1"
    signed = headers["X-Spinenode-Timestamp"].encode() + b"." + body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["X-Spinenode-Signature"] == f"sha256={expected}"
    document = json.loads(body)
    assert document["schema"] == "spinenode.notification/1"
    assert document["about"] == "fracture"
    assert document["study_instance_uid"] == STUDY
    assert document["levels"] == [
        {"label": "L2", "genant_grade": 2, "genant_type": "wedge", "height_loss": 0.331}
    ]
    assert_anonymous(body.decode() + str(headers))
    assert counted == [("webhook-chat", "sent")]


@pytest.mark.parametrize(
    ("status", "error"),
    [(503, NotReached), (429, NotReached), (404, NotTaken), (302, NotTaken)],
)
def test_a_webhook_receiver_may_be_busy_or_refuse_and_redirects_are_not_followed(
    make_job, web_receiver, status, error
):
    config = make_job(findings("L2"), webhook_settings(web_receiver.url))
    web_receiver.answers.append(status)
    with pytest.raises(error, match=str(status)):
        notifier(config).deliver(JOB, "notify:webhook-chat")
    assert len(web_receiver.requests) == 1


def test_nobody_is_told_of_a_series_without_flagged_levels(make_job, web_receiver):
    config = make_job(findings(), webhook_settings(web_receiver.url))
    assert notifier(config).destinations(JOB) == []


def test_nobody_is_told_what_they_did_not_ask_for(make_job, web_receiver):
    config = make_job(findings("L2"), webhook_settings(web_receiver.url, about=["trouble"]))
    assert notifier(config).destinations(JOB) == []


def test_nobody_is_told_of_results_that_are_withheld(make_job, web_receiver):
    config = make_job(findings("L2"), webhook_settings(web_receiver.url))
    Workspace(jobs_folder(config) / JOB).put_withheld("fewer levels than rules.min_levels")
    assert notifier(config).destinations(JOB) == []


def test_nobody_is_told_late_what_a_later_job_knows_better(make_job, web_receiver):
    config = make_job(findings("L2"), webhook_settings(web_receiver.url))
    folder = jobs_folder(config)
    shutil.copytree(folder / JOB, folder / "later")
    Workspace(folder / JOB).put_superseded("later")
    assert notifier(config).deliver(JOB, "notify:webhook-chat") == "superseded"
    assert web_receiver.requests == []
    assert notifier(config).deliver("later", "notify:webhook-chat") == "told"


def test_by_default_nobody_is_told(make_job):
    assert notifier(make_job(findings("L2"), {})).destinations(JOB) == []


def test_a_channel_that_is_configured_no_more_is_given_up(make_job):
    with pytest.raises(NotTaken, match="email"):
        notifier(make_job(findings("L2"), {})).deliver(JOB, "notify:email")


def assert_anonymous(text: str) -> None:
    assert [each for each in IDENTIFIERS if each in text] == []
