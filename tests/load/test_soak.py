"""The soak of `make soak`, small: all paths, each message whole and once."""

import memcheck
import soaklib

SENDERS = {"smtp": 2, "qmtp": 1, "qmqp": 1, "sendmail": 1}


def test_a_thousand_messages(make_instance):
    """After a hundred the daemons grow by less than 2 MiB each kind, and keep no
    descriptor."""
    samples = soaklib.run(make_instance(start=False), 1000, SENDERS, 1500, parts=1)
    assert soaklib.faults(samples, growth_kib=2048) == []


def test_a_hundred_messages_under_memcheck():
    """No byte is read that was not written, none outside what was asked for, none
    is lost: in every daemon and worker, up to its end."""
    one = memcheck.instance()
    try:
        soaklib.run(one, 100, SENDERS, 1500, parts=0)
        assert memcheck.faults(one) == []
    finally:
        left = one.stop()
        one.remove()
    assert not left, left
