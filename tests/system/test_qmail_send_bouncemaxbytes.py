"""qmail-send cuts the copy in bounces (control/bouncemaxbytes)."""

import pytest

from sendlib import Sender

HEAD = b"Received: x\nSubject: s\n\n"
BREAK = b"\n\n--- Below this line is a copy of the message.\n"
DOUBLE = b"\n\n--- Below this line is the original bounce.\n"
NOTE = b"--- It is long: only the first %d bytes follow.\n"


@pytest.fixture
def make_sender():
    made = []

    def make(limit):
        made.append(Sender())
        made[-1].control("bouncemaxbytes", str(limit))
        return made[-1].start()

    yield make
    for one in made:
        one.close()


def bounce_of(sender, message, number=1, sender_address="s@x.example"):
    """What follows the first break, for a message whose recipient fails."""
    sender.post(["a@h.example"], message=message, sender=sender_address)
    sender.remote.result(sender.remote.job(), "D", "no\n")
    return sender.bounces(number)


def cut(message, size):
    return BREAK + NOTE % size + b"\nReturn-Path: <s@x.example>\n" + message[:size]


def whole(message):
    return BREAK + b"\nReturn-Path: <s@x.example>\n" + message


ROWS = [
    ("of exactly that size", HEAD + b"x" * 75 + b"\n", None),
    ("a byte more: the last line goes", HEAD + b"ab\n" + b"x" * 73 + b"\n", len(HEAD) + 3),
    ("the limit is the end of a line", HEAD + b"x" * 75 + b"\ny\n", 100),
    ("a long line goes whole", HEAD + b"x" * 100000 + b"\n", len(HEAD)),
    ("no line fits", b"x" * 200, 100),
    ("lines of one byte", b"\n" * 101, 100),
    ("small", HEAD, None),
]


def test_rows(make_sender):
    sender = make_sender(100)
    for number, (what, message, size) in enumerate(ROWS, 1):
        found = [t for t, _ in bounce_of(sender, message, number)]
        want = cut(message, size) if size else whole(message)
        assert any(t.endswith(want) for t in found), (what, found)


def test_over_many_blocks(make_sender):
    sender = make_sender(100000)
    message = HEAD + b"first\n" + b"x" * 300000
    ((text, _),) = bounce_of(sender, message)
    assert text.endswith(cut(message, len(HEAD) + 6))


def test_no_limit(make_sender):
    sender = make_sender(0)
    message = HEAD + b"line\n" * 50000
    ((text, _),) = bounce_of(sender, message)
    assert text.endswith(whole(message))


def test_double_bounces_too(make_sender):
    sender = make_sender(30)
    message = HEAD + b"x\n" * 100
    ((text, _),) = bounce_of(sender, message, sender_address="")
    size = len(HEAD) + 2 * ((30 - len(HEAD)) // 2)
    assert text.endswith(DOUBLE + NOTE % size + b"\nReturn-Path: <>\n" + message[:size])
