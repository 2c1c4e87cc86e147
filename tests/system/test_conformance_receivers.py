"""What qmail-smtpd, qmail-qmtpd and qmail-qmqpd have in common: what they learn
from the environment, and the Received line that they make of it."""

import re
import socket

import lib
import pytest
from framing import qmqp, qmtp, read_one
from servers import Conversation, Queue

PROTOCOLS = {"SMTP": "qmail-smtpd", "QMTP": "qmail-qmtpd", "QMQP": "qmail-qmqpd"}
DATE = r"([1-9]|[123]\d) [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d -0000"
SAFE = (b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        b".@%+/=:-[]")


@pytest.fixture
def receive(home):
    """receive(protocol, env, helo=..., to=...): one message; the verdict as
    text and what was queued (or None)."""
    home.write_control("rcpthosts", "in.example\n")
    queue = Queue(home)

    def run(protocol, helo=None, to="r@in.example", **env):
        for path in queue.dir.iterdir():
            path.unlink()
        unset = dict.fromkeys(("PROTO", "TCPREMOTEIP", "TCPREMOTEHOST"))
        with Conversation(home, PROTOCOLS[protocol], env={
                **unset, "QMAILQUEUE": queue.program, **env}) as one:
            if protocol == "SMTP":
                verdict = by_smtp(one, helo, to)
            else:
                one.send(qmtp(b"x\n", "s@x", [to]) if protocol == "QMTP"
                         else qmqp(b"x\n", "s@x", [to]))
                verdict = read_one(one).decode()
            one.rest()
        return verdict, (queue.messages or [None])[0]

    return run


def by_smtp(one, helo, to):
    assert one.line().startswith("220 ")
    for line in ([helo] if helo is not None else []) + ["MAIL FROM:<s@x>"]:
        one.send(line.encode("latin-1") + b"\r\n")
        while one.line()[3] == "-":
            pass
    verdict = one.ask(f"RCPT TO:<{to}>")
    if verdict == "250 ok":
        assert one.ask("DATA") == "354 go ahead"
        verdict = one.ask(b"x\r\n.\r\n")
    return verdict


def received(result):
    """The two lines in front of the date, the date being checked."""
    message = result[1][2].decode("latin-1")
    match = re.fullmatch(rf"(Received: from .*\n  by .*); {DATE}\nx\n", message)
    assert match, message
    return match[1]


TWINS = {"TCP6REMOTEHOST": "twin.example", "TCP6REMOTEINFO": "twin",
         "TCP6REMOTEIP": "2001:db8::2", "TCP6LOCALHOST": "twin.example",
         "TCP6LOCALIP": "2001:db8::2"}
