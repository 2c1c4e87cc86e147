"""qmail-qmtpd: messages, verdicts, limits, and what is no QMTP."""

import re
import signal
import socket

import pytest
import lib
from framing import ns, qmtp, read_one, split
from servers import Conversation, Queue

HOST = (b"66:Dsorry, that domain isn't in my list of allowed rcpthosts "
        b"(#5.7.1),")
ADDRESS = b"46:Dsorry, I can't handle that recipient (#5.1.3),"
SENDER = b"29:Dunacceptable sender (#5.1.7),"
SIZE = (b"61:Dsorry, that message size exceeds my databytes limit "
        b"(#5.3.4),")
OK = re.compile(rb"Kok [0-9]{10} qp [1-9][0-9]*")


@pytest.fixture
def qmtpd(home):
    home.write_control("rcpthosts", "in.example\n")
    queue = Queue(home)
    open_ones = []

    def start(**env):
        one = Conversation(home, "qmail-qmtpd",
                           env={"QMAILQUEUE": queue.program, **env})
        open_ones.append(one)
        one.queue = queue
        return one

    yield start
    for one in open_ones:
        one.__exit__()


def stored(message, want):
    """A message as stored: the trace line, two lines, then want."""
    first, second, rest = message.split(b"\n", 2)
    assert re.fullmatch(rb"Received: from \S+ \(\S+\)", first)
    assert re.fullmatch(rb"  by \S+ with QMTP; .* -0000", second)
    assert rest == want


# ---- what is taken --------------------------------------------------------------

def test_bytes_of_a_message_with_lf(qmtpd):
    one = qmtpd()
    one.send(b"16:\nSubject: x\n\n.b\n,3:s@x,"
             b"33:12:a@in.example,13:b@out.example,,")
    data = one.rest()
    first, second = split(data)
    assert OK.fullmatch(first)
    assert data.endswith(HOST)
    assert one.process.wait(lib.TIMEOUT_S) == 0
    sender, recipients, message = one.queue.message
    assert (sender, recipients) == (b"s@x", [b"a@in.example"])
    stored(message, b"Subject: x\n\n.b\n")


def test_bytes_of_a_message_with_cr_lf(qmtpd):
    one = qmtpd()
    one.send(b"19:\rS: x\r\n\r\nb\rc\r\r\nend\r,0:,16:12:a@in.example,,")
    (verdict,) = split(one.rest())
    assert OK.fullmatch(verdict)
    sender, recipients, message = one.queue.message
    assert (sender, recipients) == (b"", [b"a@in.example"])
    stored(message, b"S: x\n\nb\rc\r\nend\r")


def test_a_byte_at_a_time(qmtpd):
    one = qmtpd()
    for byte in qmtp(b"a\r\nb\r\r\nc\r\r", "s@x", ["a@in.example"], b"\r"):
        one.send(bytes([byte]))
    assert OK.fullmatch(read_one(one))
    stored(one.queue.message[2], b"a\nb\r\nc\r\r")


def test_message_only_of_its_first_byte(qmtpd):
    one = qmtpd()
    one.send(qmtp(b"", "s@x", ["a@in.example"]) +
             qmtp(b"", "s@x", ["a@in.example"], b"\r"))
    assert len(split(one.rest())) == 2
    for _, _, message in one.queue.messages:
        stored(message, b"")


def test_any_byte_may_occur(qmtpd):
    body = bytes(range(256)) * 300
    one = qmtpd()
    one.send(qmtp(body, "s@x", ["a@in.example"]))
    assert OK.fullmatch(read_one(one))
    stored(one.queue.message[2], body)


def test_verdicts_come_before_the_next_message(qmtpd):
    one = qmtpd()
    for _ in range(3):
        one.send(qmtp(b"x\n", "s@x", ["a@in.example"]))
        assert OK.fullmatch(read_one(one))
    assert one.end() == 0
    assert len(one.queue.messages) == 3


