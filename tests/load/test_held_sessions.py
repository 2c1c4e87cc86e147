"""Sessions that cost their client nothing: a thousand idle ones, drops of bytes
at every protocol, and connections that are opened and dropped."""

import contextlib
import random
import re
import socket
import struct

import lib
import pytest
from loadlib import (
    KIB, SCALE, Attack, Honest, Watch, connect, conversation, read_to_end,
    start_servers)

IDLE = 1000
STEPS = {  # where each of them waits
    "smtp": [b"", b"EHL", b"EHLO x\r\n", b"EHLO x\r\nMAIL FROM:<a@b>\r\n",
             b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<test@test.example>\r\nDATA\r\nx"],
    "pop3": [b"", b"USE", b"USER test\r\n", b"USER test\r\nPASS ", b"CAPA\r\n"],
}


@pytest.mark.parametrize("protocol", STEPS)
def test_a_thousand_idle_sessions(instance, protocol):
    """All have been greeted. 200 of the SMTP sessions hold a message open at the
    queue. The daemons grow by less than 2 MiB each."""
    honest = Honest(instance)
    ports = start_servers(instance, limit=IDLE + 20)
    port, steps = ports[protocol], STEPS[protocol]
    honest.is_served(ports["smtp"])
    watch = Watch(instance)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect(port)) for _ in range(IDLE)]
        for number, one in enumerate(held):
            one.sendall(steps[number % len(steps)])
        for one in held:
            assert one.recv(4) in (b"220 ", b"+OK ")
        for _ in range(5):
            honest.is_served(ports["smtp"])
        program = {"smtp": "qmail-smtpd", "pop3": "qmail-popup"}[protocol]
        assert len(instance.pids(program)) >= IDLE
        watch.check(2 * KIB)
    lib.wait_until(lambda: not instance.pids(program), what="their end")
    instance.wait_empty()
    honest.is_served(ports["smtp"])
    watch.check(2 * KIB)


def test_logged_in_sessions_are_held(instance):
    """100 of them in POP3's second half, each the only thing of its user."""
    honest = Honest(instance)
    ports = start_servers(instance, limit=150)
    instance.send_smtp(to=["test"], port=ports["smtp"])
    instance.wait_maildir("test", 1)
    watch = Watch(instance)
    boxes = [instance.pop3() for _ in range(100)]
    for _ in range(3):
        honest.is_served(ports["smtp"])
    for box in boxes:
        assert box.stat()[0] == 1
    watch.check(2 * KIB)
    for box in boxes:
        box.close()


def test_drops_at_every_protocol(instance):
    """50 sessions each of SMTP, QMTP, QMQP and POP3 that say a byte at a time, all in
    turn. They come to their end, and nobody waits for them meanwhile."""
    honest = Honest(instance)
    ports = start_servers(instance)
    instance.add_user("reader")
    instance.set_password("reader", "dripping")
    honest.is_served(ports["smtp"])
    watch = Watch(instance)
    with contextlib.ExitStack() as stack:
        held = []
        for protocol, port in ports.items():
            said = conversation(protocol, f"test@{instance.host}")
            held += [(stack.enter_context(connect(port)), said) for _ in range(50)]
        for at in range(max(len(said) for _, said in held)):
            for one, said in held:
                if at < len(said):
                    one.sendall(said[at:at + 1])
            if at % 30 == 10:
                honest.is_served(ports["smtp"], pop3=at == 70)
        for one, said in held:
            one.shutdown(socket.SHUT_WR)
            text = read_to_end(one)
            assert re.search(rb"\n250 ok \d+ qp|\n\+OK 0 0\r|:Kok ", text), (said, text)
    instance.wait_maildir("test", 150)
    instance.wait_empty()
    assert len(instance.maildir("test")) == 150
    watch.check(2 * KIB)


def test_who_says_nothing_is_sent_away(instance):
    """control/timeoutsmtpd is a second: 200 sessions that stop at any step are
    ended, and those who talk are served."""
    honest = Honest(instance)
    ports = start_servers(instance, limit=250)
    instance.write_control("timeoutsmtpd", "1\n")
    watch = Watch(instance)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect(ports["smtp"])) for _ in range(200)]
        for number, one in enumerate(held):
            assert one.recv(4) == b"220 "  # so its control files are read
            with contextlib.suppress(OSError):  # it may be over already
                one.sendall(STEPS["smtp"][number % len(STEPS["smtp"])])
        instance.remove_control("timeoutsmtpd")
        honest.is_served(ports["smtp"])
        for one in held:
            assert read_to_end(one).endswith(b"451 timeout (#4.4.2)\r\n")
        honest.is_served(ports["smtp"])
    instance.wait_empty()
    assert instance.maildir("test") == []
    watch.check(2 * KIB)


DROPPED = 2000 * SCALE


def test_thousands_of_connections_are_dropped(instance):
    """At all protocols, cut at any byte, half of them by a reset, for as long as
    an honest client needs: nothing is queued by them, and nothing left."""
    honest = Honest(instance)
    ports = list(start_servers(instance).items())
    honest.is_served(dict(ports)["smtp"])
    watch = Watch(instance)

    def drop(number):
        protocol, port = ports[number % len(ports)]
        dice = random.Random(number)
        said = conversation(protocol, f"test@{instance.host}")
        # nothing that is whole; SMTP's last words are ".\r\nQUIT\r\n"
        said = said[:dice.randrange(len(said) - 10)]
        with connect(port) as one, contextlib.suppress(OSError):
            if number % 8 >= 4:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
            one.sendall(said)

    with Attack(drop, threads=6) as attack:
        while attack.done < DROPPED:
            honest.is_served(dict(ports)["smtp"])
            attack.wait(min(DROPPED, attack.done + DROPPED // 5))
    for program in ("qmail-smtpd", "qmail-qmtpd", "qmail-qmqpd", "qmail-popup",
                    "qmail-pop3d"):
        lib.wait_until(lambda p=program: not instance.pids(p), what=f"end of {program}")
    instance.wait_empty()
    assert instance.maildir("test") == []
    watch.check(2 * KIB)
