"""qmail-queued and qmail-send: subscription, news, marks, retirement, slow readers."""

import os
import signal
import socket

import pytest

from lib import wait_until
from queue_lab import (Control, Message, connect, epochs, failures, ids, netstring, path_of,
                       states, submission, submit)


def test_subscription_tells_the_limit_and_news_follow(home):
    home.start_queued()
    old = submit(home, b"before\n")
    control = Control(home)
    assert control.limit == old + 1
    new = submit(home, b"after\n")
    assert control.until(b"N") == new


def test_news_bring_the_envelope_unless_it_is_large(home):
    home.start_queued()
    control = Control(home)
    small = submit(home, b"x\n", recipients=[b"a@b.example"])
    assert control.receive() == [b"N", b"%d" % small, path_of(home, "env", small).read_bytes()]
    large = submit(home, b"x\n", recipients=[b"%0100d@b.example" % i for i in range(10)])
    assert control.receive() == [b"N", b"%d" % large, b""]


def test_news_of_one_commit_come_together(home):
    home.start_queued()
    control = Control(home)
    os.kill(home.daemons["queued"].pid, signal.SIGSTOP)
    try:
        clients = [connect(home) for _ in range(20)]
        for client in clients:
            client.sendall(submission(b"x\n"))
    finally:
        os.kill(home.daemons["queued"].pid, signal.SIGCONT)
    found, packets = [], 0
    while len(found) < len(clients):
        fields = control.receive()
        assert fields[0] == b"N"
        found += fields[1::2]
        packets += 1
    assert sorted(found, key=int) == found and len(set(found)) == len(found)
    assert packets < len(clients)


def test_a_second_subscriber_is_refused_until_the_first_is_gone(home):
    home.start_queued()
    first = Control(home)
    second = Control(home, subscribe=False)
    second.send(b"S")
    assert second.receive() == [b"X"]
    assert second.receive() == []
    submit(home, b"x\n")
    assert first.until(b"N")
    first.close()

    def try_again():
        third = Control(home, subscribe=False)
        third.send(b"S")
        return third.receive()[:1] == [b"H"]
    wait_until(try_again, what="the next subscription")


def test_try_now_waits_for_a_qmail_send_that_is_ready(home):
    """Before its H qmail-send would not understand it: so nobody is told that it was done."""
    home.start_queued()
    ident = submit(home, b"x\n")
    os.kill(home.daemons["queued"].pid, signal.SIGSTOP)
    try:
        control = Control(home, subscribe=False)
        control.send(b"S")
        early = [Control(home, subscribe=False) for _ in range(2)]
        early[0].send(b"T")
        early[1].send(b"T", b"%d" % ident)
    finally:
        os.kill(home.daemons["queued"].pid, signal.SIGCONT)
    for one in early:
        assert one.receive() == [b"E", b"qmail-send is just starting"]
    assert control.receive() == [b"H", b"%d" % (ident + 1)]
    for one in early:
        one.send(b"T", b"%d" % ident)
        assert one.receive() == [b"K", b"K", b"1"]
        assert control.receive() == [b"T", b"%d" % ident]


def test_marks_and_texts(home):
    home.start_queued()
    ident = submit(home, b"x\n", b"s", [b"a", b"b", b"c", b"d"])
    control = Control(home)
    control.request(b"D", ident, 0)
    control.request(b"F", ident, 2, b"no such user\n")
    control.request(b"F", ident, 1, b"")
    control.barrier()
    assert states(home, ident) == b"DFFT"
    assert failures(home, ident) == [(2, b"no such user\n"), (1, b"")]
    control.settle()
    assert control.acknowledged == 3


def test_the_first_word_on_a_recipient_stands(home):
    home.start_queued()
    ident = submit(home, b"x\n", b"s", [b"a", b"b"])
    control = Control(home)
    for request in ((b"D", ident, 0), (b"F", ident, 0, b"late"), (b"F", ident, 1, b"text"),
                    (b"F", ident, 1, b"again"), (b"D", ident, 1)):
        control.request(*request)
        control.barrier()
    assert states(home, ident) == b"DF"
    assert failures(home, ident) == [(1, b"text")]


def test_what_is_not_there_is_ignored_and_counted(home):
    home.start_queued()
    ident = submit(home, b"x\n", b"s", [b"a"])
    control = Control(home)
    for request in ((b"D", ident, 1), (b"D", ident + 7, 0), (b"D", 0, 0), (b"R", 0),
                    (b"R", ident + 7), (b"F", 2**63, 2**62, b"x"), (b"R", 2**64 - 1)):
        control.request(*request)
    control.settle()
    assert control.acknowledged == 7
    assert ids(home) == {ident} and ids(home, "done") == set()


def test_retired_messages_vanish(home):
    home.start_queued()
    keep = submit(home, b"keep\n", b"s", [b"a", b"b"])
    gone = [submit(home, b"x" * size, b"s", [b"a", b"b"]) for size in (10, 300000)]
    control = Control(home)
    for ident in gone:
        control.request(b"F", ident, 1, b"text")
        control.request(b"R", ident)
        control.request(b"D", ident, 0)
        control.request(b"R", ident)
    control.settle()
    wait_until(lambda: ids(home) == {keep}, what="the end of the files")
    for kind in ("mess", "done", "bounce"):
        wait_until(lambda: ids(home, kind) <= {keep}, what="the end of " + kind)


