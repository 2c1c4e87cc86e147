"""Servers that queue through qmail-queue (mailfront, qpsmtpd), and nullmailer's clients
that talk to qmail-smtpd and qmail-qmqpd."""

import contextlib
import os
import random
import socket
import subprocess
import tempfile

import addonlib
import lib
import pytest

BODY = b"Subject: x\nFrom: a@b.example\n\nhello\n.dots\n..\nFrom here\n\xe4\n"
SENDER = "sender@elsewhere.example"


def refuses(home, code):
    """A program in the place of qmail-queue that exits with code."""
    return home.write("refuse", f"#!/bin/sh\ncat >/dev/null\nexit {code}\n", mode=0o755)


# ---- mailfront -------------------------------------------------------------------------

def front(home, protocol, env=None):
    """Serves mailfront's usual list of plugins for a protocol; the port."""
    for name in ("mailfront", f"{protocol}front-qmail"):
        program = addonlib.program("mailfront", "usr/sbin/" + name)
    return home.serve(program, env={
        "MODULE_PATH": addonlib.program("mailfront", "usr/lib/mailfront"), **(env or {})})


def test_mailfront_smtp_queues(instance):
    port = front(instance, "smtp")
    instance.send_smtp(BODY, port=port)
    (path,) = instance.wait_maildir()
    assert addonlib.payload(path) == BODY
    assert addonlib.header(path, "Return-Path") == [f"<{SENDER}>".encode()]


def test_mailfront_obeys_our_rcpthosts_and_cdb(instance):
    """morercpthosts.cdb comes from qmail-newmrh."""
    instance.write_control("morercpthosts", "More.Example\n.wild.example\n")
    assert instance.run("qmail-newmrh").returncode == 0
    instance.write_control("badmailfrom", "bad@x.example\n@evil.example\n")
    with contextlib.closing(instance.smtp(front(instance, "smtp"))) as client:
        client.ehlo()
        for bad in ("bad@x.example", "any@evil.example"):
            assert client.mail(bad)[0] // 100 == 5
        assert client.mail(SENDER)[0] == 250
        assert client.rcpt(f"test@{lib.HOST}")[0] == 250
        assert client.rcpt("a@more.example")[0] == 250
        assert client.rcpt("a@MORE.example")[0] == 250
        assert client.rcpt("a@deep.wild.example")[0] == 250
        assert client.rcpt("a@other.example")[0] // 100 == 5
        assert client.rcpt("a@wild.example")[0] // 100 == 5


def test_mailfront_obeys_relayclient(home):
    home.start_queued()
    catcher = addonlib.QueueCatcher(home)
    port = front(home, "smtp", {"RELAYCLIENT": ".sub", "QMAILQUEUE": catcher.program})
    home.send_smtp(BODY, to=["ann@far.example"], port=port)
    sender, recipients, message = catcher.one()
    assert (sender, recipients) == (SENDER.encode(), [b"ann@far.example.sub"])
    assert addonlib.payload(message) == BODY
    # mailfront's own field, and no other
    assert len(addonlib.header(message, "Received")) == 1


@pytest.mark.parametrize("code, first", [(31, 5), (11, 5), (51, 4), (53, 4), (81, 4), (91, 4)])
def test_mailfront_reads_the_exit_codes_of_qmail_queue(home, code, first):
    port = front(home, "smtp", {"QMAILQUEUE": refuses(home, code)})
    with contextlib.closing(home.smtp(port)) as client:
        client.ehlo()
        assert client.mail(SENDER)[0] == 250 and client.rcpt(f"test@{lib.HOST}")[0] == 250
        assert client.data("x\n")[0] // 100 == first


def test_mailfront_hears_that_our_queue_is_down(home):
    """The true qmail-queue without qmail-queued, which it awaits: temporary."""
    with contextlib.closing(home.smtp(front(home, "smtp"))) as client:
        client.ehlo()
        assert client.mail(SENDER)[0] == 250 and client.rcpt(f"test@{lib.HOST}")[0] == 250
        assert client.data("x\n")[0] // 100 == 4


def test_mailfront_qmqp_takes_a_message_of_our_qmqpc(instance):
    port = front(instance, "qmqp")
    instance.write_control("qmqpservers", f"127.0.0.1:{port}\n")
    client = instance.run("forward", f"test@{lib.HOST}", input=BODY, env={
        "QMAILQUEUE": instance.bin / "qmail-qmqpc", "SENDER": SENDER, "NEWSENDER": SENDER,
        "DTLINE": ""})
    assert client.returncode == 0, client.stderr
    (path,) = instance.wait_maildir()
    assert addonlib.payload(path) == BODY


