"""qmail-remote by QMTP: control/qmtproutes, exchangers that say so by their
preference, and what servers may answer."""

import contextlib
import os
import subprocess

import pytest

import lib
import remote_lab
from framing import ns as netstring
from framing import split
from remote_home import TIMEOUT_S, Home, RawServer, script
from remote_worker import Worker

IP = "127.0.0.1"
MESSAGE = b"Subject: x\n\n.b\nbare\rcr\n"


def read_netstring(stream):
    digits = b""
    while (byte := stream.read(1)) != b":":
        if not byte.isdigit():
            raise ConnectionError(f"{digits} and then {byte}")
        digits += byte
    body = stream.read(int(digits))
    assert stream.read(1) == b","
    return body


def qmtp(*answers, seen=None, close=True):
    """A handler: takes a message for each of answers (bytes), then sends it."""
    def handle(client, _):
        with client.makefile("rb") as stream:
            for answer in answers:
                got = (read_netstring(stream), read_netstring(stream),
                       split(read_netstring(stream)))
                if seen is not None:
                    seen.append(got)
                client.sendall(answer)
            if not close:
                assert stream.read(1) == b""
    return handle


@pytest.fixture
def serve():
    made = []

    def start(handler, **more):
        made.append(RawServer(handler, **more))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture
def place(tmp_path):
    return Home(tmp_path)


def route(place, server, sign=":"):
    place.control("qmtproutes", f":{IP}{sign}{server.port}")


def taken(text="ok 7 qp 9"):
    return f"K{IP} accepted message.\nRemote host said: {text}\n"


def refused(letter, text):
    return f"{letter}{IP} does not like recipient.\nRemote host said: {text}\n"


GIVING_UP = f"DGiving up on {IP}.\n"
DIED = f"ZConnected to {IP} but connection died. (#4.4.2)\n"
PERHAPS = f"ZConnected to {IP} but connection died. Possible duplicate! (#4.4.2)\n"
NO_CONNECTION = "ZSorry, I wasn't able to establish a QMTP connection. (#4.4.1)\n"


@pytest.mark.parametrize("pipe", [False, True])
def test_one_message_byte_for_byte(place, serve, pipe):
    seen = []
    server = serve(qmtp(netstring(b"Kok 7 qp 9"), seen=seen))
    route(place, server)
    got = place.run("d.example", "s x@me.example", "a b@d.example",
                    message=MESSAGE, pipe=pipe)
    assert got == ["r", taken()]
    assert seen == [(b"\n" + MESSAGE, b"s x@me.example", [b"a b@d.example"])]


@pytest.mark.parametrize("message", [b"", b"no end", b"x\r\n\r\n.\r\ny\0\xff\n",
                                     b"0123456789\n" * 30000])
def test_any_bytes_arrive_unchanged(place, serve, message):
    seen = []
    route(place, serve(qmtp(netstring(b"K"), seen=seen)), sign=";")
    got = place.run("d.example", "", "r@d.example", message=message)
    assert got == ["r", f"K{IP} accepted message.\n"]
    assert seen == [(b"\n" + message, b"", [b"r@d.example"])]


MANY = ("a@d.example", "b@d.example", "c@d.example")
ANSWERS = [
    ("all are taken: the first text is shown",
     [b"Kone", b"Ktwo", b"Kthree"], ["r", "r", "r", taken("one")]),
    ("each has its own answer", [b"Dnever", b"Kok", b"Zlater"],
     [refused("h", "never"), "r", refused("s", "later"), taken("ok")]),
    ("none is taken", [b"Dno", b"Zlater", b"D"],
     [refused("h", "no"), refused("s", "later"),
      f"h{IP} does not like recipient.\n", GIVING_UP]),
    ("CR goes, NUL shows, lines stay", [b"Ka\r\nb\0c", b"K", b"K"],
     ["r", "r", "r", taken("a\nb?c")]),
    ("long words are cut", [b"K" + b"x" * 60000, b"K", b"K"],
     ["r", "r", "r", taken("x" * 5000)]),
]