def test_messages_in_one_piece(qmtpd):
    one = qmtpd()
    one.send(qmtp(b"x\n", "s@x", ["a@in.example", "b@out.example"]) * 5)
    verdicts = split(one.rest())
    assert [v[:1] for v in verdicts] == [b"K", b"D"] * 5
    assert len(one.queue.messages) == 5


def test_no_recipients(qmtpd):
    one = qmtpd()
    one.send(qmtp(b"x\n", "s@x", []))
    assert one.end() == 0
    assert one.queue.messages == []


def test_all_recipients_refused(qmtpd):
    one = qmtpd()
    one.send(qmtp(b"x\n", "s@x", ["a@out.example", "b@out.example"]))
    assert one.rest() == HOST * 2
    assert one.queue.messages == []


def test_trace_line(qmtpd):
    one = qmtpd(TCPREMOTEHOST="h.example", TCPREMOTEIP="192.0.2.7",
                TCPREMOTEINFO="in_fo x", TCPLOCALHOST="l.example")
    one.send(qmtp(b"x\n", "s@x", ["a@in.example"]))
    assert OK.fullmatch(read_one(one))
    assert one.queue.message[2].startswith(
        b"Received: from h.example (in?fo?x@192.0.2.7)\n"
        b"  by l.example with QMTP; ")


# ---- whose mail -----------------------------------------------------------------

def test_recipients_without_domain_and_morercpthosts(home, qmtpd):
    home.write_control("morercpthosts.cdb", lib.cdb_bytes(
        [(b"more.example", b"")]))
    one = qmtpd()
    one.send(qmtp(b"", "s@x", ["postmaster", "a@More.example", "", "a@b"]))
    assert [v[:1] for v in split(one.rest())] == [b"K", b"K", b"K", b"D"]
    assert one.queue.message[1] == [b"postmaster", b"a@More.example", b""]


def test_relayclient_is_appended(qmtpd):
    one = qmtpd(RELAYCLIENT=".relay")
    one.send(qmtp(b"", "s@x", ["a@out.example", "b"]))
    assert all(OK.fullmatch(v) for v in split(one.rest()))
    assert one.queue.message[1] == [b"a@out.example.relay", b"b.relay"]


def test_empty_relayclient_relays(qmtpd):
    one = qmtpd(RELAYCLIENT="")
    one.send(qmtp(b"", "s@x", ["a@out.example"]))
    assert OK.fullmatch(read_one(one))


@pytest.mark.parametrize("relay", ["", "12345"])
def test_length_of_recipients(qmtpd, relay):
    room = 999 - len(relay)
    one = qmtpd(RELAYCLIENT=relay)
    one.send(qmtp(b"", "s@x", ["r" * room, "r" * (room + 1), "r" * 100000]))
    data = one.rest()
    assert OK.fullmatch(split(data)[0]) and data.endswith(ADDRESS * 2)
    assert one.queue.message[1] == [b"r" * room + relay.encode()]


def test_relayclient_longer_than_any_address(qmtpd):
    one = qmtpd(RELAYCLIENT="r" * 1000)
    one.send(qmtp(b"", "s@x", [""]))
    assert one.rest() == ADDRESS


def test_nul_in_a_recipient(qmtpd):
    one = qmtpd()
    one.send(qmtp(b"", "s@x", [b"a@in.example\0b", b"a@out.example\0",
                               b"c@in.example"]))
    data = one.rest()
    assert data.startswith(ADDRESS * 2)
    assert one.queue.message[1] == [b"c@in.example"]


@pytest.mark.parametrize("sender", [b"s" * 1000, b"s\0@x", b"s" * 5000000])
def test_bad_sender(qmtpd, sender):
    one = qmtpd()
    one.send(qmtp(b"x\n", sender, ["a@in.example", "a@out.example"]) +
             qmtp(b"y\n", b"s" * 999, ["a@in.example"]))
    data = one.rest()
    assert data.startswith(SENDER + HOST)
    assert OK.fullmatch(split(data)[2])
    assert one.queue.message[0] == b"s" * 999