def test_after_a_subscription_no_retired_message_is_seen(home):
    """Else the next qmail-send would deliver again what the last one finished."""
    home.start_queued()
    for _ in range(5):
        some = [submit(home, b"x\n") for _ in range(20)]
        control = Control(home)
        for ident in some:
            control.request(b"R", ident)
        control.close()
        control = Control(home)
        assert not ids(home) & set(some)
        control.close()

        def is_free():
            one = Control(home, subscribe=False)
            one.send(b"S")
            answer = one.receive()
            one.close()
            return answer[:1] == [b"H"]
        wait_until(is_free, what="a free place")


@pytest.mark.parametrize("fields", [
    [b"Z"], [b""], [b"D"], [b"D", b"1"], [b"D", b"x", b"0"], [b"D", b"1", b"0", b"0"],
    [b"F", b"1", b"0"], [b"R"], [b"S", b"1"], [b"DD", b"1", b"0"],
])
def test_nonsense_drops_the_peer_only(home, fields):
    home.start_queued()
    ident = submit(home, b"x\n")
    control = Control(home)
    control.send(*fields)
    assert control.receive() == []
    assert Message(home, ident).body == b"x\n"

    def works():
        one = Control(home, subscribe=False)
        one.send(b"S")
        return one.receive()[:1] == [b"H"]
    wait_until(works, what="a new subscription")


def test_requests_before_the_subscription_drop_the_peer(home):
    home.start_queued()
    ident = submit(home, b"x\n")
    control = Control(home, subscribe=False)
    control.send(b"R", b"%d" % ident)
    assert control.receive() == []
    assert ids(home) == {ident}


def test_raw_garbage(home):
    home.start_queued()
    for data in (b"x", b"1:S", b"1:S,x", b"99999999999999999999:", os.urandom(1000)):
        sock = connect(home, "control.sock", socket.SOCK_SEQPACKET)
        sock.send(data)
        assert sock.recv(100) == b""
        sock.close()
    submit(home, b"alive\n")


def test_a_slow_reader_is_told_to_look_again(home):
    home.start_queued()
    control = Control(home)
    control.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    accepted = set()
    # how many packets fit is the system's business: go on until some did not
    for _ in range(40):
        accepted |= {submit(home, b"x\n") for _ in range(50)}
    # submitters were not held up; now it reads
    seen, limit = set(), None
    while seen | set(i for i in accepted if limit and i < limit) != accepted:
        fields = control.receive()
        assert fields, "the connection ended"
        if fields[0] == b"N":
            seen |= {int(field) for field in fields[1::2]}
        elif fields[0] == b"L":
            limit = int(fields[1])
    submit(home, b"last\n")
    assert control.until(b"N") == max(accepted) + 1


def test_ten_thousand_recipients_of_one_message(home):
    home.start_queued()
    count = 10000
    ident = submit(home, b"x\n", b"s", [b"r%d@x" % i for i in range(count)])
    control = Control(home)
    for i in range(count):
        if i % 10 == 3:
            control.request(b"F", ident, i, b"text %d" % i)
        else:
            control.request(b"D", ident, i)
    control.settle()
    control.barrier()
    assert states(home, ident) == b"DDDFDDDDDD" * (count // 10)
    assert failures(home, ident) == [(i, b"text %d" % i) for i in range(3, count, 10)]


def test_segments_are_used_again(home):
    """Thousands of messages through a small journal: some stay, most go."""
    home.start_queued("-k", "64")
    control = Control(home)
    kept = {}
    for number in range(1500):
        ident = submit(home, b"%d\n" % number * 40, b"s", [b"a", b"b"])
        if number % 50 == 0:
            kept[ident] = number
            control.request(b"D", ident, 1)
        else:
            control.request(b"R", ident)
    control.settle()
    control.barrier()
    assert epochs(home)[-1] > 8
    assert len(list((home.home / "queue/journal").iterdir())) <= 4
    wait_until(lambda: ids(home) == set(kept), what="the removals")
    for how in (15, 9):
        control.close()
        home.restart("queued", how)
        assert ids(home) == set(kept)
        for ident, number in kept.items():
            assert Message(home, ident).body == b"%d\n" % number * 40
            assert states(home, ident) == b"TD"
        control = Control(home)


def test_packets_may_be_as_large_as_a_text(home):
    home.start_queued()
    ident = submit(home, b"x\n", b"s", [b"a"])
    control = Control(home)
    control.request(b"F", ident, 0, b"t" * 20000)
    control.settle()
    control.barrier()
    assert failures(home, ident) == [(0, b"t" * 10000)]
    assert path_of(home, "bounce", ident).stat().st_size == 10016
    assert netstring(b"") == b"0:,"


def memory_kib(home):
    status = open(f"/proc/{home.daemons['queued'].pid}/status").read()
    return int(status.split("VmRSS:")[1].split()[0])


def test_memory_stays_flat(home):
    home.start_queued("-k", "256")
    control = Control(home)
    sizes = []
    for _ in range(4):
        for i in range(400):
            ident = submit(home, b"x" * (3000 if i % 40 else 150000), b"s", [b"a", b"b", b"c"])
            control.request(b"D", ident, 0)
            control.request(b"F", ident, 1, b"text")
            control.request(b"R", ident)
        control.settle()
        sizes.append(memory_kib(home))
    assert sizes[-1] - sizes[0] < 1024, sizes
