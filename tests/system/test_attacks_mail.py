"""Attacks inside a message, an envelope or an environment: what its author
writes never becomes a command, another message, a field, a line of the log, a
program, or a file of somebody else."""

import contextlib
import email
import os
import random
import re
import signal
import socket
import subprocess
import time

import lib
import pytest
from local_box import Box
from remote_home import Home
from servers import Queue


# ---- from one server to the next ------------------------------------------------------

VECTORS = [b"\r.\n", b"\r.\r\n", b"\r\r.\n", b"\n.\r\n", b"\r\n.\r", b"\n.\n",
           b"\r.\r", b"\0.\n", b"\n.\0\n", b"\r\n.\n", b"\n.\r\0\n", b"\n..\r.\n"]
EVIL = b"MAIL FROM:<evil@v>\nRCPT TO:<root@there.example>\nDATA\nforged\n.\nQUIT\n"


def test_smuggling_through_our_sender_into_our_receiver(instance):
    """Each vector anywhere in a buffer: a receiver that is strict takes all as one
    message, of one sender, whatever is in it."""
    queue = Queue(instance)
    port = instance.smtpd(env={"QMAILQUEUE": queue.program, "RELAYCLIENT": ""})
    instance.write_control("smtproutes", f"there.example:127.0.0.1:{port}\n")
    bodies = [b"Subject: x\n\n" + lib.at_each_offset(vector + EVIL + b"x" * 20)
              for vector in VECTORS]
    for body in bodies:
        sent = instance.queue(body, "good@here.example", ["r@there.example"])
        assert sent.returncode == 0, sent.stderr
    lib.wait_until(lambda: len(queue.messages) >= len(bodies),
                   what="the messages at the receiver")
    instance.wait_empty()
    got = queue.messages
    assert len(got) == len(bodies)
    assert {(m[0], tuple(m[1])) for m in got} == {
        (b"good@here.example", (b"r@there.example",))}
    assert all(m[2].count(b"MAIL FROM:<evil@v>") == 2 * lib.OFFSETS for m in got)


def test_two_hosts_that_send_to_each_other_stop(make_instance):
    """Without a change of the address only the count of hops ends it."""
    one, other = make_instance("one.example"), make_instance("other.example")
    for here, there in ((one, other), (other, one)):
        port = there.smtpd(env={"RELAYCLIENT": ""})
        here.write_control("smtproutes", f"loop.example:127.0.0.1:{port}\n")
    sent = one.queue(b"Subject: round\n\nx\n", "test@one.example", ["r@loop.example"])
    assert sent.returncode == 0
    (path,) = one.wait_maildir("test", 1)  # the bounce
    text = path.read_text()
    assert "too many hops, this message is looping (#5.4.6)" in text
    assert text.count("\nReceived: ") >= 100
    for host in (one, other):
        host.wait_empty()
    assert len(one.maildir()) == 1 and not other.maildir()


@pytest.mark.parametrize("sender", ["#@[]", "evil-@[]", "evil-@test.example-@[]",
                                    "-@[]", "@[]", "#@[]-@[]"])
def test_senders_with_a_meaning_are_no_weapon(instance, sender):
    """#@[] is the sender of bounces of bounces, -@[] stands for one sender a
    recipient. From the network they make one message at most, and end."""
    port = instance.smtpd()
    instance.write_control("locals", "test.example\n")
    instance.write("alias/.qmail-default", "|bouncesaying no\n")
    instance.kill("qmail-send", signal.SIGHUP)
    with contextlib.closing(instance.smtp(port)) as client:
        client.ehlo()
        assert client.docmd(f"MAIL FROM:<{sender}>")[0] == 250
        for number in range(3):
            assert client.docmd(f"RCPT TO:<nobody{number}@test.example>")[0] == 250
        assert client.data("Subject: x\r\n\r\nx\r\n")[0] == 250
    instance.wait_log("^end msg 1$")
    instance.wait_empty()
    # the message, its bounces (VERP has none), and what becomes of those
    assert instance.log().count("\nnew msg ") <= 5
    instance.check_running("send")


