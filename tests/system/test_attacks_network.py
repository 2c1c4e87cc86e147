"""Attacks over the network that cost the attacker little: sessions that are
held, dropped or fed by drops, floods, and other protocols. The servers stay
up, their memory flat, and honest clients are served meanwhile."""

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import lib
import pytest
from dns_lies import LIES, Liar
from dns_server import DnsServer
from framing import qmqp, qmtp, read_one
from remote_home import Home
from servers import Conversation, Queue, wait_asleep

MEBIBYTE = 1 << 20


def peak_kb(pid):
    """The most memory that a process has ever had."""
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1])


def is_sanitized(home):
    """Those builds need memory of their own."""
    return "san" in str(home.bin)


def connect(port):
    return socket.create_connection(("127.0.0.1", port), lib.TIMEOUT_S)


# ---- sessions that are held --------------------------------------------------------

IDLE = 300


def test_idle_sessions_leave_room_for_honest_clients(instance):
    """Each waits at another step; all of them have been greeted."""
    port = instance.smtpd(limit=IDLE + 20)
    steps = [b"", b"EHL", b"EHLO x\r\n", b"EHLO x\r\nMAIL FROM:<a@b>\r\n",
             b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<test@test.example>\r\nDATA\r\nx"]
    with contextlib.ExitStack() as held:
        for number in range(IDLE):
            one = held.enter_context(connect(port))
            one.sendall(steps[number % len(steps)])
            if number % 50 == 49:
                assert one.recv(4) == b"220 "
        for _ in range(10):
            instance.send_smtp(to=["test"], port=port)
        instance.wait_maildir("test", 10)
        # the last may have been no more than a fork of tcpserver yet
        lib.wait_until(lambda: len(instance.pids("qmail-smtpd")) >= IDLE,
                       what="all of them")
    lib.wait_until(lambda: not instance.pids("qmail-smtpd"), what="their end")
    assert len(instance.maildir("test")) == 10


def test_dropped_connections_leave_nothing(instance):
    """Cut at any byte of a session, half of them by a reset."""
    session = (b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<test@test.example>\r\n"
               b"DATA\r\nSubject: cut\r\n\r\nbody\r\n")
    dice = random.Random(1)
    port = instance.smtpd(limit=200)
    for number in range(200):
        with connect(port) as one:
            if number % 2:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
            one.sendall(session[:dice.randrange(len(session))])
    instance.send_smtp(b"Subject: whole\n\nx\n", to=["test"], port=port)
    instance.wait_maildir("test", 1)
    lib.wait_until(lambda: not instance.pids("qmail-smtpd"), what="their end")
    instance.wait_empty()
    assert len(instance.maildir("test")) == 1


def test_dropped_submissions_leave_nothing(instance):
    """The same at the socket of the queue."""
    path = str(instance.home / "run/submit.sock")
    data = b"6:Mhello,4:Fs@x,17:Ttest@test.example,1:.,"
    data = data.replace(b"17:", b"%d:" % len(b"Ttest@test.example"))
    for number in range(2000):
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(path)
            one.sendall(data[:number % (len(data) - 3)])
    sent = instance.queue(b"Subject: whole\n\nx\n", "s@x", ["test@test.example"])
    assert sent.returncode == 0
    instance.wait_maildir("test", 1)
    instance.wait_empty()
    assert len(instance.maildir("test")) == 1


# What each server says first, what a client sends of which the last byte never
# comes, the longest that a connection lives, and what SIGALRM, which ends it
# then, makes of it.
DRIPPED = {
    "qmail-smtpd": (b"220 ", b"MAIL FROM:<a@b>\r\nRCPT TO:<c@here.example>\r\n"
                    b"DATA\r\nx\r\n", 86400),
    "qmail-qmtpd": (b"", qmtp(b"x\n", "s@x", ["a@here.example"])[:-1], 3600),
    "qmail-qmqpd": (b"", qmqp(b"x\n", "s@x", ["a@here.example"])[:-1], 3600),
    "qmail-pop3d": (b"+OK ", b"NOOP\r\nSTAT", 86400),
}


@pytest.mark.parametrize("program", DRIPPED)
def test_a_byte_now_and_then_does_not_hold_a_server_for_ever(home, program):
    greeting, data, most_s = DRIPPED[program]
    home.write_control("rcpthosts", "here.example\n")
    queue = Queue(home)
    maildir = [home.user_home() / "Maildir"] if program == "qmail-pop3d" else []
    calls = home.base / "calls"
    with Conversation(home, shutil.which("strace"), "-e",
                      "trace=alarm,setitimer", "-o", calls,
                      home.bin / program, *maildir,
                      env={"QMAILQUEUE": queue.program}) as one:
        assert not greeting or one.line().encode().startswith(greeting)
        for byte in data:
            one.send(bytes([byte]))
        wait_asleep(home, program)
        pids = lib.wait_until(  # one: what it starts has a moment its name
            lambda: len(home.pids(program)) == 1 and home.pids(program))
        os.kill(pids[0], signal.SIGALRM)
        one.process.wait(lib.TIMEOUT_S)
    clock = re.search(r"(?:alarm\(|it_value=\{tv_sec=)(\d+)", calls.read_text())
    assert clock and int(clock[1]) == most_s
    assert not home.pids(program)
    assert queue.messages == []


def test_a_login_of_drops_ends(home):
    """The clock of qmail-popup runs over all commands, not over each."""
    calls = home.base / "calls"
    with Conversation(home, shutil.which("strace"), "-e", "trace=poll,ppoll",
                      "-o", calls, home.bin / "qmail-popup", "pop.example",
                      "true") as one:
        assert one.line().startswith("+OK <")
        # each byte is a wait of its own: none is longer than the one before
        for byte in b"USER nobody\r\nUSER":
            wait_asleep(home, "qmail-popup")
            one.send(bytes([byte]))
        one.rest()
        one.process.wait(lib.TIMEOUT_S)
    waits = [int(ms) for ms in re.findall(
        r"fd=0, events=POLLIN\}\], 1, (\d+)\)", calls.read_text())]
    assert 0 < waits[0] <= 1200_000 and waits == sorted(waits, reverse=True)


# ---- floods ---------------------------------------------------------------------------

@pytest.fixture
def smtpd(home):
    """A factory of conversations that have been greeted."""
    home.write_control("rcpthosts", "here.example\n")
    queue = Queue(home)
    with contextlib.ExitStack() as stack:
        def start(program="qmail-smtpd", **env):
            one = stack.enter_context(Conversation(
                home, program, env={"QMAILQUEUE": queue.program, **env}))
            one.queue, one.home = queue, home
            if program == "qmail-smtpd":
                assert one.line().startswith("220 ")
            return one
        yield start


def pour(one, piece, count):
    """Sends piece count times, beside a reader of what is answered."""
    writer = threading.Thread(
        target=lambda: [one.send(piece) for _ in range(count)], daemon=True)
    writer.start()
    return writer


def test_a_hundred_thousand_recipients(smtpd):
    one = smtpd()
    before = peak_kb(one.process.pid)
    assert one.ask("MAIL FROM:<a@b>") == "250 ok"
    writer = pour(one, b"RCPT TO:<a@here.example>\r\n" * 1000, 100)
    replies = one.lines(100000)
    writer.join(lib.TIMEOUT_S)
    assert replies.count("250 ok") == 1000
    assert {r[:3] for r in replies[1000:]} == {"452"}
    if not is_sanitized(one.home):
        assert peak_kb(one.process.pid) < before + 1024
    assert one.ask("DATA")[:3] == "354"
    assert one.ask(b"x\r\n.\r\n")[:3] == "250"
    assert len(one.queue.message[1]) == 1000


def test_a_message_far_above_databytes(smtpd):
    """64 MiB where 1 MB is the limit: read, dropped, not stored."""
    one = smtpd(DATABYTES="1000000")
    assert one.ask("MAIL FROM:<a@b>") == "250 ok"
    assert one.ask("RCPT TO:<a@here.example>") == "250 ok"
    assert one.ask("DATA")[:3] == "354"
    before = peak_kb(one.process.pid)
    line = b"x" * 1022 + b"\r\n"
    for _ in range(64):
        one.send(line * 1024)
    assert one.ask(b".\r\n")[:3] == "552"
    if not is_sanitized(one.home):
        assert peak_kb(one.process.pid) < before + 1024
    assert one.queue.messages == []
    stored = sum(p.stat().st_size for p in one.queue.dir.iterdir())
    assert stored < 2 * MEBIBYTE


@pytest.mark.parametrize("size", [
    "4294967296", "4294967297", "18446744073709551615", "18446744073709551616",
    "9" * 300, "-1", "0x10", "1e9"])
def test_sizes_that_do_not_fit_wrap_nowhere(smtpd, size):
    one = smtpd(DATABYTES="1000")
    want = "552" if size.isdigit() else "250"
    assert one.ask(f"MAIL FROM:<a@b> SIZE={size}")[:3] == want
    assert one.ask("NOOP") == "250 ok"


def test_one_endless_header_line(smtpd):
    """16 MiB without a line end is a message like any other."""
    one = smtpd()
    assert one.ask("MAIL FROM:<a@b>") == "250 ok"
    assert one.ask("RCPT TO:<a@here.example>") == "250 ok"
    assert one.ask("DATA")[:3] == "354"
    before = peak_kb(one.process.pid)
    one.send(b"Received")  # and the line goes on: one hop, not more
    for _ in range(16):
        one.send(b"x" * MEBIBYTE)
    assert one.ask(b"\r\n\r\nend\r\n.\r\n")[:3] == "250"
    if not is_sanitized(one.home):
        assert peak_kb(one.process.pid) < before + 1024
    assert one.queue.message[2].endswith(b"xx\n\nend\n")


def test_an_endless_header_goes_all_the_way(instance):
    """200,000 fields, 10 MB: no daemon keeps them in memory."""
    header = b"".join(b"X-Field-%06d: 0123456789012345678901234567890\n" % n
                      for n in range(200000))
    instance.dotqmail("no", "|exit 100\n")
    sent = instance.queue(header + b"\nbody\n", "test@test.example",
                          ["test@test.example", "test-no@test.example"])
    assert sent.returncode == 0
    # the message, and the bounce that has a copy of it
    sizes = sorted(p.stat().st_size for p in instance.wait_maildir("test", 2))
    assert sizes[0] > len(header)
    if not is_sanitized(instance):
        for pid, name in instance.processes().items():
            with contextlib.suppress(OSError, TypeError):  # one that ends has none
                assert peak_kb(pid) < 24 * 1024, name


# ---- other protocols, and the framed ones -----------------------------------------------

GARBAGE = {
    "a browser": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(range(200)),
    "zeros": bytes(10000),
    "telnet": b"\xff\xfb\x01\xff\xfd\x03\r\n" * 100,
    "digits": b"9" * 100000,
}


@pytest.mark.parametrize("what", GARBAGE)
@pytest.mark.parametrize("program", ["qmail-smtpd", "qmail-qmtpd", "qmail-qmqpd"])
def test_another_protocol_queues_nothing(smtpd, program, what):
    one = smtpd(program, RELAYCLIENT="")
    with contextlib.suppress(OSError):
        one.send(GARBAGE[what])
    one.rest()
    assert one.process.wait(lib.TIMEOUT_S) >= 0  # no signal has ended it
    assert one.queue.messages == []


def test_nothing_is_offered_that_is_not_there(smtpd):
    """No BDAT whose sizes could lie, no AUTH, no ETRN, no look-up of names."""
    one = smtpd()
    for line in ("BDAT 99999999999999999999 LAST", "BDAT -1", "AUTH EXTERNAL =",
                 "AUTH PLAIN " + "A" * 3000, "ETRN #x' OR 1=1", "EXPN root",
                 "STARTTLS", "XCLIENT ADDR=127.0.0.1", "DEBUG", "WIZ"):
        assert one.ask(line) == "502 unimplemented (#5.5.1)", line
    assert one.ask("VRFY root")[:3] == "252"


def test_commands_behind_starttls_gain_nothing(smtpd):
    """It is refused, and what came with it in one packet is what it would have
    been without: plain commands of somebody who may not relay."""
    one = smtpd()
    one.send(b"EHLO x\r\nSTARTTLS\r\nRSET\r\nMAIL FROM:<evil@x>\r\n"
             b"RCPT TO:<a@there.example>\r\nAUTH EXTERNAL =\r\nRCPT TO:<a@here.example>\r\n"
             b"BDAT 3 LAST\r\nDATA\r\n")
    said = [one.line()]
    while said[-1][3:4] == "-":
        said.append(one.line())
    for word in ("STARTTLS", "AUTH", "CHUNKING", "BINARYMIME", "XCLIENT"):
        assert not any(word in line.upper() for line in said)
    assert [one.line()[:3] for _ in range(8)] == [
        "502", "250", "250", "553", "502", "250", "502", "354"]
    assert one.ask("x\r\n.")[:3] == "250"
    assert one.queue.message[:2] == (b"evil@x", [b"a@here.example"])


def test_rewritten_addresses_open_no_relay(smtpd):
    """Addresses that other servers take apart (SRS, BATV, percent, routes) go
    whole to where they say, or are refused."""
    ours = ["SRS0=AAAA=BB=far.example=u@here.example", "SRS1=AAAA=far.example==x=BB=y=u@here.example",
            "prvs=0123456789=u@here.example", "u%far.example@here.example",
            "far.example!u@here.example"]
    one = smtpd()
    assert one.ask("MAIL FROM:<SRS0=CCCC=DD=v.example=s@there.example>") == "250 ok"
    for address in ours:
        assert one.ask(f"RCPT TO:<{address}>") == "250 ok"
    for address in ours:
        assert one.ask(f"RCPT TO:<{address.replace('here', 'there')}>")[:3] == "553"
    assert one.ask("DATA")[:3] == "354" and one.ask("x\r\n.")[:3] == "250"
    assert one.queue.message[:2] == (b"SRS0=CCCC=DD=v.example=s@there.example",
                                     [address.encode() for address in ours])


def test_what_a_message_claims_is_not_looked_up(smtpd):
    """No SPF and no DKIM: a client makes qmail-smtpd ask for no name, compute
    nothing, and believe nothing."""
    server = DnsServer({})
    claims = (b"DKIM-Signature: v=1; a=rsa-sha256; l=0; d=far.example; s=k; bh=; b=" +
              b"A" * 20000 + b"\nAuthentication-Results: here.example; spf=pass\n") * 20
    message = claims + b"From: one@far.example\nFrom: two@other.example\n\nx\n"
    try:
        one = smtpd(DNSCACHEIP=server.address)
        one.send(b"EHLO far.example\r\nMAIL FROM:<s@far.example>\r\n"
                 b"RCPT TO:<a@here.example>\r\nDATA\r\n" +
                 message.replace(b"\n", b"\r\n") + b".\r\nQUIT\r\n")
        assert one.rest().count(b"\r\n250 ok ") == 1
        assert one.queue.message[2].endswith(message)
        assert server.queries == []
    finally:
        server.close()


def test_random_frames_queue_nothing_and_kill_nobody(smtpd):
    """QMTP and QMQP with bytes of the frame changed."""
    dice = random.Random(20)
    for program, frame in (("qmail-qmtpd", qmtp), ("qmail-qmqpd", qmqp)):
        good = frame(b"x\n", "s@x", ["a@here.example"])
        for _ in range(25):
            bad = bytearray(good)
            for _ in range(dice.randrange(1, 4)):
                bad[dice.randrange(len(bad))] = dice.choice(b"0123456789:,\0\n ax")
            one = smtpd(program)
            with contextlib.suppress(OSError):
                one.send(bytes(bad))
            one.rest()
            assert one.process.wait(lib.TIMEOUT_S) in (0, 100, 111), bytes(bad)
    # a change inside the message or an address may leave a whole frame
    assert all(len(m[1]) == 1 for m in smtpd("qmail-qmtpd").queue.messages)
    one = smtpd("qmail-qmtpd")
    one.send(qmtp(b"x\n", "s@x", ["a@here.example"]))
    assert read_one(one)[:1] == b"K"


# ---- the name system --------------------------------------------------------------------

def conclusion(path, lie):
    """What qmail-remote makes of it."""
    home, server = Home(path), Liar(lie)
    home.env["DNSCACHEIP"] = server.address
    try:
        return home.send(timeout=300)
    finally:
        server.close()


def test_a_lying_name_server_bounces_nothing(tmp_path):
    """All at once, since some lies are waited out as if nothing had come."""
    with ThreadPoolExecutor(len(LIES)) as pool:
        got = {what: pool.submit(conclusion, tmp_path / str(n), lie)
               for n, (what, lie) in enumerate(LIES.items())}
    assert [(what, said.result()) for what, said in got.items()
            if not said.result()[0].startswith("Z")] == []
