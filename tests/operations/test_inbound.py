"""Inbound: a real mailbox and a folder are read once, whole, and nothing is lost where handling fails."""

import getpass
import imaplib
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from orchestration_project.operations.inbound import InboxError, folder, mailbox, take_in
from orchestration_project.operations.response import LARGEST, Response
from orchestration_project.settings import InboxSettings

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
DOVECOT = shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))
CONFIGURATION = """\
protocols = imap
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
ssl = required
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.pem
disable_plaintext_auth = no
auth_failure_delay = 0
mail_location = maildir:{folder}/mail/%u
first_valid_uid = 0
default_internal_user = {internal}
default_login_user = {login}
default_internal_group = {group}
passdb {{
  driver = static
  args = password=s3cret
}}
userdb {{
  driver = static
  args = uid={owner} gid={group} home={folder}/home/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {imaps}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


@dataclass(frozen=True)
class Imap:
    """A Dovecot server of the tests' own."""

    imap: int
    imaps: int
    trusted: ssl.SSLContext

    def settings(self, **told: Any) -> InboxSettings:
        names = {"username_variable": "IMAP_USER", "password_variable": "IMAP_PASSWORD", "timeout_seconds": 10}
        return InboxSettings(**{"host": "localhost", "port": self.imaps} | names | told)

    def put(self, user: str, *mails: bytes, into: str = "INBOX") -> None:
        with imaplib.IMAP4_SSL("localhost", self.imaps, ssl_context=self.trusted) as client:
            client.login(user, "s3cret")
            client.create(into)
            for mail in mails:
                assert client.append(into, "", imaplib.Time2Internaldate(time.time()), mail)[0] == "OK"


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="session")
def imap() -> Iterator[Imap]:
    if DOVECOT is None:
        pytest.skip("there is no Dovecot on this machine; `apt-get install dovecot-imapd` brings one")
    # Dovecot's sockets need short paths, which pytest's folders don't have.
    place, authority = Path(tempfile.mkdtemp(prefix="imap-")), trustme.CA()
    place.chmod(0o755)
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(place / "server.pem"))
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    me = getpass.getuser()
    people = {"internal": "dovecot", "login": "dovenull", "owner": "dovecot", "group": "dovecot"}
    if os.getuid():
        people = {"internal": me, "login": me, "owner": me, "group": str(os.getgid())}
    else:
        for each in ("mail", "home"):
            (place / each).mkdir()
            shutil.chown(place / each, "dovecot", "dovecot")
    plain, encrypted = _free_ports(2)
    (place / "dovecot.conf").write_text(CONFIGURATION.format(folder=place, imap=plain, imaps=encrypted, **people))
    process = subprocess.Popen([DOVECOT, "-F", "-c", str(place / "dovecot.conf")])
    try:
        _wait_for(encrypted, process)
        yield Imap(plain, encrypted, trusted)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(place, ignore_errors=True)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        assert process.poll() is None, "Dovecot did not start"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("Dovecot does not answer")


def reply(number: int, body: str = "Thank you.", **headers: str) -> bytes:
    told = {
        "From": f"Bo <bo{number}@customer.example>", "Message-ID": f"<r{number}@customer.example>", "Subject": "Re: x",
        "Date": "Wed, 25 Nov 2026 08:00:00 +0000",
    }  # fmt: skip
    return "\r\n".join([*(f"{name}: {each}" for name, each in (told | headers).items()), "", body]).encode()


def read(imap: Imap, user: str, store: Callable[[Response], None] | None = None, **told: Any) -> list[str]:
    """Ids of what was read from a mailbox."""
    found: list[str] = []
    mails = mailbox(imap.settings(**told), user, "s3cret", imap.trusted)
    take_in(mails, store or (lambda response: found.append(response.source_id)), NOW)
    return found


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_mailbox_is_read_once_over_an_encrypted_connection(imap: Imap, security: str) -> None:
    told = {"security": security, "port": imap.imaps if security == "tls" else imap.imap}
    imap.put(security, reply(1), reply(2), reply(3, **{"List-Id": "<news.example>"}))
    assert read(imap, security, **told) == ["<r1@customer.example>", "<r2@customer.example>"]
    imap.put(security, reply(4))
    assert read(imap, security, **told) == ["<r4@customer.example>"]
    assert read(imap, security, **told) == []


