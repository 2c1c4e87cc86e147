"""qmail-smtpd: statements of doc/interfaces that no other test holds."""

import os
import re
import shutil
import subprocess
import sys

import lib
import pytest
from servers import Conversation, Queue

GREETING = "mx.example and more"
NOT_ALLOWED = ("553 sorry, that domain isn't in my list of allowed rcpthosts "
               "(#5.7.1)")
BAD_SENDER = ("553 sorry, your envelope sender is in my badmailfrom list "
              "(#5.7.1)")
LONG = "x" * 900 + "@in.example"
START = "MAIL FROM:<s@x>\r\nRCPT TO:<r@in.example>\r\nDATA\r\n"


@pytest.fixture
def smtpd(home):
    """A factory of conversations; the greeting has been read."""
    home.write_control("smtpgreeting", GREETING + "\n")
    home.write_control("rcpthosts", "in.example\n")
    queue = Queue(home)
    open_ones = []

    def start(*before, options=None, **env):
        program = [home.bin / "qmail-smtpd", *(options or [])]
        one = Conversation(home, *before, *program,
                           env={"QMAILQUEUE": queue.program, **env})
        open_ones.append(one)
        one.home, one.queue = home, queue
        assert one.line() == f"220 {GREETING} ESMTP"
        return one

    yield start
    for one in open_ones:
        one.__exit__()


def test_arguments_are_not_looked_at(smtpd):
    one = smtpd(options=["in.example", "/bin/false", "true"])
    assert one.ask("AUTH LOGIN") == "502 unimplemented (#5.5.1)"
    assert one.ask("QUIT").startswith("221 ")
    assert one.end() == 0


def test_the_whole_greeting_answers(smtpd):
    one = smtpd()
    assert one.ask("HELO x") == f"250 {GREETING}"
    assert one.ask("EHLO x") == f"250-{GREETING}"
    assert one.lines(3) == ["250-PIPELINING", "250-SIZE 0", "250 8BITMIME"]
    assert one.ask("QUIT") == f"221 {GREETING}"


def test_order_of_the_checks_of_rcpt(smtpd):
    one = smtpd()
    one.home.write_control("badmailfrom", "bad@x\n")
    one = smtpd()
    assert one.ask(f"RCPT TO:<{LONG}>") == "503 MAIL first (#5.5.1)"
    assert one.ask("MAIL FROM:<bad@x>") == "250 ok"
    assert one.ask(f"RCPT TO:<{LONG}>") == "555 syntax error (#5.5.4)"
    assert one.ask("RCPT TO:<r@out.example>") == BAD_SENDER
    assert one.ask("MAIL FROM:<good@x>") == "250 ok"
    assert one.ask("RCPT TO:<r@out.example>") == NOT_ALLOWED
    one = smtpd(RELAYCLIENT="")
    assert one.ask("MAIL FROM:<bad@x>") == "250 ok"
    assert one.ask("RCPT TO:<r@out.example>") == BAD_SENDER
    assert one.ask("MAIL FROM:<good@x>") == "250 ok"
    assert one.ask("RCPT TO:<r@out.example>") == "250 ok"


def test_a_refused_mail_changes_nothing(smtpd):
    one = smtpd()
    assert one.ask("MAIL FROM:<s@x>") == "250 ok"
    assert one.ask("RCPT TO:<r@in.example>") == "250 ok"
    assert one.ask(f"MAIL FROM:<{LONG}>") == "555 syntax error (#5.5.4)"
    assert one.ask("DATA") == "354 go ahead"
    assert one.ask("x\r\n.").startswith("250 ok ")
    assert one.queue.message[:2] == (b"s@x", [b"r@in.example"])


def test_vrfy_says_the_same_of_every_address(smtpd):
    one = smtpd()
    replies = {one.ask(f"VRFY {address}") for address in (
        "test", "<r@in.example>", "no-such-user", "r@out.example")}
    assert len(replies) == 1