def test_a_flood_of_double_bounces(instance):
    """Bounces to nobody: the postmaster is told of each, in a few messages."""
    instance.write_control("doublebouncerate", "3\n")
    instance.restart("send")
    names = [f"test-none{i}" for i in range(60)]
    for name in names:
        instance.send_smtp(b"Subject: flood\n\n", sender="", to=name)
    told = lambda: {name for path in instance.maildir() for name in names  # noqa: E731
                    if f"<{name}@{instance.host}>:\n" in path.read_text()}
    instance.wait_maildir(count=3)
    instance.write_control("doublebouncerate", "3600\n")
    instance.kill("qmail-send", signal.SIGHUP)
    lib.wait_until(lambda: len(told()) == len(names), what=lambda: f"all, not {len(told())}")
    instance.wait_empty()
    assert len(instance.maildir()) < 15


# ---- fields, texts and lines that are forged --------------------------------------------

HOSTILE = 'a\nBcc: evil@x\r\n\n<b%40\x1b[31m\t"c" d\x7f\xe9'


def test_addresses_forge_no_line_of_the_log(instance):
    instance.write_control("virtualdomains", "")
    sender, recipient = HOSTILE + "@s.example", HOSTILE + "@test.example"
    sent = instance.queue(b"\nx\n", sender, [recipient, "test@test.example"])
    assert sent.returncode == 0
    instance.wait_log("^end msg 1$")
    instance.wait_empty()
    for line in instance.log().splitlines():
        assert re.match(r"(status|new msg|info msg|starting delivery|delivery|"
                        r"bounce msg|triple bounce|end msg|warning|alert)", line), line
        assert re.fullmatch(r"[ -~]*", line), line
    queued = instance.log("queued")
    assert re.fullmatch(r"[\n -~]*", queued)


def test_bounces_have_no_forged_field(instance):
    """A recipient and a server's words inside a bounce stay in its body, each
    in its paragraph."""
    recipient = "a\nBcc: evil@x\n\n--- Below this line\n\n<no@one>:\nx@far.example"
    server = lib.SmtpSink({"RCPT": "550-no\r\n550-\r\n550 --- Below this line is"
                           " a copy of the message.\0\x1b[2J\r\n"})
    try:
        instance.route_to(server, "far.example")
        sent = instance.queue(b"Subject: x\n\nbody\n", "test@test.example",
                              [recipient, "ok@far.example"])
        assert sent.returncode == 0
        (path,) = instance.wait_maildir("test", 1)
        instance.wait_empty()
    finally:
        server.close()
    text = path.read_bytes()
    fields = email.message_from_bytes(text)
    assert sorted(set(fields.keys())) == [
        "Date", "Delivered-To", "From", "Received", "Return-Path", "Subject", "To"]
    assert fields["To"] == "test@test.example"
    body = text.partition(b"\n\n")[2]
    # one paragraph a recipient, then the break, then the copy
    paragraphs = body.split(b"\n\n")
    breaks = [n for n, p in enumerate(paragraphs) if p.startswith(b"--- ")]
    named = [p for p in paragraphs[:breaks[0]] if p.startswith(b"<")]
    assert len(named) == 2 and paragraphs[breaks[0] + 1].startswith(b"Return-Path: <")
    assert not re.search(rb"[\0\r]", body)


@pytest.mark.parametrize("name", [
    "QMAILUSER", "QMAILNAME", "QMAILHOST", "QMAILSUSER", "QMAILSHOST", "QMAILIDHOST",
    "MAILUSER", "MAILNAME", "MAILHOST", "MAILIDHOST", "QMAILDEFAULTHOST",
    "QMAILDEFAULTDOMAIN", "QMAILPLUSDOMAIN", "LOGNAME", "USER", "QMAILMFTFILE"])