def test_missing_rcpthosts_is_no_open_relay(home, qmtpd):
    home.remove_control("rcpthosts")
    one = qmtpd()
    one.send(qmtp(b"", "s@x", [f"a@{home.host}", "a@out.example"]))
    assert [v[:1] for v in split(one.rest())] == [b"K", b"D"]
    assert "no control/rcpthosts" in one.log()


# ---- limits ---------------------------------------------------------------------

@pytest.mark.parametrize("first, body, size", [
    (b"\n", b"0123456789\n", 11), (b"\r", b"01234\r\n\r\r\n\r", 9)])
def test_databytes_counts_what_is_stored(qmtpd, first, body, size):
    for limit, good in ((size, True), (size - 1, False)):
        one = qmtpd(DATABYTES=str(limit))
        one.send(qmtp(body, "s@x", ["a@in.example", "a@out.example"], first))
        data = one.rest()
        assert data.endswith(HOST)
        assert OK.fullmatch(split(data)[0]) if good else data == SIZE + HOST
    assert len(one.queue.messages) == 1


def test_databytes_of_control(home, qmtpd):
    home.write_control("databytes", "3\n")
    one = qmtpd()
    one.send(qmtp(b"1234", "s@x", ["a@in.example"]))
    assert read_one(one) == split(SIZE)[0]
    one = qmtpd(DATABYTES="none")
    one.send(qmtp(b"1234", "s@x", ["a@in.example"]))
    assert OK.fullmatch(read_one(one))


def test_a_message_after_one_that_is_too_big(qmtpd):
    one = qmtpd(DATABYTES="100000")
    one.send(qmtp(b"x" * 3000000, "s@x", ["a@in.example"]))
    assert read_one(one) == split(SIZE)[0]
    one.send(qmtp(b"x" * 100000, "s@x", ["a@in.example"]))
    assert OK.fullmatch(read_one(one))
    assert len(one.queue.messages) == 1


def test_memory_does_not_grow_with_the_message(qmtpd, home):
    one = qmtpd(DATABYTES="1")
    piece = b"x" * 1000000
    one.send(b"100000001:\n")
    for _ in range(100):
        one.send(piece)
    status = open(f"/proc/{one.process.pid}/status").read()
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1))
    if "san" not in str(home.bin):
        assert peak < 16 * 1024
    one.send(b"," + ns(b"s") + ns(ns(b"a@in.example")))
    assert read_one(one) == split(SIZE)[0]


def test_many_recipients(qmtpd):
    names = [b"%d@in.example" % n for n in range(30000)]
    one = qmtpd()
    one.send(qmtp(b"x\n", "s@x", names))
    verdicts = split(one.rest())
    assert len(verdicts) == len(names) and OK.fullmatch(verdicts[0])
    assert set(verdicts) == {verdicts[0]}
    assert one.queue.message[1] == names


@pytest.mark.parametrize("relay", ["", "r" * 99])
def test_too_many_bytes_of_recipients(qmtpd, relay):
    """32 MiB count, with what RELAYCLIENT adds; the rest is for later."""
    size = 999 - len(relay)
    one = qmtpd(RELAYCLIENT=relay)
    one.send(qmtp(b"x\n", "s@x", [b"a" * size] * 34000))
    verdicts = split(one.rest())
    good = 32 * 1024 * 1024 // (999 + len("999:,"))
    assert len(verdicts) == 34000
    assert {v[:1] for v in verdicts[:good]} == {b"K"}
    assert set(verdicts[good:]) == {b"Zsorry, too many recipients (#4.5.3)"}
    assert len(one.queue.message[1]) == good
    assert "why=recipients" in one.log()


def test_log_of_many_refusals_is_bounded(qmtpd):
    one = qmtpd()
    one.send(qmtp(b"x\n", "s@x", ["a@b"] * 5000))
    assert one.rest() == HOST * 5000
    log = one.log()
    assert log.count("why=rcpthosts") == 100
    assert "rcpts=0 refused=5000 " in log