def test_ehlo_forgets_mail(smtpd):
    one = smtpd()
    assert one.ask("MAIL FROM:<s@x>") == "250 ok"
    assert one.ask("EHLO x") == f"250-{GREETING}"
    one.lines(3)
    assert one.ask("RCPT TO:<r@in.example>") == "503 MAIL first (#5.5.1)"


@pytest.mark.parametrize("command", ["MAIL  FROM:<s@x>", "MAIL    FROM:<s@x>"])
def test_spaces_behind_the_verb(smtpd, command):
    one = smtpd()
    assert one.ask(command) == "250 ok"
    assert one.ask("RCPT   TO:<r@in.example>") == "250 ok"
    assert one.ask("DATA") == "354 go ahead"
    assert one.ask("x\r\n.").startswith("250 ok ")
    assert one.queue.message[:2] == (b"s@x", [b"r@in.example"])


def test_qp_is_the_pid_of_the_queue_program(smtpd):
    one = smtpd()
    one.send(START)
    assert one.lines(3)[2] == "354 go ahead"
    reply = one.ask("x\r\n.")
    (stored,) = one.queue.dir.glob("*.env")
    assert re.fullmatch(rf"250 ok \d+ qp {stored.stem}", reply)


def test_qp_is_the_id_of_the_message_without_one(instance):
    reply = instance.send_smtp(to="test")
    number = re.fullmatch(r"ok \d+ qp (\d+)", reply)[1]
    assert instance.wait_log(r"^.*new msg (\d+)$")[1] == number
    assert f"qp {number} " in instance.wait_log(r"^.*info msg .*$")[0]


@pytest.mark.parametrize("received, greatest", [
    (99, "250 ok "), (100, "554 too many hops, this message is looping (#5.4.6)")])
@pytest.mark.parametrize("line", ["Received: x", "DELIVERED-to: x", "receivedx"])
def test_hops(smtpd, received, greatest, line):
    one = smtpd()
    one.send(START)
    one.lines(3)
    one.send(f"{line}\r\n" * received + "\r\n" + f"{line}\r\n" * 200)
    assert one.ask(".").startswith(greatest)


# ---- trouble ------------------------------------------------------------------

def limit(one, what, value):
    """From now on, as the program's own user may say it (root may not always)."""
    subprocess.run(["prlimit", f"--pid={one.process.pid}", f"--{what}={value}:{value}"],
                   check=True, timeout=lib.TIMEOUT_S, **lib.as_user())


def test_no_descriptors_for_the_queue_program(smtpd):
    one = smtpd()
    assert one.ask("MAIL FROM:<s@x>") == "250 ok"
    assert one.ask("RCPT TO:<r@in.example>") == "250 ok"
    limit(one, "nofile", 5)
    assert one.ask("DATA") == "451 qqt failure (#4.3.0)"
    assert one.ask("DATA") == "503 MAIL first (#5.5.1)"
    assert one.ask("QUIT").startswith("221 ")
    assert one.queue.messages == []


def test_addresses_of_the_host_cannot_be_told(smtpd):
    one = smtpd()
    assert one.ask("MAIL FROM:<s@x>") == "250 ok"
    limit(one, "nofile", 3)
    assert one.ask("RCPT TO:<a@[127.0.0.1]>") == (
        "421 unable to figure out my IP addresses (#4.3.0)")
    assert one.end() == 1


def test_out_of_memory(smtpd, home):
    if "san" in str(home.bin):
        pytest.skip("the sanitizers need more")
    home.write_control("maxrcpt", "0\n")
    one = smtpd()
    assert one.ask("MAIL FROM:<s@x>") == "250 ok"
    pages = int(open(f"/proc/{one.process.pid}/statm").read().split()[0])
    limit(one, "as", pages * os.sysconf("SC_PAGESIZE") + 1000000)
    recipient = f"RCPT TO:<{'r' * 800}@in.example>\r\n"
    reply = "250 ok"
    while reply == "250 ok":
        reply = one.ask(recipient.encode())
    assert reply == "421 out of memory (#4.3.0)"
    assert one.end() == 1


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("content, want", [
    (None, 1200), ("77\n", 77), ("0\n", 1), ("x\n", 1200)])