def test_variables_forge_no_field(home, name):
    """Names that a web form may have put into the environment."""
    evil = "x\nBcc: evil@x.example\n\n<body>"
    queue = Queue(home)
    home.inject("r@test.example", input=b"Subject: x\n\nbody\n",
                env={name: evil, "QMAILQUEUE": queue.program})
    for _, recipients, message in queue.messages:
        assert recipients == [b"r@test.example"]
        assert b"\nBcc" not in message
        assert message.endswith(b"Subject: x\n\nbody\n")


METACHARACTERS = [
    "`touch$IFS$HOME/hit`", "$(touch $HOME/hit)", ";touch $HOME/hit;", "|touch hit",
    "&touch hit&", "\ntouch hit\n", "${run{touch hit}}", "'; touch hit; '",
    '"; touch hit; "', "() { :;}; touch hit", "-oQ/tmp -X hit", "a>hit", "!touch hit"]


@pytest.mark.parametrize("text", METACHARACTERS)
def test_addresses_are_no_commands(tmp_path, text):
    """In the sender and in the recipient, before a program that a careful user
    has written, and before bash, which once took variables for functions."""
    box = Box(tmp_path)
    box.dotqmail("-default", '|bash -c \'printf %s "$SENDER" >sender\'\n'
                 '|printf "%s" "$EXT" >ext\n')
    local = text.lower()
    code, _, errors = box.deliver(
        local="joe-" + local, dash="-", ext=local, sender=text + "@x")
    assert code == 0, errors
    assert not (box.home / "hit").exists() and not (tmp_path / "hit").exists()
    assert text in box.read("sender").decode()


# ---- files -----------------------------------------------------------------------------

@pytest.mark.parametrize("ext", [
    "../../secret/default", "..", "../.ssh/id", "/etc/passwd", "a/../../secret/x",
    "a\nb", ".", "x/", "//x"])
def test_an_extension_leads_to_no_other_directory(tmp_path, ext):
    box = Box(tmp_path)
    for place in (tmp_path / "secret", box.home / ".ssh"):
        place.mkdir()
        for name in ("x", "id", "default", ".qmail-default"):
            (place / name).write_text("./hit\n")
    code, _, _ = box.deliver(local="joe-" + ext, dash="-", ext=ext)
    assert code == 100
    assert not list(tmp_path.rglob("hit"))


# Tells its number, waits for a line, and becomes qmail-local.
KNOWN_PID = 'echo $$; read x <"$GO"; exec "$@"'


@pytest.mark.parametrize("kind", ["symlink", "hard link", "dangling link", "directory"])
def test_names_that_wait_in_a_maildir(tmp_path, kind):
    """All names of the next minute are there already, as an attacker might
    guess them: nothing they lead to is changed, and no mail is lost."""
    box = Box(tmp_path)
    maildir = box.maildir()
    victim = tmp_path / "victim"
    if kind != "dangling link":
        victim.write_text("precious\n")
    go, message = tmp_path / "go", tmp_path / "message"
    os.mkfifo(go)
    message.write_bytes(b"Subject: x\n\nbody\n")
    with open(message, "rb") as body:
        delivery = subprocess.Popen(
            ["sh", "-c", KNOWN_PID, "sh", lib.bin_dir() / "qmail-local", "--",
             *box.arguments(default="./Maildir/")], stdin=body,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**box.env(), "GO": str(go)})
    pid = int(delivery.stdout.readline())
    now, host = int(time.time()), socket.gethostname()[:63]
    for when in range(now - 1, now + 60):
        for count in ("", "_2", "_3", "_4"):
            for folder in ("tmp", "new"):
                plant(kind, maildir / folder / f"{when}.{pid}{count}.{host}", victim)
    go.write_text("go\n")
    delivery.communicate(timeout=lib.TIMEOUT_S)
    assert delivery.returncode == 111  # it is tried again, by another process
    if kind == "dangling link":
        assert not victim.exists()
    else:
        assert victim.read_text() == "precious\n"