def test_who_reads_the_mailbox_too_takes_nothing_away_and_sees_nothing_changed(imap: Imap) -> None:
    imap.put("shared", reply(1), reply(2))
    with imaplib.IMAP4_SSL("localhost", imap.imaps, ssl_context=imap.trusted) as client:
        client.login("shared", "s3cret")
        client.select()
        client.fetch("1", "(RFC822)")
    assert len(read(imap, "shared")) == 2
    with imaplib.IMAP4_SSL("localhost", imap.imaps, ssl_context=imap.trusted) as client:
        client.login("shared", "s3cret")
        client.select()
        assert client.search(None, "UNSEEN")[1] == [b"2"]


def test_a_mail_whose_handling_failed_is_there_the_next_time(imap: Imap) -> None:
    imap.put("failing", reply(1), reply(2), reply(3))

    def store(response: Response) -> None:
        if response.source_id.startswith("<r2"):
            raise OSError("the store is away")

    with pytest.raises(OSError, match="the store is away"):
        read(imap, "failing", store)
    assert read(imap, "failing") == ["<r2@customer.example>", "<r3@customer.example>"]


def test_of_a_huge_mail_only_the_beginning_is_fetched(imap: Imap) -> None:
    imap.put("huge", reply(1, "All is well.\r\n" + "> x\r\n" * 600_000))
    (mail,) = mailbox(imap.settings(), "huge", "s3cret", imap.trusted)
    assert len(mail) == LARGEST


def test_another_folder_can_be_read(imap: Imap) -> None:
    imap.put("folders", reply(1))
    imap.put("folders", reply(2), into="Bounces")
    assert read(imap, "folders", folder="Bounces") == ["<r2@customer.example>"]


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_server_whose_certificate_is_not_trusted_gets_no_password(imap: Imap, security: str) -> None:
    settings = imap.settings(security=security, port=imap.imaps if security == "tls" else imap.imap)
    with pytest.raises(InboxError, match=r"certificate of localhost:\d+ is not trusted"):
        next(mailbox(settings, "tls", "s3cret"))


def test_a_refused_login_and_an_absent_folder_or_server_are_told_without_the_password(imap: Imap) -> None:
    with pytest.raises(InboxError, match="refused the login; check IMAP_PASSWORD") as raised:
        next(mailbox(imap.settings(), "x", "wr0ng", imap.trusted))
    assert "wr0ng" not in str(raised.value)
    with pytest.raises(InboxError, match="can't be read"):
        next(mailbox(imap.settings(folder="Nowhere"), "x", "s3cret", imap.trusted))
    with pytest.raises(InboxError, match="localhost:1 can't be read"):
        next(mailbox(imap.settings(port=1), "x", "s3cret", imap.trusted))


def test_a_folder_is_read_in_order_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "b.eml").write_bytes(reply(2))
    (tmp_path / "a.eml").write_bytes(reply(1, "x" * 2 * LARGEST))
    (tmp_path / "c.txt").write_bytes(reply(3))
    (tmp_path / "d.eml").mkdir()
    found: list[Response] = []
    assert take_in(folder(tmp_path), found.append, NOW) == 2
    assert [each.source_id for each in found] == ["<r1@customer.example>", "<r2@customer.example>"]
    assert len(list(tmp_path.iterdir())) == 4
    assert list(folder(tmp_path / "absent")) == []


def test_a_mail_comes_at_the_latest_now() -> None:
    found: list[Response] = []
    mails = [reply(1), reply(2, Date="Wed, 25 Nov 2099 08:00:00 +0000"), reply(3, Date="one day")]
    take_in(mails, found.append, NOW)
    assert [each.received_at for each in found] == [NOW - timedelta(hours=1), NOW, NOW]