@pytest.mark.parametrize("answers,want", [a[1:] for a in ANSWERS],
                         ids=[a[0] for a in ANSWERS])
def test_answers(place, serve, answers, want):
    route(place, serve(qmtp(b"".join(map(netstring, answers)))))
    assert place.send(*MANY) == want


@pytest.mark.parametrize("answer", [
    b"", b"2:K", b"2:Kx;", b"0:,", b"02:Kx,", b"x", b"1:X,", b"1:k,", b":K,",
    b"220 mail.example ESMTP\r\n", b"70000:K" + b"x" * 69999 + b",",
    b"99999999999999999999999999:K", b"-1:K,"])
def test_what_is_no_answer(place, serve, answer):
    route(place, serve(qmtp(answer)))
    assert place.send() == [PERHAPS]


def test_lost_between_the_answers(place, serve):
    route(place, serve(qmtp(netstring(b"Dno") + netstring(b"Kok"))))
    assert place.send(*MANY) == [refused("h", "no"), "r", PERHAPS]


def test_lost_before_the_message_is_there(place, serve):
    route(place, serve(lambda client, _: client.recv(10)))
    assert place.send(message=b"x\n" * 4_000_000) == [DIED]


def test_an_answer_before_the_message_is_there(place, serve):
    """A K that comes too early is no receipt."""
    def hasty(client, _):
        client.sendall(netstring(b"Kok"))
        with contextlib.suppress(OSError):
            while client.recv(65536):
                pass
    route(place, serve(hasty))
    assert place.send(message=b"x\n" * 4_000_000) == [DIED]


def test_an_answer_that_does_not_end_in_time(place, serve):
    place.control("timeoutremote", "1")
    server = serve(lambda client, _: server.ended.wait(TIMEOUT_S))
    route(place, server)
    assert place.send() == [PERHAPS]


def test_an_answer_that_drips(place, serve):
    place.control("timeoutremote", "1")

    def drip(client, _):
        qmtp(b"")(client, 0)
        client.sendall(b"60000:K")
        with contextlib.suppress(OSError):
            while not server.ended.wait(0.05):
                client.sendall(b"x")
    server = serve(drip)
    route(place, server)
    assert place.send() == [PERHAPS]


def test_nobody_listens(place):
    place.control("qmtproutes", f":{IP}:{lib.closed_port()}")
    assert place.send() == [NO_CONNECTION]


def test_addresses_are_refused_here(place, serve):
    seen = []
    route(place, serve(qmtp(netstring(b"Kok"), seen=seen)))
    got = place.send("a\nb@d.example", "good@d.example")
    assert [r[0] for r in got] == ["h", "r", "K"]
    assert seen[0][2] == [b"good@d.example"]


def test_a_message_that_cannot_be_read(place, serve):
    server = serve(qmtp(netstring(b"Kok")))
    route(place, server)
    with open(place.path / "closed", "wb") as file:
        done = subprocess.run([place.program, "d", "s@x", "r@d"], stdin=file,
                              env=place.env, capture_output=True, check=True)
    assert done.stdout == b"ZUnable to read the message. (#4.3.0)\n\0"


def test_a_message_that_is_too_large(place, serve):
    server = serve(qmtp(netstring(b"Kok")))
    route(place, server)
    with open(place.path / "large", "w+b") as file:
        os.truncate(file.fileno(), 200_000_000)
        done = subprocess.run([place.program, "d", "s@x", "r@d"], stdin=file,
                              env=place.env, capture_output=True, check=True)
    assert done.stdout == b"DSorry, the message is too large for QMTP. (#5.3.4)\n\0"
    assert server.connections == 0


# ---- routes ------------------------------------------------------------------

GOOD_SMTP = (b"220 x\r\n", b"250 x\r\n", b"250 ok\r\n", b"250 ok\r\n",
             b"354 go\r\n", b"BODY250 ok 7 qp 9\r\n", b"")


