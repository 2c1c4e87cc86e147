"""qmail-queued: one user cannot lock out the others."""

import pytest

import lib
from queue_lab import connect, netstring, read_verdict, submission, submit


@pytest.fixture
def eight():
    one = lib.Instance()
    one.start_queued("-c", "8")
    yield one
    left = one.stop()
    one.remove()
    assert not left, left


def test_who_holds_connections_holds_only_a_share(eight):
    submit(eight, b"nobody else is there\n")
    idle = []
    try:
        for _ in range(6):
            idle.append(connect(eight))
            idle[-1].sendall(netstring(b"Mx"))
        with connect(eight) as one_more:
            assert read_verdict(one_more) == b"E51"
        # we are root, qmail-queue is run by another user
        done = eight.queue(b"Subject: x\n\nx\n", "s@x", ["r@y"])
        assert done.returncode == 0
        idle.pop().close()
        lib.wait_until(lambda: try_again(eight), what="room for one more")
    finally:
        for sock in idle:
            sock.close()


def try_again(one):
    with connect(one) as sock:
        sock.sendall(submission(b"x\n"))
        return read_verdict(sock)[:1] == b"K"