def test_mailfront_qmtp_takes_what_our_remote_sends(make_instance):
    """qmail-remote speaks QMTP to mailfront, which queues with our qmail-queue."""
    there = make_instance("there.example")
    port = front(there, "qmtp")
    here = make_instance("here.example")
    here.write_control("qmtproutes", f"there.example:127.0.0.1:{port}\n")
    done = here.queue(BODY, SENDER, ["test@there.example"])
    assert done.returncode == 0
    (path,) = there.wait_maildir()
    assert addonlib.payload(path) == BODY
    here.wait_empty()
    here.wait_log("success")


# ---- qpsmtpd -----------------------------------------------------------------------------

class Qpsmtpd:
    """qpsmtpd-forkserver with its queue/qmail-queue plugin."""

    def __init__(self, home, argument="", env=None):
        script = addonlib.program("qpsmtpd", "usr/bin/qpsmtpd-forkserver")
        config = addonlib.write_tree(home, "qpsmtpd")
        spool = addonlib.write_tree(home, "qpsmtpd-spool")
        spool.chmod(0o700)
        for name, text in {
                "plugin_dirs": str(addonlib.ROOT / "usr/share/qpsmtpd/plugins"),
                "plugins": f"rcpt_ok\nqueue/qmail-queue {argument}", "logging": "logging/warn LOGINFO",
                "loglevel": "6", "spool_dir": str(spool), "me": lib.HOST,
                "rcpthosts": lib.HOST}.items():
            (config / name).write_text(text + "\n")
        self.port = lib.low_port()
        # perl -T does not look at PERL5LIB
        libraries = [f"-I{p}" for p in addonlib.environment()["PERL5LIB"].split(":")]
        home.spawn("qpsmtpd", "/usr/bin/perl", "-T", *libraries, script, "-H", "-l", "127.0.0.1",
                   "-p", self.port, "-u", home.user.pw_name, "-m", "0",
                   env={"QPSMTPD_CONFIG": config, **(env or {})})
        self.home = home
        lib.wait_until(self.listens, what="qpsmtpd")

    def listens(self):
        self.home.check_running("qpsmtpd")
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return True
        except OSError:
            return False


def test_qpsmtpd_queues(instance):
    server = Qpsmtpd(instance, instance.bin / "qmail-queue")
    instance.add_user("ann")
    instance.send_smtp(BODY, to=["test", "ann"], port=server.port)
    for user in ("test", "ann"):
        (path,) = instance.wait_maildir(user)
        assert addonlib.payload(path) == BODY
        assert addonlib.header(path, "Return-Path") == [f"<{SENDER}>".encode()]


def test_qpsmtpd_queues_through_qmailqueue(home):
    home.start_queued()
    catcher = addonlib.QueueCatcher(home)
    server = Qpsmtpd(home, env={"QMAILQUEUE": catcher.program})
    home.send_smtp(BODY, sender="", port=server.port)
    sender, recipients, message = catcher.one()
    assert (sender, recipients) == (b"", [f"test@{lib.HOST}".encode()])
    assert addonlib.payload(message) == BODY


def test_qpsmtpd_hears_of_a_failure(home):
    server = Qpsmtpd(home, refuses(home, 53))
    with contextlib.closing(home.smtp(server.port)) as client:
        client.ehlo()
        assert client.mail(SENDER)[0] == 250 and client.rcpt(f"test@{lib.HOST}")[0] == 250
        assert client.data("x\n")[0] // 100 == 4


# ---- nullmailer ----------------------------------------------------------------------------

def nullmailer(home, protocol, port, message, sender=SENDER, to=(f"test@{lib.HOST}",)):
    """Runs a protocol module as nullmailer-send does: options on 0, a queued
    message (envelope, empty line, message) on 3."""
    path = home.base / "nullmail"
    path.write_bytes("".join(f"{a}\n" for a in (sender, *to)).encode() + b"\n" + message)
    path.chmod(0o644)
    mail = os.open(path, os.O_RDONLY)

    def place():
        os.dup2(mail, 3)
    try:
        return addonlib.run(
            home, [addonlib.program("nullmailer", f"usr/lib/nullmailer/{protocol}")],
            input=f"host=127.0.0.1\nport={port}\n".encode(), env={"HELOHOST": "null.example"},
            preexec_fn=place, pass_fds=(3,))
    finally:
        os.close(mail)