def test_which_line_decides(place, serve):
    """The whole domain, suffixes, the empty key; an empty relay leaves it to
    smtproutes; a line of qmtproutes beats one of smtproutes."""
    by_qmtp = serve(qmtp(netstring(b"Kqmtp")))
    by_smtp = serve(script(*GOOD_SMTP))
    place.control("smtproutes", f":{IP}:{by_smtp.port}")
    q = f"{IP};{by_qmtp.port}"
    place.control("qmtproutes",
                  f"d.example:{q}\n.d.example:[{IP}]:{by_qmtp.port}\n"
                  f"no.d.example:\n.no.d.example:;26\n#:{q}\nno colon")
    for host, want in [("d.example", "qmtp"), ("D.Example", "qmtp"),
                       ("x.y.d.example", "qmtp"), ("no.d.example", "250 ok 7 qp 9"),
                       ("x.no.d.example", "250 ok 7 qp 9"), ("e.example", "250 ok 7 qp 9")]:
        assert place.run(host, "s@me.example", "r@d.example") == ["r", taken(want)], host


@pytest.mark.parametrize("value", [
    "relay:x", "relay;0", "relay;65536", "relay;6209", "relay:6209", "a b",
    "relay|u|p", "[1.2.3.4", "relay;209;x"])
def test_a_line_that_makes_no_sense(place, value):
    place.control("qmtproutes", f"d.example:{value}")
    assert place.send() == [
        "ZUnable to understand the line of control/qmtproutes for d.example. "
        "(#4.3.0)\n"]


def test_an_unreadable_file(place):
    (place.path / "control/qmtproutes").mkdir()
    assert place.send() == ["ZUnable to read control/qmtproutes. (#4.3.0)\n"]


# ---- a worker ------------------------------------------------------------------

WORKER_TAKEN = ("K", taken()[1:])


def test_one_connection_for_many_messages(place, serve):
    seen = []
    server = serve(qmtp(*[netstring(b"Kok 7 qp 9")] * 3, seen=seen, close=False))
    route(place, server)
    with Worker(place) as worker:
        for number in range(3):
            worker.give(f"r{number}@d.example", message=b"%d\n" % number)
            assert worker.take(1) == [WORKER_TAKEN]
        assert server.connections == 1
    assert [(s[0], s[2]) for s in seen] == [
        (b"\n%d\n" % n, [b"r%d@d.example" % n]) for n in range(3)]


def test_a_connection_that_ended_is_made_again(place, serve):
    server = serve(qmtp(netstring(b"Kok 7 qp 9")))
    route(place, server)
    with Worker(place) as worker:
        for number in range(1, 4):
            worker.give("r@d.example")
            assert worker.take(1) == [WORKER_TAKEN]
            assert server.connections == number
            # the next message may not meet a connection that is just ending
            lib.wait_until(lambda: server.closed == number)


def test_an_answer_too_many_ends_the_connection(place, serve):
    server = serve(qmtp(netstring(b"Kok 7 qp 9") * 2, close=False))
    route(place, server)
    with Worker(place) as worker:
        for number in (1, 2):
            worker.give("r@d.example")
            assert worker.take(1) == [WORKER_TAKEN]
            assert server.connections == number


def test_each_recipient_has_its_result(place, serve):
    answers = b"".join(map(netstring, (b"Dno", b"Kok 7 qp 9", b"Zlater")))
    route(place, serve(qmtp(answers, close=False)))
    with Worker(place) as worker:
        worker.give(*MANY)
        assert worker.take(3) == [
            ("D", refused("", "no")), WORKER_TAKEN, ("Z", refused("", "later"))]


# ---- our own server ------------------------------------------------------------

def qmtpd(instance, env):
    """A handler that is qmail-qmtpd."""
    def handle(client, _):
        client.settimeout(None)
        subprocess.run([str(instance.bin / "qmail-qmtpd")], stdin=client,
                       stdout=client, stderr=subprocess.DEVNULL, cwd="/",
                       env=instance.env(**env), check=False, **lib.as_user())
    return handle