# (what, environment, host, info@IP, local name)
VARIABLES = [
    ("nothing is set", {}, "unknown", "unknown", "unknown"),
    ("the names and addresses", {
        "TCPREMOTEHOST": "h.example", "TCPREMOTEIP": "192.0.2.7",
        "TCPLOCALHOST": "l.example", "TCPLOCALIP": "192.0.2.1"},
     "h.example", "192.0.2.7", "l.example"),
    ("an address in place of the local name", {
        "TCPREMOTEIP": "192.0.2.7", "TCPLOCALIP": "192.0.2.1"},
     "unknown", "192.0.2.7", "192.0.2.1"),
    ("ident", {"TCPREMOTEINFO": "joe", "TCPREMOTEIP": "192.0.2.7"},
     "unknown", "joe@192.0.2.7", "unknown"),
    ("ident with unsafe bytes", {"TCPREMOTEINFO": "in_fo x"},
     "unknown", "in?fo?x@unknown", "unknown"),
    ("an empty ident", {"TCPREMOTEINFO": ""}, "unknown", "@unknown", "unknown"),
    ("an empty local name is a name", {"TCPLOCALHOST": "", "TCPLOCALIP": "192.0.2.1"},
     "unknown", "unknown", ""),
    ("ports are not shown", {
        "TCPREMOTEPORT": "4711", "TCPLOCALPORT": "25"},
     "unknown", "unknown", "unknown"),
    ("IPv6 with the plain names", {
        "PROTO": "TCP6", "TCPREMOTEIP": "2001:db8::7", "TCPLOCALIP": "::1"},
     "unknown", "2001:db8::7", "::1"),
    ("IPv6 with the twins", {
        "PROTO": "TCP6", "TCP6REMOTEHOST": "h.example", "TCP6REMOTEINFO": "joe",
        "TCP6REMOTEIP": "2001:db8::7", "TCP6LOCALHOST": "l.example"},
     "h.example", "joe@2001:db8::7", "l.example"),
    ("IPv6 with the twin of the local address", {
        "PROTO": "TCP6", "TCP6LOCALIP": "2001:db8::1"},
     "unknown", "unknown", "2001:db8::1"),
    ("IPv6 with both", {
        "PROTO": "TCP6", "TCPREMOTEHOST": "h.example", "TCPREMOTEINFO": "joe",
        "TCPREMOTEIP": "2001:db8::7", "TCPLOCALHOST": "l.example", **TWINS},
     "h.example", "joe@2001:db8::7", "l.example"),
    ("twins that no PROTO asks for", TWINS, "unknown", "unknown", "unknown"),
    ("twins over IPv4", {"PROTO": "TCP", **TWINS}, "unknown", "unknown", "unknown"),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("what, env, host, peer, local", VARIABLES,
                         ids=[v[0] for v in VARIABLES])
def test_variables(receive, protocol, what, env, host, peer, local):
    assert received(receive(protocol, **env)) == (
        f"Received: from {host} ({peer})\n  by {local} with {protocol}")


# (what, the greeting line, what stands behind the host)
GREETINGS = [
    ("none", None, ""), ("HELO with another name", "HELO mail.example",
                         " (HELO mail.example)"),
    ("EHLO is shown as HELO", "EHLO mail.example", " (HELO mail.example)"),
    ("the host itself in another case", "HELO H.Example", ""),
    ("no argument", "HELO", " (HELO )"),
    ("bytes that are not safe", "HELO a_b c", " (HELO a?b?c)"),
]


@pytest.mark.parametrize("what, helo, want", GREETINGS,
                         ids=[g[0] for g in GREETINGS])
def test_helo(receive, what, helo, want):
    assert received(receive("SMTP", helo, TCPREMOTEHOST="h.example")) == (
        f"Received: from h.example{want} (unknown)\n  by unknown with SMTP")


def test_safe_bytes(receive):
    """All bytes that a command line can hold, one after the other."""
    every = bytes(b for b in range(1, 256) if b not in (10, 13, 32))
    masked = bytes(b if b in SAFE else ord("?") for b in every).decode()
    assert received(receive("SMTP", "EHLO " + every.decode("latin-1"))) == (
        f"Received: from unknown (HELO {masked}) (unknown)\n"
        "  by unknown with SMTP")


@pytest.mark.parametrize("protocol, refusal", [
    ("SMTP", "553 "), ("QMTP", "Dsorry, that domain")])
def test_relayclient(receive, protocol, refusal):
    verdict, queued = receive(protocol, to="r@out.example")
    assert verdict.startswith(refusal) and queued is None
    for value in ("", "@relay.example"):
        verdict, queued = receive(protocol, to="r@out.example", RELAYCLIENT=value)
        assert verdict.startswith(("250 ok ", "Kok "))
        assert queued[1] == [b"r@out.example" + value.encode()]


@pytest.mark.parametrize("protocol", ["SMTP", "QMTP"])
@pytest.mark.parametrize("value, taken", [
    ("1", False), ("2", True), ("0", True), ("none", True), ("", True),
    ("1x", False), (None, False)])
def test_databytes(home, receive, protocol, value, taken):
    home.write_control("databytes", "1\n")
    verdict, queued = receive(protocol, DATABYTES=value)
    assert verdict.startswith(("250 ok ", "Kok ")) == taken, verdict
    assert (queued is not None) == taken


def test_its_line_is_below_that_of_the_queue(instance):
    port = instance.serve(instance.bin / "qmail-qmqpd", name="qmqpd")
    instance.send_smtp(to="test")
    with socket.create_connection(("127.0.0.1", port), lib.TIMEOUT_S) as s:
        s.sendall(qmqp(b"Subject: x\n\nx\n", "s@x.example",
                       [f"test@{instance.host}"]))
        assert b":Kok " in s.recv(1000)
    for path in instance.wait_maildir("test", 2):
        fields = re.findall(rb"^Received: (.)", path.read_bytes(), re.M)
        assert fields == [b"(", b"f"]  # (qmail ...) above, from ... below
