"""qmail-queued: orders of administrators on control.sock, and what the subscriber hears."""

import contextlib

import pytest

from lib import wait_until
from queue_lab import Control, submit


class Admin(Control):
    def __init__(self, home):
        super().__init__(home, subscribe=False)

    def ask(self, *fields):
        self.send(*fields)
        return self.receive()


class Subscriber(Control):
    """Keeps what was said before the answer to its subscription."""

    def __init__(self, home):
        super().__init__(home, subscribe=False)
        self.orders = []
        self.send(b"S")
        while True:
            fields = self.receive()
            if fields[0] == b"H":
                break
            assert fields[0] == b"O"
            self.orders += [words(f) for f in fields[1:]]


def words(line):
    return line.split(b" ", 1)[1]


def test_answers(home):
    home.start_queued()
    ident = submit(home, b"x\n")
    admin = Admin(home)
    rows = [
        ((b"O", b"1 hold domain A.example", b"1 hold message %d" % ident, b"nonsense"), b"KKB"),
        ((b"O", b"7 hold domain a.EXAMPLE", b"1 expire %d" % (ident + 1)), b"SN"),
        ((b"U", b"1 hold channel local", b"2 hold domain a.example"), b"NK"),
        ((b"O", b"1 expire %d" % ident), b"K"),
        ((b"U", b"1 expire %d" % ident), b"B"),
    ]
    for request, want in rows:
        assert admin.ask(*request) == [b"K", want, b"0"]
    assert admin.ask(b"T")[0] == b"E"
    packet = admin.ask(b"Q")
    assert packet[0] == b"O"
    assert [words(line) for line in packet[1:]] == [b"hold message %d" % ident, b"expire %d" % ident]
    assert admin.receive() == [b"K", b"", b"0"]
    assert admin.ask(b"B", b"5") == [b"B", b"5"]


def test_the_subscriber_hears_of_each_change(home):
    home.start_queued()
    admin = Admin(home)
    admin.ask(b"O", b"1 hold domain first.example")
    subscriber = Subscriber(home)
    assert subscriber.orders == [b"hold domain first.example"]
    assert admin.ask(b"O", b"1 hold channel remote") == [b"K", b"K", b"1"]
    (letter, line) = subscriber.receive()
    assert (letter, words(line)) == (b"O", b"hold channel remote")
    ident = submit(home, b"x\n")
    assert subscriber.receive()[:2] == [b"N", b"%d" % ident]
    assert admin.ask(b"T", b"%d" % ident, b"%d" % (ident + 1)) == [b"K", b"KN", b"1"]
    assert subscriber.receive() == [b"T", b"%d" % ident]
    admin.ask(b"U", b"1 hold domain first.example")
    assert subscriber.receive() == [b"U", b"1 hold domain first.example"]
    admin.ask(b"T")
    assert subscriber.receive() == [b"T"]


def test_orders_about_a_message_end_with_it(home):
    home.start_queued()
    admin, subscriber = Admin(home), Subscriber(home)
    ident = submit(home, b"x\n")
    admin.ask(b"O", b"1 hold message %d" % ident, b"1 hold domain a.example", b"1 remove %d" % ident)
    subscriber.request(b"R", ident)
    subscriber.settle()
    assert [words(f) for f in admin.ask(b"Q")[1:]] == [b"hold domain a.example"]
    home.restart("queued", 9)
    assert [words(f) for f in Admin(home).ask(b"Q")[1:]] == [b"hold domain a.example"]


def test_many_orders_reach_a_slow_subscriber(home):
    home.start_queued()
    admin = Admin(home)
    count = 0
    for start in range(0, 12000, 1500):
        lines = [b"1 hold domain d%d.example" % i for i in range(start, start + 1500)]
        assert admin.ask(b"O", *lines)[1] == b"K" * 1500
        count += 1500
    subscriber = Control(home, subscribe=False)
    subscriber.send(b"S")
    # it does not read yet: nobody else is held up
    submit(home, b"x\n")
    admin.ask(b"U", b"1 hold domain d0.example", b"1 hold domain d11999.example")
    found = set()
    while True:
        fields = subscriber.receive()
        if fields[0] == b"H":
            break
        lines = {words(f) for f in fields[1:]}
        found = found | lines if fields[0] == b"O" else found - lines
    # a change comes before or after the answer
    if len(found) > count - 2:
        fields = subscriber.receive()
        assert fields[0] == b"U"
        found -= {words(f) for f in fields[1:]}
    assert found == {b"hold domain d%d.example" % i for i in range(1, 11999)}


def test_administrators_and_the_subscriber_keep_their_places(home):
    home.start_queued()
    subscriber = Subscriber(home)
    idle = []
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            idle.append(Admin(home))
            stack.callback(idle[-1].close)
        last = Admin(home)
        stack.callback(last.close)
        assert last.ask(b"O", b"1 hold channel local") == [b"K", b"K", b"1"]
        assert subscriber.receive()[0] == b"O"
        assert idle[0].receive() == []
        assert idle[-1].ask(b"Q")[0] == b"O"


@pytest.mark.parametrize("fields", [[b"D", b"1", b"0"], [b"R", b"1"], [b"S"]])
def test_an_administrator_is_no_subscriber(home, fields):
    home.start_queued()
    admin = Admin(home)
    admin.ask(b"Q")
    assert admin.ask(*fields) == []
    wait_until(lambda: Admin(home).ask(b"Q") == [b"K", b"", b"0"])