def test_the_clock_ends_it(qmtpd):
    one = qmtpd()
    one.send(qmtp(b"x\n", "s@x", ["a@in.example"]))
    assert OK.fullmatch(read_one(one))
    one.send(b"100:\nhalf")
    one.process.send_signal(signal.SIGALRM)
    assert one.process.wait(lib.TIMEOUT_S) == -signal.SIGALRM
    assert len(one.queue.messages) == 1


# ---- what is no QMTP --------------------------------------------------------------

GOOD = qmtp(b"x\n", "s@x", ["a@in.example"])


@pytest.mark.parametrize("data, code", [
    (b"0:,", 100), (b"1:x,", 100), (b"3: \n\n,", 100), (b"x", 100),
    (b":,", 100), (b"-1:", 100), (b" 1:\n,", 100), (b"01:\n,", 100),
    (b"1 :\n,", 100), (b"1:\nx", 100), (b"2:\nx;", 100), (b"2:\nx\n", 100),
    (b"1:\n,x", 100), (b"1:\n,1:sx", 100), (b"1:\n,1:s,x", 100),
    (b"1:\n,1:s,1:", 0), (b"1:\n,1:s,1:x", 100), (b"1:\n,1:s,2:1:", 100),
    (b"1:\n,1:s,3:9:a,", 100), (b"1:\n,1:s,3:1:a,", 100),
    (b"1:\n,1:s,4:1:ax", 100), (b"1:\n,1:s,4:1:a,x", 100),
    (b"1:\n,1:s,5:1:a,x", 100), (b"1:\n,1:s,9:200000001:", 111),
    (b"1:\n,1:s,10:200000001:", 111),
    (b"200000001:", 111), (b"1:\n,200000001:", 111),
    (b"1:\n,1:s,200000001:", 111), (b"9" * 30, 111), (b"9" * 1000000, 111),
    (b"18446744073709551617:\n", 111), (b"4294967297:\n,", 111),
    (b"", 0), (b"1", 0), (b"200000000:", 0), (b"5:\nabc", 0),
    (GOOD[:-1], 0), (GOOD[:-2], 0), (b"1:\n,1", 0), (b"1:\n,2:s", 0),
    (b"EHLO there\r\n", 100), (b"\x16\x03\x01\x02\x00", 100),
])
def test_malformed(qmtpd, data, code):
    one = qmtpd()
    try:
        one.send(data)
    except ConnectionError:
        pass  # it has gone before the last byte
    assert one.rest() == b""
    assert one.process.wait(lib.TIMEOUT_S) == code
    assert one.queue.messages == []


def test_every_prefix_queues_nothing(home):
    queue = Queue(home)
    home.write_control("rcpthosts", "in.example\n")
    for end in range(len(GOOD)):
        with Conversation(home, "qmail-qmtpd",
                          env={"QMAILQUEUE": queue.program}) as one:
            one.send(GOOD[:end])
            assert one.end() == 0
    assert queue.messages == []


def test_verdicts_survive_what_follows(qmtpd):
    """The first message is queued; its client must hear so."""
    one = qmtpd()
    one.send(GOOD + b"0:," + b"x" * 50000)
    (verdict,) = split(one.rest())
    assert OK.fullmatch(verdict)
    assert one.process.wait(lib.TIMEOUT_S) == 100
    assert len(one.queue.messages) == 1


def test_a_client_that_takes_no_replies(qmtpd):
    one = qmtpd()
    one.send(GOOD)
    assert OK.fullmatch(read_one(one))
    one.socket.shutdown(socket.SHUT_RD)
    one.send(GOOD)
    one.socket.close()
    assert one.process.wait(lib.TIMEOUT_S) == 0


# ---- trouble ----------------------------------------------------------------------

@pytest.mark.parametrize("status, text, verdict", [
    (31, None, b"Dmail server permanently rejected message (#5.3.0)"),
    (53, None, b"Zqq write error or disk full (#4.3.0)"),
    (11, None, b"Denvelope address too long for qq (#5.1.3)"),
    (99, None, b"Zqq temporary problem (#4.3.0)"),
    (82, b"Dno\0such\nthing", b"Dno such thing"),
    (82, b"Zlater, please", b"Zlater, please"),
    (82, b"Xodd", b"Zodd"),
])
def test_queue_refuses(qmtpd, status, text, verdict):
    one = qmtpd()
    one.queue.end_with(status, text)
    one.send(qmtp(b"x\n", "s@x", ["a@in.example", "a@out.example",
                                  "b@in.example"]))
    assert one.rest() == ns(verdict) + HOST + ns(verdict)