def test_timeout(smtpd, home, content, want):
    """How long the first read waits, as the kernel is told."""
    if content is not None:
        home.write_control("timeoutsmtpd", content)
    calls = home.base / "calls"
    one = smtpd(shutil.which("strace"), "-xx", "-e", "trace=setsockopt", "-o", calls)
    assert one.ask("QUIT").startswith("221 ")
    assert one.end() == 0
    # a struct timeval, which strace may leave as bytes
    found = re.search(r'SO_RCVTIMEO\w*, (?:"((?:\\x..)+)"|\{tv_sec=(\d+))', calls.read_text())
    assert want == (int(found[2]) if found[2] else int.from_bytes(
        bytes.fromhex(found[1].replace("\\x", ""))[:8], sys.byteorder))


@pytest.mark.parametrize("name", ["me", "smtpgreeting", "rcpthosts", "badmailfrom",
                                  "databytes", "timeoutsmtpd"])
def test_unreadable_control(smtpd, home, name):
    (home.home / "control" / name).unlink(missing_ok=True)
    (home.home / "control" / name).mkdir()
    for relay in (None, ""):
        with Conversation(home, "qmail-smtpd", env={"RELAYCLIENT": relay}) as one:
            assert one.line() == "421 unable to read controls (#4.3.0)"
            assert one.end() == 1


def test_literal_without_localiphost_and_me(smtpd, home):
    home.remove_control("me")
    home.remove_control("localiphost")
    one = smtpd(RELAYCLIENT="")
    assert one.ask("MAIL FROM:<s@[127.0.0.1]>") == "250 ok"
    assert one.ask("RCPT TO:<r@[127.0.0.1]>") == "250 ok"
    assert one.ask("DATA") == "354 go ahead"
    assert one.ask("x\r\n.").startswith("250 ok ")
    assert one.queue.message[:2] == (b"s@[127.0.0.1]", [b"r@[127.0.0.1]"])


def test_unreadable_localiphost(smtpd, home):
    (home.home / "control/localiphost").mkdir()
    one = smtpd()
    assert one.ask("MAIL FROM:<s@[127.0.0.1]>") == (
        "421 unable to read controls (#4.3.0)")
    assert one.end() == 1


# ---- badmailfrom and rcpthosts ---------------------------------------------------

@pytest.mark.parametrize("sender, bad", [
    ("joe@spam.example", True), ("JOE@spam.Example", True), ("ann@spam.example", False),
    ("x@evil.example", True), ("x@y@EVIL.example", True), ("x@a.evil.example", False),
    ("@evil.example", True), ("evil.example", False), ("", False)])
def test_badmailfrom(smtpd, home, sender, bad):
    home.write_control("badmailfrom", "joe@Spam.example\n@evil.example\n")
    one = smtpd()
    assert one.ask(f"MAIL FROM:<{sender}>") == "250 ok"
    for _ in range(2):
        assert one.ask("RCPT TO:<r@in.example>") == (BAD_SENDER if bad else "250 ok")


def test_controls_are_read_at_each_start_and_not_again(smtpd, home):
    old = smtpd()
    home.write_control("rcpthosts", "new.example\n")
    home.write_control("badmailfrom", "@x\n")
    assert old.ask("MAIL FROM:<s@x>") == "250 ok"
    assert old.ask("RCPT TO:<r@new.example>") == NOT_ALLOWED
    assert old.ask("RCPT TO:<r@in.example>") == "250 ok"
    new = smtpd()
    assert new.ask("MAIL FROM:<s@y>") == "250 ok"
    assert new.ask("RCPT TO:<r@new.example>") == "250 ok"
    assert new.ask("RCPT TO:<r@in.example>") == NOT_ALLOWED
