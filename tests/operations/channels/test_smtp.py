"""SMTP: what a real server takes, over which connections, and what each way of failing means."""

import os
import ssl
import time
from collections.abc import Callable, Iterator
from email import message_from_string, policy
from typing import Any

import pytest

from orchestration_project.operations.channel import Message, PermanentFailure, TransientFailure, UncertainFailure
from orchestration_project.operations.channels.smtp import Login, Smtp
from orchestration_project.settings import SmtpSettings

MANY = 1000 if os.getenv("STRESS") else 100
MESSAGES_PER_SECOND = 30
"""Nearly twice what is wanted, and more than the 24 of a connection on which each message waits 40 ms."""


@pytest.fixture
def smtp(head: Any, now: Any, authority: Any) -> Iterator[Callable[..., Smtp]]:
    opened: list[Smtp] = []

    def make(port: int, login: Login | None = None, trusted: ssl.SSLContext = authority[0], **told: Any) -> Smtp:
        settings = SmtpSettings(**{"host": "localhost", "security": "none", "timeout_seconds": 5} | told, port=port)
        opened.append(Smtp(settings, head, now, login, trusted))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def told(failure: type[Exception], channel: Smtp, message: Message) -> str:
    with pytest.raises(failure) as raised:
        channel.send(message)
    assert type(raised.value) is failure
    return str(raised.value)


