"""The way of a message to other servers."""

import contextlib
import shutil
import subprocess

import lib
import pytest


@pytest.fixture
def sink():
    one = lib.SmtpSink()
    yield one
    one.close()


def relay(make_instance, sink, **control):
    instance = make_instance(start=False)
    instance.route_to(sink)
    for name, text in control.items():
        instance.write_control(name, text)
    return instance.start()


def test_remote_delivery_keeps_every_byte(make_instance, sink):
    instance = relay(make_instance, sink)
    message = b"Subject: r\n\n.\n..dots\n" + bytes(range(128, 256)) + b"\nlast\n"
    assert instance.queue(message, f"test@{instance.host}", ["you@far.example"]).returncode == 0
    (seen,) = sink.wait()
    assert seen.message.endswith(message)
    assert seen.sender == f"test@{instance.host}" or f"test@{instance.host}" in str(seen.sender)
    instance.wait_log(r"success: 127\.0\.0\.1_accepted_message\./Remote_host_said:_250_taken/")
    instance.wait_empty()


def test_recipients_of_one_host_share_a_transaction(make_instance, sink):
    instance = relay(make_instance, sink)
    to = [f"r{i}@far.example" for i in range(250)]
    assert instance.queue(b"Subject: many\n\n", "s@x.example", to).returncode == 0
    instance.wait_empty()
    assert sorted(r for t in sink.transactions for r in t.recipients) == sorted(to)
    assert len(sink.transactions) <= 4
    # the queue knows of it before the log does
    instance.wait_log(r"success: 127\.0\.0\.1_accepted_message\.", count=250)


def test_verp_recipients_go_alone(make_instance, sink):
    instance = relay(make_instance, sink)
    assert instance.queue(b"Subject: v\n\n", "l-@x.example-@[]",
                          ["a@far.example", "b@far.example"]).returncode == 0
    seen = {t.sender: t.recipients for t in sink.wait(2)}
    assert seen == {"l-a=far.example@x.example": ["a@far.example"],
                    "l-b=far.example@x.example": ["b@far.example"]}


def test_mixed_recipients(make_instance, sink):
    def verdict(argument):
        for word, reply in (("bad", "550 no such user"), ("later", "450 not now")):
            if word in str(argument):
                return reply
        return None
    sink.replies["RCPT"] = verdict
    instance = relay(make_instance, sink)
    assert instance.queue(b"Subject: m\n\n", f"test@{instance.host}",
                          [f"{x}@far.example" for x in ("good", "bad", "later")]).returncode == 0
    (seen,) = sink.wait()
    assert [str(r) for r in seen.recipients if "good" in str(r)]
    instance.wait_log(r"failure: 127\.0\.0\.1_does_not_like_recipient\./Remote_host_said:_550_")
    instance.wait_log(r"deferral: 127\.0\.0\.1_does_not_like_recipient\./Remote_host_said:_450_")
    sink.replies["RCPT"] = "250 ok"
    instance.flush(lambda: len(sink.transactions) >= 2)
    (path,) = instance.wait_maildir()
    text = path.read_bytes()
    assert b"<bad@far.example>:\n" in text and b"550 no such user" in text
    assert b"<good@far.example>" not in text and b"<later@far.example>" not in text


def test_deferral_then_success(make_instance, sink):
    sink.replies["MAIL"] = ["451 busy", "250 ok"]
    instance = relay(make_instance, sink)
    assert instance.queue(b"Subject: d\n\n", "s@x.example", ["a@far.example"]).returncode == 0
    instance.wait_log(r"deferral: Connected_to_127\.0\.0\.1_but_sender_was_rejected\./")
    instance.flush(lambda: sink.transactions)
    instance.wait_empty()


def test_messages_share_a_connection(make_instance, sink):
    instance = make_instance(start=False)
    instance.route_to(sink)
    instance.write_control("concurrencyremote", "1\n")
    instance.start_queued()
    for i in range(20):
        assert instance.queue(b"Subject: %d\n\n" % i, "s@x.example", ["a@far.example"]).returncode == 0
    instance.start_send()  # all of them wait, however long that took
    sink.wait(20)
    instance.wait_empty()
    assert sink.connections < 10


def test_ten_thousand_recipients(make_instance, sink):
    instance = relay(make_instance, sink)
    to = [f"r{i}@far{i % 7}.example" for i in range(9000)]
    to += [f"test-x{i}@{instance.host}" for i in range(1000)]
    instance.dotqmail("default", "|echo \"$EXT\" >>seen\n")
    assert instance.queue(b"Subject: list\n\n", "s@x.example", to).returncode == 0
    instance.wait_empty(400)
    assert sorted(r for t in sink.transactions for r in t.recipients) == sorted(to[:9000])
    seen = (instance.user_home() / "seen").read_text().split()
    assert sorted(seen) == sorted(f"x{i}" for i in range(1000))


def test_a_dead_host_does_not_delay_others(make_instance, sink):
    """Hundreds for a host that hangs; mail for others goes on meanwhile."""
    hanging = lib.SmtpSink({"connect": lib.HANG})
    instance = make_instance(start=False)
    instance.write_control(
        "smtproutes", f"dead.example:127.0.0.1:{hanging.port}\n:127.0.0.1:{sink.port}\n")
    instance.write_control("concurrencyhost", "5\n")
    instance.start()
    for i in range(100):
        instance.queue(b"Subject: dead\n\n", "s@x.example", [f"a{i}@dead.example"])
    instance.queue(b"Subject: alive\n\n", "s@x.example", ["b@alive.example", f"test@{instance.host}"])
    sink.wait(1)
    instance.wait_maildir()
    hanging.close()


@pytest.mark.skipif(not shutil.which("smtp-sink"), reason="smtp-sink (postfix) is not installed")
def test_postfix_smtp_sink_takes_our_mail(make_instance, tmp_path):
    port = lib.low_port()
    instance = make_instance(start=False)
    instance.write_control("smtproutes", f":127.0.0.1:{port}\n")
    with subprocess.Popen(
            ["smtp-sink", "-c", f"127.0.0.1:{port}", "100"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **lib.as_user()) as peer:
        try:
            instance.start()
            for i in range(10):
                instance.queue(b"Subject: %d\n\nx\n" % i, "s@x.example", [f"a{i}@far.example"])
            instance.flush_empty()
        finally:
            peer.terminate()
    instance.wait_log("success: ", count=10)


def test_queued_may_be_down_and_up_again(make_instance, sink):
    """Deliveries go on without qmail-queued; their results are kept."""
    gate = instance = None
    with contextlib.ExitStack() as stack:
        gate = lib.SmtpSink({"body": lambda argument: (
            lib.wait_until(lambda: not instance.daemons["queued"].is_running(), 60, "the stop"),
            "250 late")[1]})
        stack.callback(gate.close)
        instance = make_instance(start=False)
        instance.route_to(gate)
        instance.start()
        instance.queue(b"Subject: x\n\n", "s@x.example", ["a@far.example"])
        lib.wait_until(lambda: any(b"DATA" in c for c in gate.commands), 60, "the transaction")
        instance.daemons["queued"].end()
        instance.wait_log(r"delivery 1: success: ")
        instance.start_queued()
        instance.wait_empty()
        assert len(gate.transactions) == 1
