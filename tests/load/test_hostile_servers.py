"""Servers of others that hold us up or fill us: replies by the byte, replies of a
megabyte, and lies of name servers, all beside mail that has to get through."""

import re

import lib
import pytest
from dns_lies import LIES, Liar
from loadlib import KIB, Honest, Watch
from remote_home import RawServer


@pytest.fixture
def beside(make_instance):
    """A factory of running instances with a good server for fast.example, and
    routes for other domains: beside({domain: port}, control={name: text})."""
    good = lib.SmtpSink()

    def make(routes, env=(), **control):
        one = make_instance(start=False)
        one.extra_env.update(env)
        for name, text in control.items():
            one.write_control(name, text + "\n")
        one.write_control("smtproutes", "".join(
            f"{domain}:127.0.0.1:{port}\n" for domain, port in routes.items())
            + f"fast.example:127.0.0.1:{good.port}\n")
        one.start()
        one.good, one.sent = good, 0
        one.honest = Honest(one)
        is_reached(one)
        one.watch = Watch(one)
        return one

    yield make
    good.close()


def send(instance, *recipients, sender="test@test.example"):
    sent = instance.queue(b"Subject: x\n\nx\n", sender, recipients)
    assert sent.returncode == 0, sent.stderr


def is_reached(instance):
    """Mail to the good server arrives, and so does local mail."""
    send(instance, "r@fast.example")
    instance.sent += 1
    instance.good.wait(instance.sent)
    instance.honest.is_served(pop3=False)
    assert len(instance.good.transactions) == instance.sent


def settle(instance, count):
    """Waits until so many messages, and no other, are in the queue."""
    lib.wait_until(lambda: len(instance.queue_ids()) == count,
                   what=f"{count} messages in the queue")


# ---- replies by the byte -------------------------------------------------------------

def test_replies_of_a_byte_now_and_then(beside):
    """30 hosts greet us by a byte each half second, for ever, where a whole reply
    has ten seconds (control/timeoutremote). Each is given up, and meanwhile the
    others get their mail."""
    def drip(client, _):
        client.sendall(b"220-")
        while not slow.ended.wait(0.5):
            client.sendall(b"x")

    slow = RawServer(drip)
    hosts = [f"slow{n}.example" for n in range(30)]
    try:
        instance = beside(dict.fromkeys(hosts, slow.port), timeoutremote="10",
                          concurrencyremote="40")
        for host in hosts:
            send(instance, f"r@{host}")
        lib.wait_until(lambda: slow.connections, what="the first slow one")
        for _ in range(5):
            is_reached(instance)
        instance.wait_log(r"^delivery \d+: deferral: ", count=len(hosts))
        is_reached(instance)
        lib.wait_until(lambda: slow.closed == slow.connections, what="their end")
        settle(instance, len(hosts))
        instance.watch.check(2 * KIB)
    finally:
        slow.close()


# ---- replies of a megabyte ------------------------------------------------------------

LONG = "x\0\x1b[2J<y>" * 131072           # a line of more than 1 MiB
MANY = "".join(f"-line {n}\0\r\n" for n in range(100000))


def lines(code):
    """A reply of 100,000 lines, each with a NUL."""
    return MANY.replace("-line", code + "-line") + code + " last"


# What the server replies, and what becomes of the recipient: S it is there, D it
# bounces, Z it waits.
REPLIES = {
    "greeting": ({"connect": "220 " + LONG}, "S"),
    "greeting5": ({"connect": "554 " + LONG}, "Z"),
    "ehlo": ({"EHLO": lines("250")}, "S"),
    "helo": ({"EHLO": lines("502"), "HELO": "250 " + LONG}, "S"),
    "mail5": ({"MAIL": "550 " + LONG}, "D"),
    "mail4": ({"MAIL": lines("450")}, "Z"),
    "rcpt": ({"RCPT": lines("250")}, "S"),
    "rcpt5": ({"RCPT": lines("550")}, "D"),
    "rcpt4": ({"RCPT": "450 " + LONG}, "Z"),
    "data5": ({"DATA": lines("554")}, "D"),
    "body": ({"body": "250 " + LONG}, "S"),
    "body5": ({"body": lines("554")}, "D"),
    "none": ({"MAIL": "\0" * 1048576}, "Z"),
}
EACH = 3


def test_replies_of_a_megabyte(beside):
    """With NULs, in one line or in 100,000: logs and bounces have a
    tamed part of them, the daemons nothing."""
    sinks = {name: lib.SmtpSink(replies) for name, (replies, _) in REPLIES.items()}
    try:
        instance = beside({f"{name}.example": one.port for name, one in sinks.items()})
        for name in sinks:
            for _ in range(EACH):
                send(instance, f"r@{name}.example")
        is_reached(instance)
        wanted = [fate for _, fate in REPLIES.values() for _ in range(EACH)]
        instance.wait_maildir("test", wanted.count("D"))
        instance.wait_log(r"^delivery \d+: deferral: ", count=wanted.count("Z"))
        settle(instance, wanted.count("Z"))
        is_reached(instance)
        instance.watch.check(2 * KIB)
    finally:
        for one in sinks.values():
            one.close()
    # after a refused RCPT the pipelined DATA makes a message for nobody
    fates = {name: sum(len(t.recipients) for t in one.transactions)
             for name, one in sinks.items()}
    assert fates == {name: EACH if fate == "S" else 0
                     for name, (_, fate) in REPLIES.items()}
    for path in instance.maildir("test"):
        text = path.read_bytes()
        assert len(text) < 16 * KIB and not re.search(rb"[\0\r]", text)
    assert max(map(len, instance.log().splitlines())) < 16 * KIB


# ---- lies ---------------------------------------------------------------------------------

def test_lies_of_a_name_server(beside):
    """Of every broken kind, a domain each: its mail waits, and other names are
    looked up meanwhile."""
    names = {f"lie{n}": lie for n, lie in enumerate(LIES.values())}
    server = Liar(names, {"mx.test.example A": ["127.0.0.1"]})
    try:
        instance = beside({}, env={"DNSCACHEIP": server.address},
                          concurrencyremote="60")
        routes = (instance.home / "control/smtproutes").read_text()
        instance.write_control("smtproutes", routes + routes.replace(
            "fast.example:127.0.0.1", "named.example:mx.test.example"))
        for name in names:
            send(instance, f"r@{name}.example", f"q@{name}.example")
        for _ in range(3):
            send(instance, "r@named.example")
            instance.sent += 1
            is_reached(instance)
        assert ("mx.test.example", "A") in server.asked()
        instance.wait_log(r"^delivery \d+: deferral: ", count=2 * len(names), timeout=200)
        is_reached(instance)
        settle(instance, len(names))
        assert instance.maildir("test") == []
        instance.watch.check(2 * KIB)
    finally:
        server.close()