def test_a_message_arrives_as_it_was_composed(smtp: Any, mail_server: Any, message: Any) -> None:
    server = mail_server()
    body = "Grüße aus Łódź 🙂\n.\n.a line with a dot\n" + "long " * 400
    receipt = smtp(server.port).send(message(subject="Grüße 🙂", body=body, recipient_name="Zoë Ødegård"))
    (taken,) = server.taken()
    assert (taken["from"], taken["to"]) == ("ana@health.example", ["bo@customer.example"])
    mail = message_from_string(taken["content"], policy=policy.default)
    assert (mail["Subject"], mail["To"], mail["Message-ID"]) == (
        "Grüße 🙂", "Zoë Ødegård <bo@customer.example>", receipt.external_id,
    )  # fmt: skip
    assert mail.get_body(("plain",)).get_content().replace("\r\n", "\n").startswith(body)
    assert taken["content"].isascii()


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_encryption_and_login_come_before_the_message(smtp: Any, mail_server: Any, message: Any, security: str) -> None:
    server = mail_server(tls=security, login=["ana", "s3cret"])
    smtp(server.port, Login("ana", "s3cret"), security=security).send(message())
    (taken,) = server.taken()
    assert taken["tls"] and taken["login"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_whose_certificate_is_not_trusted_gets_nothing(
    smtp: Any, mail_server: Any, message: Any, security: str
) -> None:
    server = mail_server(tls=security, login=["ana", "s3cret"])
    channel = smtp(server.port, Login("ana", "s3cret"), ssl.create_default_context(), security=security)
    assert "its certificate is not trusted" in told(TransientFailure, channel, message())
    assert server.taken() == []


def test_a_certificate_for_another_name_is_not_trusted(smtp: Any, mail_server: Any, message: Any) -> None:
    channel = smtp(mail_server(tls="starttls").port, host="127.0.0.1", security="starttls")
    assert "its certificate is not trusted" in told(TransientFailure, channel, message())


def test_nothing_is_sent_without_encryption_where_it_is_wanted(smtp: Any, mail_server: Any, message: Any) -> None:
    server = mail_server()
    channel = smtp(server.port, security="starttls")
    assert "STARTTLS" in told(TransientFailure, channel, message())
    assert server.taken() == []


def test_a_refused_login_is_no_fault_of_the_message_and_the_password_is_not_told(
    smtp: Any, mail_server: Any, message: Any
) -> None:
    server = mail_server(tls="starttls", login=["ana", "s3cret"])
    names = {"username_variable": "SMTP_USER", "password_variable": "SMTP_PASSWORD"}
    channel = smtp(server.port, Login("ana", "wr0ng"), security="starttls", **names)
    sentence = told(TransientFailure, channel, message())
    assert "check SMTP_PASSWORD" in sentence and "wr0ng" not in sentence
    without = smtp(server.port, security="starttls")
    assert "refused with 530" in told(TransientFailure, without, message())


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(("code", "failure"), [(451, TransientFailure), (550, PermanentFailure)])
def test_a_refused_message_fails_as_the_code_says_and_the_next_one_goes_over_the_same_connection(
    smtp: Any, mail_server: Any, message: Any, command: str, code: int, failure: type[Exception]
) -> None:
    server = mail_server(replies={command: [None, code]})
    channel = smtp(server.port)
    channel.send(message(key="k1"))
    assert f"refused with {code}: told to fail" in told(failure, channel, message(key="k2"))
    channel.send(message(key="k3"))
    taken = server.taken()
    assert len(taken) == 2
    assert len({tuple(each["peer"]) for each in taken}) == 1


def test_a_server_that_closes_is_connected_to_again_for_the_next_message(
    smtp: Any, mail_server: Any, message: Any
) -> None:
    server = mail_server(replies={"RCPT": [421]})
    channel = smtp(server.port)
    assert "refused with 421" in told(TransientFailure, channel, message())
    channel.send(message())
    assert len(server.taken()) == 1


@pytest.mark.parametrize("how", [{"most": 2}, {"replies": {"MAIL": [None, 421]}}])
def test_a_connection_that_may_send_no_more_is_replaced_without_a_failure(
    smtp: Any, mail_server: Any, message: Any, how: Any
) -> None:
    server = mail_server(**how)
    channel = smtp(server.port)
    for n in range(5):
        channel.send(message(key=f"k{n}"))
    taken = server.taken()
    assert len(taken) == 5
    assert len({tuple(each["peer"]) for each in taken}) > 1


@pytest.mark.parametrize("command", ["MAIL", "RCPT"])
def test_a_connection_lost_before_the_end_of_a_message_is_transient(
    smtp: Any, mail_server: Any, message: Any, command: str
) -> None:
    server = mail_server(drop={command: 1})
    channel = smtp(server.port)
    assert "could not be given the message" in told(TransientFailure, channel, message())
    channel.send(message())
    assert len(server.taken()) == 1


@pytest.mark.parametrize("how", [{"drop": {"DATA": 1}}, {"slow": 3}])
def test_an_answer_lost_after_the_message_leaves_it_uncertain(
    smtp: Any, mail_server: Any, message: Any, how: Any
) -> None:
    server = mail_server(**how)
    channel = smtp(server.port, timeout_seconds=1)
    assert "its answer was lost" in told(UncertainFailure, channel, message())
    if "drop" in how:
        channel.send(message(key="k2"))
        assert len(server.taken()) == 2


def test_a_server_that_is_not_there_is_transient(smtp: Any, message: Any) -> None:
    assert "could not be given the message" in told(TransientFailure, smtp(1), message())


def test_what_is_no_mail_or_has_no_address_is_refused_before_anybody_is_connected_to(smtp: Any, message: Any) -> None:
    channel = smtp(1)
    assert "is no e-mail" in told(PermanentFailure, channel, message("task"))
    assert "not one e-mail address" in told(PermanentFailure, channel, message(to="a@b.example, c@d.example"))


@pytest.mark.slow
def test_many_messages_go_over_one_connection_above_a_thousand_a_minute(
    smtp: Any, mail_server: Any, message: Any
) -> None:
    server = mail_server(tls="starttls")
    channel = smtp(server.port, security="starttls")
    start = time.perf_counter()
    for n in range(MANY):
        channel.send(message(key=f"k{n}"))
    seconds = time.perf_counter() - start
    taken = server.taken()
    assert len(taken) == MANY
    assert len({tuple(each["peer"]) for each in taken}) == 1
    assert MANY / seconds > MESSAGES_PER_SECOND
