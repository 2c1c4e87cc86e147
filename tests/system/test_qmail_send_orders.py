"""qmail-send: orders that come at awkward moments."""

import pytest

import lib
from sendlib import Sender


@pytest.fixture
def sender():
    one = Sender().start()
    yield one
    one.close()


def test_a_bounce_that_cannot_be_queued_is_dropped_with_its_message(sender):
    (sender.home / "refuse").touch()
    ident = sender.post(["a@local.example"])
    sender.local.result(sender.local.job(), "D", "no\n")
    sender.wait_log("warning: trouble injecting bounce")
    sender.queued.notice("O", f"1 remove {ident}")
    assert sender.wait_retired(ident)[-1][0] == b"R"
    sender.wait_log(f"removed msg {ident}: by order, no bounce")


def test_expire_lets_a_delivery_end_first(sender):
    ident = sender.post(["a@one.example", "b@two.example"])
    first, second = sender.remote.job(), sender.remote.job()
    sender.remote.result(second, "Z", "later\n")
    sender.queued.notice("O", f"1 expire {ident}")
    sender.wait_log("delivery 2: deferral")
    assert [r[0] for r in sender.requests(ident)] == []
    sender.remote.result(first, "K")
    requests = sender.wait_retired(ident)
    assert [r[:3] for r in requests if r[0] in b"DF"] == [
        [b"D", b"%d" % ident, b"0"], [b"F", b"%d" % ident, b"1"]]
    (text, _), = sender.bounces()
    assert b"<b@two.example>:\nThe postmaster here" in text and b"one.example" not in text


def test_orders_stand_while_there_is_no_connection(sender):
    sender.queued.notice("O", "1 hold domain held.example")
    ident = sender.post(["a@held.example", "b@free.example"])
    job = sender.remote.job()
    assert job.recipients == [b"b@free.example"]
    sender.queued.go_away()
    sender.remote.result(job, "Z", "later\n")
    sender.wait_log("warning: no connection")
    assert sender.remote.job(timeout=0.2) is None
    # the next one knows of no order
    sender.queued.listen()
    job = sender.remote.job()
    assert b"a@held.example" in job.recipients + sender.remote.job().recipients
    assert lib.wait_until(lambda: sender.queued.peer) and ident == 1


def test_nonsense_is_no_order(sender):
    ident = sender.put(["a@local.example"])
    sender.queued.notice("O", "1 hold nonsense")
    sender.wait_log("alert: unable to take in orders; asking again")
    # the next connection tells of it
    sender.local.result(sender.local.job())
    sender.wait_retired(ident)