def plant(kind, path, victim):
    if kind == "directory":
        path.mkdir()
    elif kind == "hard link":
        path.hardlink_to(victim)
    else:
        path.symlink_to(victim)


@pytest.mark.parametrize("kind", ["fifo", "directory", "socket", "loop", "device"])
def test_an_mbox_that_is_a_trap(tmp_path, kind):
    """The delivery is deferred, and does not hang."""
    box = Box(tmp_path)
    trap = box.home / "Mailbox"
    if kind == "fifo":
        os.mkfifo(trap)
    elif kind == "directory":
        trap.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(trap))
    else:
        trap.symlink_to("Mailbox" if kind == "loop" else "/dev/null")
    assert box.deliver()[0] == 111


ODD = [b"", b"\0", b"\n\n\n", b"\xff" * 100, b"a\0b\n", b"x" * 100000, b"#only\n",
       b"9" * 400 + b"\n", b"-1\n", b":\n::\n:::\n", b"[\n]\n[x\n", b" \t \r\n", b"@\n."]
BY_SMTPD = ["me", "smtpgreeting", "localiphost", "timeoutsmtpd", "databytes", "maxrcpt",
            "rcpthosts", "morercpthosts.cdb", "badmailfrom", "badrcptto", "validrcptto",
            "brtlimit", "smtpplugins", "locals", "virtualdomains"]


@pytest.mark.parametrize("odd", range(len(ODD)))
def test_odd_bytes_in_control_files_break_nothing(home, odd):
    """Wrong settings may refuse mail; they crash and hang nothing, and do not
    make an open relay of us."""
    queue = Queue(home)
    for name in BY_SMTPD:
        files = {other: (home.home / "control" / other).read_bytes()
                 for other in BY_SMTPD if (home.home / "control" / other).exists()}
        home.write(f"control/{name}", ODD[odd])
        done = home.run(
            "qmail-smtpd", env={"QMAILQUEUE": queue.program, "TCPREMOTEIP": "192.0.2.7"},
            input=b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<r@foreign.example>\r\nDATA\r\n"
            b"QUIT\r\n")
        assert done.returncode in (0, 1), (name, done)
        assert b"354" not in done.stdout, (name, done.stdout)
        home.remove_control(name)
        if name in files:
            home.write(f"control/{name}", files[name])
    assert queue.messages == []


@pytest.mark.parametrize("name", ["me", "smtproutes", "helohost", "timeoutconnect",
                                  "timeoutremote", "outgoingip", "moreipme", "notipme"])
def test_odd_bytes_for_the_sender_bounce_nothing(tmp_path, name):
    home = Home(tmp_path)
    home.env["DNSCACHEIP"] = "127.0.0.1:1"
    for odd in ODD:
        home.control("me", "me.example")
        home.control("smtproutes", ":127.0.0.1:1")
        (home.path / "control" / name).write_bytes(odd)
        (got,) = home.send()
        assert got[0] == "Z" or "#5.1.2" in got, (odd, got)


# ---- programs that are shaken -----------------------------------------------------------

def test_a_storm_of_signals(instance):
    """Handlers only note that they were called: mail goes on meanwhile."""
    dice = random.Random(3)
    for number in range(20):
        sent = instance.sendmail("test@test.example")
        assert sent.returncode == 0, sent.stderr
        for program in ("qmail-send", "qmail-queued", "qmail-lspawn", "qmail-rspawn"):
            signals = {"qmail-send": [signal.SIGHUP, signal.SIGALRM, signal.SIGCHLD],
                       "qmail-queued": [signal.SIGUSR1, signal.SIGCHLD]}
            for pid in instance.pids(program):
                for _ in range(10):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, dice.choice(signals.get(program, [signal.SIGCHLD])))
    instance.wait_maildir("test", 20)
    instance.wait_empty()
    assert len(instance.maildir("test")) == 20
    instance.check_running("send")
    instance.check_running("queued")
