"""qmail-qmtpd and qmail-qmqpd: statements that no other test holds."""

import re
import shutil

import lib
import pytest
from framing import qmqp, qmtp, read_one
from servers import Conversation, Queue

MAIL = {"qmail-qmtpd": qmtp(b"x\n", "s@x", ["r@in.example"]),
        "qmail-qmqpd": qmqp(b"x\n", "s@x", ["r@in.example"])}
HOPS = b"Received: x\nDelivered-To: x\n" * 100 + b"\nx\n"


@pytest.fixture
def serve(home):
    home.write_control("rcpthosts", "in.example\n")
    queue = Queue(home)
    open_ones = []

    def start(*argv, **env):
        one = Conversation(home, *argv, env={"QMAILQUEUE": queue.program, **env})
        open_ones.append(one)
        one.queue = queue
        return one

    yield start
    for one in open_ones:
        one.__exit__()


@pytest.mark.parametrize("program", MAIL)
def test_arguments_are_not_looked_at(serve, program):
    one = serve(program, "out.example", "/bin/false")
    one.send(MAIL[program])
    assert read_one(one).startswith(b"Kok ")
    assert one.end() == 0
    assert one.queue.message[:2] == (b"s@x", [b"r@in.example"])


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("program", MAIL)
def test_the_clock_of_an_hour(serve, home, program):
    calls = home.base / "calls"
    one = serve(shutil.which("strace"), "-o", calls, "-e",
                "trace=?alarm,setitimer", home.bin / program)
    assert one.end() == 0
    text = calls.read_text()
    assert re.search(r"^alarm\(3600\)|ITIMER_REAL, .*it_value=\{tv_sec=3600, ",
                     text, re.M), text


@pytest.mark.parametrize("program", MAIL)
def test_no_hops_are_counted(serve, program):
    one = serve(program)
    frame = qmtp if program == "qmail-qmtpd" else qmqp
    one.send(frame(HOPS, "s@x", ["r@in.example"]))
    assert read_one(one).startswith(b"Kok ")
    assert one.queue.message[2].endswith(HOPS)


@pytest.mark.parametrize("program", MAIL)
def test_missing_home(serve, program):
    one = serve(program, QMAILHOME="/nonexistent")
    assert one.end() == 111


@pytest.mark.parametrize("program", MAIL)
def test_a_client_that_does_not_wait_for_the_answer(serve, program):
    """It has sent all of a message: that is queued, and no error."""
    one = serve(program)
    one.send(MAIL[program])
    one.socket.close()
    assert one.process.wait(lib.TIMEOUT_S) == 0
    assert one.queue.message[:2] == (b"s@x", [b"r@in.example"])


@pytest.mark.parametrize("program", MAIL)
def test_qp_is_the_pid_of_the_queue_program(serve, program):
    one = serve(program)
    one.send(MAIL[program])
    verdict = read_one(one).decode()
    (stored,) = one.queue.dir.glob("*.env")
    assert re.fullmatch(rf"Kok \d+ qp {stored.stem}", verdict)


@pytest.mark.parametrize("program, fields", [
    ("qmail-qmtpd", "rcpthosts databytes"), ("qmail-qmqpd", "")])
def test_unreadable_control(serve, home, program, fields):
    """Those that it reads, and no others."""
    for name in ("rcpthosts", "databytes", "badmailfrom", "timeoutsmtpd"):
        path = home.home / "control" / name
        kept = path.read_bytes() if path.exists() else None
        path.unlink(missing_ok=True)
        path.mkdir()
        for relay in (None, ""):
            one = serve(program, RELAYCLIENT=relay)
            assert one.end() == (111 if name in fields.split() else 0), name
        path.rmdir()
        if kept is not None:
            home.write_control(name, kept)


def test_controls_are_read_at_each_start_and_not_again(serve, home):
    old = serve("qmail-qmtpd")
    old.send(MAIL["qmail-qmtpd"])
    assert read_one(old).startswith(b"Kok ")
    home.write_control("rcpthosts", "new.example\n")
    home.write_control("databytes", "1\n")
    old.send(MAIL["qmail-qmtpd"])
    assert read_one(old).startswith(b"Kok ")
    new = serve("qmail-qmtpd")
    new.send(MAIL["qmail-qmtpd"])
    assert read_one(new).startswith(b"Dsorry, that domain")
    new.send(qmtp(b"xx", "s@x", ["r@new.example"]))
    assert read_one(new).startswith(b"Dsorry, that message size")


@pytest.mark.parametrize("sender", [b"", b"s" * 999])
def test_senders_of_qmtp(serve, sender):
    one = serve("qmail-qmtpd")
    one.send(qmtp(b"x\n", sender, ["r@in.example"]))
    assert read_one(one).startswith(b"Kok ")
    assert one.queue.message[0] == sender


def test_a_long_recipient_of_qmtp_without_relayclient(serve):
    one = serve("qmail-qmtpd")
    one.send(qmtp(b"x\n", "s@x", ["r" * 989 + "@in.example",
                                  "r" * 988 + "@in.example"]))
    assert read_one(one) == b"Dsorry, I can't handle that recipient (#5.1.3)"
    assert read_one(one).startswith(b"Kok ")
    assert one.queue.message[1] == [b"r" * 988 + b"@in.example"]