def test_into_our_own_server(instance, place, serve):
    """Nothing is changed on the way, and refusals come back."""
    server = serve(qmtpd(instance, {"TCPREMOTEIP": IP}))
    route(place, server)
    message = b"Subject: x\n\n.dot\nlast without end"
    got = place.run("d.example", "s@me.example", f"test@{lib.HOST}",
                    "x@other.example", message=message)
    text = "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"
    assert got[:2] == ["r", refused("h", text)]
    assert got[2].startswith(f"K{IP} accepted message.\nRemote host said: ok ")
    (path,) = instance.wait_maildir("test", 1)
    assert path.read_bytes().endswith(b"\n\n.dot\nlast without end")


def test_two_messages_into_our_own_server(instance, place, serve):
    server = serve(qmtpd(instance, {"TCPREMOTEIP": IP}))
    route(place, server)
    with Worker(place) as worker:
        for _ in range(2):
            worker.give(f"test@{lib.HOST}")
            ((letter, _text),) = worker.take(1)
            assert letter == "K"
    assert server.connections == 1
    instance.wait_maildir("test", 2)


# ---- exchangers that say so ------------------------------------------------------

ONE, TWO = "10.9.0.1", "10.9.0.2"


@pytest.fixture
def lab(tmp_path):
    _, why = remote_lab.command()
    if why:
        pytest.skip(why)

    def run(preferences, servers):
        hosts = {ONE: "a.example", TWO: "b.example"}
        zone = {"d.example MX": [f"{p} {hosts[ip]}" for p, ip in preferences]}
        zone.update({f"{name} A": [ip] for ip, name in hosts.items()})
        got = remote_lab.run({"home": str(tmp_path), "zone": zone, "servers": servers,
                              "program": str(lib.bin_dir() / "qmail-remote")})
        return got["records"], got["connections"]
    return run


def lab_taken(ip, text="taken"):
    return ["r", f"K{ip} accepted message.\nRemote host said: 250 {text}\n"]


def by_qmtp(ip):
    return ["r", f"K{ip} accepted message.\nRemote host said: by qmtp\n"]


@pytest.mark.parametrize("preference,switched", [
    (12800, False), (12801, True), (12802, False), (12816, False), (12817, True),
    (13041, True), (13055, False), (13057, False), (12785, False), (1, False)])
def test_preferences(lab, preference, switched):
    got, seen = lab([(preference, ONE)], {ONE: "good", f"{ONE} 209": "qmtp"})
    assert got == (by_qmtp(ONE) if switched else lab_taken(ONE))
    assert seen == {ONE: int(not switched), f"{ONE} 209": int(switched)}


def test_smtp_on_the_same_host_before_the_next(lab):
    got, seen = lab([(12801, ONE), (12817, TWO)],
                    {ONE: "good", TWO: "good", f"{TWO} 209": "qmtp"})
    assert got == lab_taken(ONE)
    assert seen == {ONE: 1, TWO: 0, f"{TWO} 209": 0}


def test_then_the_next(lab):
    got, _ = lab([(12801, ONE), (12817, TWO)], {TWO: "good", f"{TWO} 209": "qmtp"})
    assert got == by_qmtp(TWO)


def test_what_qmtp_says_is_final(lab):
    got, seen = lab([(12801, ONE), (12817, TWO)],
                    {ONE: "good", f"{ONE} 209": "qmtp D", f"{TWO} 209": "qmtp"})
    assert got == [f"h{ONE} does not like recipient.\nRemote host said: by qmtp\n",
                   f"DGiving up on {ONE}.\n"]
    assert seen == {ONE: 0, f"{ONE} 209": 1, f"{TWO} 209": 0}


def test_by_hand_to_a_relay_there_is_no_switch(place, serve):
    """A relay of smtproutes has no preference."""
    server = serve(script(*GOOD_SMTP))
    place.route(server)
    assert place.send() == ["r", taken("250 ok 7 qp 9")]