@pytest.mark.parametrize("protocol", ["smtp", "qmqp"])
def test_nullmailer_delivers(instance, protocol):
    instance.add_user("ann")
    port = instance.smtp_port
    if protocol == "qmqp":
        port = instance.serve(instance.bin / "qmail-qmqpd")
    addonlib.expect_ok(nullmailer(instance, protocol, port, BODY,
                                  to=(f"test@{lib.HOST}", f"ann@{lib.HOST}")))
    for user in ("test", "ann"):
        (path,) = instance.wait_maildir(user)
        assert addonlib.payload(path) == BODY
        assert addonlib.header(path, "Return-Path") == [f"<{SENDER}>".encode()]


@pytest.mark.parametrize("protocol", ["smtp", "qmqp"])
@pytest.mark.parametrize("code, permanent", [(53, 0), (31, 32)])
def test_nullmailer_hears_of_a_failure(home, protocol, code, permanent):
    """Permanent failures have the bit 32 in the code of its module."""
    program = home.bin / ("qmail-smtpd" if protocol == "smtp" else "qmail-qmqpd")
    port = home.serve(program, env={"QMAILQUEUE": refuses(home, code)})
    done = nullmailer(home, protocol, port, BODY)
    assert done.returncode != 0
    assert done.returncode & 32 == permanent, (done.stdout, done.stderr)


def test_nullmailer_gives_up_where_relaying_is_denied(instance):
    done = nullmailer(instance, "smtp", instance.smtp_port, BODY, to=("a@far.example",))
    assert done.returncode & 32, (done.returncode, done.stdout, done.stderr)
    assert b"553" in done.stdout + done.stderr
    assert instance.queue_ids() == []


def test_nullmailer_hears_that_a_message_loops(instance):
    looping = b"Received: x\n" * 150 + BODY
    done = nullmailer(instance, "smtp", instance.smtp_port, looping)
    assert done.returncode & 32 and b"554" in done.stdout + done.stderr


# ---- random messages, byte by byte ------------------------------------------------------------

def random_messages(seed, count, without=b""):
    chosen = random.Random(seed)
    for size in [0, 1, 2, *(chosen.randrange(3, 1 << chosen.randrange(3, 17))
                            for _ in range(count - 3))]:
        yield b"Subject: x\n\n" + bytes(
            b for b in chosen.randbytes(size) if b not in without) + b"\n"


def random_address(chosen):
    return "%s@%s.example" % tuple("".join(chosen.choices("abcXYZ019-_+=", k=k + 1))
                                   for k in (chosen.randrange(40), chosen.randrange(20)))


def bodies_and_envelopes(catcher):
    """What was queued, without the Received lines in front."""
    return [(s, r, addonlib.payload(m)) for s, r, m in catcher.all()]


def test_nullmailer_and_qmqpd_agree_on_random_messages(home):
    home.start_queued()
    catcher = addonlib.QueueCatcher(home)
    port = home.serve(home.bin / "qmail-qmqpd", env={"QMAILQUEUE": catcher.program})
    chosen, sent = random.Random(5), []
    for message in random_messages(5, 15):
        sender, to = random_address(chosen), [random_address(chosen) for _ in range(3)]
        addonlib.expect_ok(nullmailer(home, "qmqp", port, message, sender, to))
        sent.append((sender.encode(), [t.encode() for t in to], message))
    assert bodies_and_envelopes(catcher) == sent


def test_qmqpc_and_mailfront_agree_on_random_messages(home):
    home.start_queued()
    catcher = addonlib.QueueCatcher(home)
    port = front(home, "qmqp", {"QMAILQUEUE": catcher.program, "RELAYCLIENT": "",
                                "DATABYTES": "10000000"})
    home.write_control("qmqpservers", f"127.0.0.1:{port}\n")
    chosen, sent = random.Random(6), []
    for message in random_messages(6, 15):
        sender, to = random_address(chosen), [random_address(chosen) for _ in range(3)]
        envelope = f"F{sender}\0{''.join(f'T{t}' + chr(0) for t in to)}\0".encode()
        with tempfile.TemporaryFile() as body, tempfile.TemporaryFile() as head:
            for file, content in ((body, message), (head, envelope)):
                file.write(content)
                file.seek(0)
            done = subprocess.run([str(home.bin / "qmail-qmqpc")], stdin=body, stdout=head,
                                  env=home.env(), cwd="/", timeout=lib.TIMEOUT_S, **lib.as_user())
        assert done.returncode == 0
        sent.append((sender.encode(), [t.encode() for t in to], message))
    assert bodies_and_envelopes(catcher) == sent