def test_queue_that_cannot_run(qmtpd):
    one = qmtpd(QMAILQUEUE="/nonexistent/queue")
    one.send(GOOD)
    assert read_one(one) == b"Zunable to exec qq (#4.3.0)"
    assert one.end() == 0


def test_ignored_sigchld_does_no_harm(home):
    home.write_control("rcpthosts", "in.example\n")
    queue = Queue(home)
    with Conversation(home, "qmail-qmtpd",
                      env={"QMAILQUEUE": queue.program},
                      preexec_fn=lambda: signal.signal(
                          signal.SIGCHLD, signal.SIG_IGN)) as one:
        one.send(GOOD)
        assert OK.fullmatch(read_one(one))


def test_unreadable_control(home, qmtpd):
    (home.home / "control/databytes").mkdir()
    one = qmtpd()
    assert one.end() == 111
    assert "cannot read control files" in one.log()


def test_damaged_morercpthosts(home, qmtpd):
    home.write_control("morercpthosts.cdb", b"short")
    one = qmtpd()
    one.send(GOOD + qmtp(b"y\n", "s@x", ["a@in.example", "a@b"]))
    (verdict,) = split(one.rest())
    assert OK.fullmatch(verdict)
    assert one.process.wait(lib.TIMEOUT_S) == 111
    assert len(one.queue.messages) == 1


def test_missing_home(home):
    with Conversation(home, "qmail-qmtpd",
                      env={"QMAILHOME": "/nonexistent"}) as one:
        assert one.end() == 111


# ---- the log ----------------------------------------------------------------------

def test_log_lines(qmtpd):
    one = qmtpd(TCPREMOTEIP="192.0.2.7")
    one.send(qmtp(b"abc\n", "s p@x", ["a@in.example", "b@out.example",
                                      "c@in.example"]))
    verdict = split(one.rest())[0]
    qp = verdict.split()[-1].decode()
    pid = one.process.pid
    assert one.log().splitlines() == [
        f"qmail-qmtpd: pid={pid} ip=192.0.2.7 from=s_p@x to=b@out.example "
        "result=reject why=rcpthosts",
        f"qmail-qmtpd: pid={pid} ip=192.0.2.7 from=s_p@x to=a@in.example "
        f"rcpts=2 refused=1 size=4 result=accept qp={qp}"]


@pytest.mark.parametrize("data, want", [
    (b"5:\nab", "result=drop why=connection-lost"),
    (b"5:x", "result=reject why=protocol"),
    (b"999999999:", "result=defer why=length")])
def test_log_of_an_early_end(qmtpd, data, want):
    one = qmtpd()
    one.send(GOOD + data)
    one.rest()
    last = one.log().splitlines()[-1]
    assert want in last and "from= to= rcpts=0" in last


# ---- the whole way ------------------------------------------------------------------

def test_into_a_maildir(instance):
    port = instance.serve(instance.bin / "qmail-qmtpd", name="qmtpd")
    with socket.create_connection(("127.0.0.1", port), lib.TIMEOUT_S) as s:
        s.sendall(qmtp(b"Subject: over qmtp\r\n\r\nbody\r\n", "s@x.example",
                       [f"test@{instance.host}", "a@other.example"], b"\r"))
        s.shutdown(socket.SHUT_WR)
        data = b""
        while more := s.recv(65536):
            data += more
    first, second = split(data)
    assert OK.fullmatch(first) and ns(second) == HOST
    (path,) = instance.wait_maildir("test", 1)
    text = path.read_bytes()
    assert b"with QMTP; " in text
    assert text.endswith(b"Subject: over qmtp\n\nbody\n")
    number = first.split()[-1].decode()
    instance.wait_log(rf"info msg {number}: ")
