"""control/: what each file means to the programs that read it, its default, and
when it is read. Files whose rules other tests hold are not repeated here."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess

import lib
import pytest
from dns_server import DnsServer
from remote_home import Home, RawServer, script
from sendlib import Sender
from servers import wait_asleep
from test_qmail_inject_rewriting import inject  # noqa: F401
from test_tcp_env_variables import Connection, IdentServer, needs_port

TAKEN = "K127.0.0.1 accepted message.\nRemote host said: 250 taken\n"
GOOD = script(b"220 x\r\n", b"250 x\r\n", b"250 ok\r\n", b"250 ok\r\n",
              b"354 go\r\n", b"BODY250 taken\r\n", b"")
needs_strace = pytest.mark.skipif(
    not shutil.which("strace"), reason="strace is not installed")


@pytest.fixture
def sender(request):
    """qmail-send, not yet started; control(name, None) removes a file."""
    one = Sender()

    def control(name, text):
        path = one.home / "control" / name
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text)

    one.control = control
    yield one
    if getattr(one, "local", None):
        one.close()
    else:
        shutil.rmtree(one.home, ignore_errors=True)


@pytest.fixture
def remote(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def server():
    made = []

    def make(handler=GOOD):
        made.append(RawServer(handler))
        return made[-1]

    yield make
    for one in made:
        one.close()


# ---- control/me -------------------------------------------------------------------

def test_unreadable_me_is_fatal_to_send(sender):
    for name in ("locals", "bouncehost", "doublebouncehost", "envnoathost"):
        sender.control(name, "x.example\n")
    sender.control("me", None)
    (sender.home / "control/me").mkdir()
    sender.start(hello=False)
    assert sender.wait_exit() == 111
    assert sender.log() == ["warning: unable to read control/bouncehost",
                            "alert: cannot start: unable to read controls"]


def test_unreadable_me_is_fatal_to_inject(inject):  # noqa: F811
    (inject.home / "control/me").mkdir()
    done = inject.run(b"\n")
    assert done.returncode == 111
    assert done.stderr.startswith(b"qmail-inject: fatal: unable to read ")


def test_unreadable_me_is_fatal_to_remote(remote, server):
    remote.route(server())
    remote.control("helohost", "h.example")
    (remote.path / "control/me").unlink()
    (remote.path / "control/me").mkdir()
    (got,) = remote.send()
    assert got.startswith("Z") and got.endswith("(#4.3.0)\n")


def fail_twice(sender):
    """The bounce of a failure, and that of the bounce, as (text, envelope)."""
    sender.post(["u@far.example"], sender="s@x.example")
    sender.remote.result(sender.remote.job(), "D", "no\n")
    first = sender.bounces(1)[0]
    sender.post(["s@x.example"], sender="")
    sender.remote.result(sender.remote.job(), "D", "no\n")
    (second,) = [b for b in sender.bounces(2) if b != first]
    return first, second


@pytest.mark.parametrize("me, files, bounce_from, name, double_to", [
    ("me.example\n", {}, "MAILER-DAEMON@me.example", "me.example",
     "postmaster@me.example"),
    (None, {"locals": "local.example\n"}, "MAILER-DAEMON@bouncehost", "bouncehost",
     "postmaster@doublebouncehost"),
    ("me.example\n", {"bouncefrom": "robot\n", "bouncehost": "b.example \nx\n",
                      "doublebounceto": "boss\t\n", "doublebouncehost": "d.example"},
     "robot@b.example", "b.example", "boss@d.example"),
], ids=["me", "without me", "all four"])
def test_names_in_bounces(sender, me, files, bounce_from, name, double_to):
    for file, text in {"me": me, **files}.items():
        sender.control(file, text)
    sender.start()
    first, second = fail_twice(sender)
    for text, _ in (first, second):
        assert f"\nFrom: {bounce_from}\n".encode() in text
        assert f"This is the qmail-send program at {name}.\n".encode() in text
    assert first[1] == b"F\0Ts@x.example\0\0"
    assert second[1] == f"F#@[]\0T{double_to}\0\0".encode()


def test_without_me_send_still_knows_names(sender):
    """envnoathost, too, falls back to its own name."""
    sender.control("me", None)
    sender.control("locals", "envnoathost\n")
    sender.start()
    sender.post(["u"])
    assert sender.local.job().recipients == [b"u@envnoathost"]


@pytest.mark.parametrize("text", ["", "\n", " \t\n", "\nboss\n"])
def test_empty_doublebounceto_discards(sender, text):
    sender.control("doublebounceto", text)
    sender.start()
    ident = sender.post(["u@far.example"], sender="")
    sender.remote.result(sender.remote.job(), "D", "no\n")
    sender.wait_log(f"end msg {ident}")
    assert f"double bounce: discarding bounce/{ident}" in sender.log()
    assert sender.bounces(0) == []


# ---- concurrency and lifetime ---------------------------------------------------------

@pytest.mark.parametrize("files, limits, want", [
    ({}, (120, 120), "local 0/10 remote 0/20"),
    ({"concurrencylocal": "3\n", "concurrencyremote": "4 more\n"}, (120, 120),
     "local 0/3 remote 0/4"),
    ({"concurrencylocal": "x\n", "concurrencyremote": ""}, (120, 120),
     "local 0/10 remote 0/20"),
    ({"concurrencylocal": "99\n", "concurrencyremote": "500\n"}, (50, 60),
     "local 0/50 remote 0/60"),
    ({"concurrencylocal": "0\n", "concurrencyremote": "0\n"}, (120, 120),
     "local 0/0 remote 0/0"),
])
def test_concurrency(sender, files, limits, want):
    for name, text in files.items():
        sender.control(name, text)
    sender.start(limits=limits)
    assert sender.log() == [f"status: {want}"]


@pytest.mark.parametrize("name, host, channel", [
    ("concurrencylocal", "local.example", "local"),
    ("concurrencyremote", "far.example", "remote")])
def test_zero_holds_until_it_is_raised(sender, name, host, channel):
    sender.control(name, "0\n")
    sender.start()
    sender.post([f"u@{host}"])
    sender.wait_log("info msg")
    assert getattr(sender, channel).job(timeout=0.2) is None
    sender.control(name, "7\n")
    sender.kill(signal.SIGHUP)
    assert getattr(sender, channel).job().recipients == [f"u@{host}".encode()]
    lib.wait_until(lambda: f"{channel} 1/7" in sender.log()[-1], what="1/7")


@pytest.mark.parametrize("text, lifetime", [
    (None, 604800), ("x\n", 604800), ("5000\n", 5000)])
@pytest.mark.parametrize("over", [False, True])
def test_queuelifetime(sender, text, lifetime, over):
    sender.control("queuelifetime", text)
    ident = sender.put(["u@far.example"], age=lifetime + (200 if over else -600))
    sender.start()

    def job():
        sender.kill(signal.SIGALRM)
        return sender.remote.job(timeout=0.1)

    sender.remote.result(lib.wait_until(job), "Z", "later\n")
    if over:
        sender.wait_log("delivery 1: failure: later/This_message_has_been_in_the_")
        sender.wait_log(f"end msg {ident}")
    else:
        sender.wait_log("delivery 1: deferral: later/")


# ---- whose mail is local ------------------------------------------------------------------

VIRTUAL = ("one@vd.example:exact\nvd.example:whole\n.vd.example:below\n"
           "out.vd.example:\n:rest\n")


@pytest.mark.parametrize("files, recipient, want", [
    ({}, "u@me.example", "u@me.example"),
    ({"locals": None}, "u@me.example", "u@me.example"),
    ({"locals": "a.example\n# x\nb.example"}, "u@B.example", "u@B.example"),
    ({"locals": "a.example\n"}, "u@me.example", None),
    ({"locals": ".a.example\n"}, "u@x.a.example", None),
    ({"locals": "a.example\n"}, "u@x.a.example", None),
    ({"locals": ""}, "u@me.example", None),
    ({"locals": "vd.example\n", "virtualdomains": VIRTUAL}, "u@vd.example",
     "u@vd.example"),
    ({"virtualdomains": VIRTUAL}, "one@vd.example", "exact-one@vd.example"),
    ({"virtualdomains": VIRTUAL}, "u@VD.example", "whole-u@VD.example"),
    ({"virtualdomains": VIRTUAL}, "u@x.y.vd.example", "below-u@x.y.vd.example"),
    ({"virtualdomains": VIRTUAL}, "u@out.vd.example", None),
    ({"virtualdomains": VIRTUAL}, "u@other.example", "rest-u@other.example"),
    ({"virtualdomains": "a.example:p:q\n"}, "u@a.example", "p:q-u@a.example"),
    ({"virtualdomains": ""}, "u@a.example", None),
    ({"envnoathost": "me.example\n"}, "u", "u@me.example"),
    ({"locals": "e.example\n", "envnoathost": "e.example\n"}, "u", "u@e.example"),
    ({}, "u", "u@me.example"),
    ({"percenthack": "me.example\na.example\n"}, "u%me.example%a.example@me.example",
     "u@me.example"),
    ({"percenthack": "x.example\n"}, "u%a.example@me.example",
     "u%a.example@me.example"),
    ({"percenthack": ""}, "u%a.example@me.example", "u%a.example@me.example"),
])
def test_local_or_remote(sender, files, recipient, want):
    if "locals" not in files:
        files = {"locals": "me.example\n", **files}
    for name, text in files.items():
        sender.control(name, text)
    sender.start()
    sender.post([recipient])
    if want is None:
        assert sender.remote.job().recipients == [recipient.encode()]
    else:
        assert sender.local.job().recipients == [want.encode()]


def test_hup(sender):
    """virtualdomains are read again; percenthack, envnoathost and the names in
    bounces are not."""
    sender.control("virtualdomains", "vd.example:old\n")
    sender.start()
    fail_twice(sender)
    for name, text in {"virtualdomains": "vd.example:new\n", "bouncehost": "b.example",
                       "percenthack": "local.example\n",
                       "envnoathost": "far.example\n"}.items():
        sender.control(name, text)
    sender.post(["u@vd.example"])
    assert sender.local.job().recipients == [b"old-u@vd.example"]
    sender.kill(signal.SIGHUP)

    def is_new():
        sender.post(["u@vd.example"])
        return sender.local.job().recipients == [b"new-u@vd.example"]

    lib.wait_until(is_new)
    sender.post(["u%far.example@local.example", "v"])
    assert sender.local.job().recipients == [b"u%far.example@local.example"]
    assert sender.remote.job().recipients == [b"v@me.example"]
    sender.post(["w@far.example"])
    sender.remote.result(sender.remote.job(), "D", "no\n")
    last = [text for text, _ in sender.bounces(3)
            if b"<w@far.example>" in text]
    assert b"\nFrom: MAILER-DAEMON@me.example\n" in last[0]


def test_hup_rereads_the_sizes_of_jobs_and_bounces(sender):
    sender.start()
    message = b"Subject: x\n\n" + b"line\n" * 100
    sender.post(["u@far.example", "v@far.example"], message=message)
    job = sender.remote.job()
    assert job.recipients == [b"u@far.example", b"v@far.example"]
    sender.control("remoterecipients", "1\n")
    sender.control("bouncemaxbytes", "50\n")
    sender.kill(signal.SIGHUP)

    def is_single():
        sender.post(["u@far.example", "v@far.example"], message=message)
        return len(sender.remote.job().recipients) == 1

    lib.wait_until(is_single)
    sender.post(["w@other.example"], message=message)
    job = lib.wait_until(lambda: next(
        (j for j in [sender.remote.job()] if j.recipients == [b"w@other.example"]), None))
    sender.remote.result(job, "D", "no\n")
    (bounce,) = sender.bounces(1)
    assert b"line\n" in bounce[0] and bounce[0].count(b"line\n") < 10


def test_nothing_is_read_again_by_itself(sender):
    sender.start()
    fail_twice(sender)
    sender.control("locals", "local.example\nfar.example\n")
    sender.control("bouncehost", "b.example")
    sender.post(["u@far.example"], sender="s@x.example")
    sender.remote.result(sender.remote.job(), "D", "no\n")
    for text, _ in sender.bounces(3):
        assert b"\nFrom: MAILER-DAEMON@me.example\n" in text


def test_unreadable_files_are_fatal_to_send(sender):
    for name in ("bouncefrom", "bouncehost", "concurrencylocal", "concurrencyremote",
                 "doublebouncehost", "doublebounceto", "envnoathost", "locals",
                 "percenthack", "queuelifetime", "virtualdomains"):
        path = sender.home / "control" / name
        path.unlink(missing_ok=True)
        path.mkdir()
        sender.start(hello=False)
        assert sender.wait_exit() == 111, name
        assert sender.log()[-2:] == [f"warning: unable to read control/{name}",
                                     "alert: cannot start: unable to read controls"]
        sender.local.sock.close()
        sender.remote.sock.close()
        path.rmdir()


# ---- qmail-remote ---------------------------------------------------------------------------

@pytest.mark.parametrize("content, want", [(None, b"me.example"), ("h.example", b"h.example")])
def test_helohost(remote, sink, content, want):
    server = sink()
    remote.route(server)
    if content is not None:
        remote.control("helohost", content)
    assert remote.send() == ["r", TAKEN]
    assert server.commands[0][0] == b"EHLO " + want


@pytest.mark.parametrize("name", ["helohost", "smtproutes", "timeoutconnect",
                                  "timeoutremote"])
def test_unreadable_files_defer(remote, server, name):
    remote.route(server())
    (remote.path / "control" / name).unlink(missing_ok=True)
    (remote.path / "control" / name).mkdir()
    (got,) = remote.send()
    assert got.startswith("Z") and got.endswith("(#4.3.0)\n")


def traced(argv, env, path, wanted, **more):
    """Runs argv until its system calls match wanted; then ends it."""
    process = subprocess.Popen(
        [shutil.which("strace"), "-f", "-e", "trace=poll,ppoll,select,pselect6",
         "-o", path, *argv], env=env, start_new_session=True,
        stderr=subprocess.DEVNULL, **{
            "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **more})
    try:
        # the line of a call that sleeps is written, but for its result
        return lib.wait_until(lambda: path.exists() and re.search(
            wanted, path.read_text()), what=wanted)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(lib.TIMEOUT_S)


@contextlib.contextmanager
def deaf_port():
    """A port at which a connection neither comes about nor is refused."""
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        yield full.getsockname()[1]


def read_to_the_end(client, _):
    """A server that says nothing."""
    while client.recv(65536):
        pass


def near(seconds):
    """A pattern: this many milliseconds, or what some seconds of a slow machine
    leave of it; also as a timespec."""
    less = "|".join(str(seconds - n) for n in range(1, 4))
    return (rf"(, {seconds}000\b|, ({less})\d{{3}}\b|tv_sec=({seconds}|{less})\b)")


@needs_strace
@pytest.mark.parametrize("content, want", [(None, 60), ("33", 33), ("x", 60)])
def test_timeoutconnect(remote, content, want, tmp_path):
    if content is not None:
        remote.control("timeoutconnect", content)
    with deaf_port() as port:
        remote.control("smtproutes", f":127.0.0.1:{port}")
        assert traced([remote.program, "d.example", "s@x", "r@d.example"],
                      remote.env, tmp_path / "calls", r"POLLOUT.*" + near(want))


@needs_strace
@pytest.mark.parametrize("content, want", [(None, 1200), ("33", 33), ("x", 1200)])
def test_timeoutremote(remote, server, content, want, tmp_path):
    if content is not None:
        remote.control("timeoutremote", content)
    quiet = server(read_to_the_end)
    remote.route(quiet)
    assert traced([remote.program, "d.example", "s@x", "r@d.example"],
                  remote.env, tmp_path / "calls", r"POLLIN.*" + near(want))


def test_an_empty_relay_means_mx(remote, sink):
    relay, names = sink(), DnsServer({})
    remote.env["DNSCACHEIP"] = names.address
    remote.control("smtproutes", f"d.example:\n:127.0.0.1:{relay.port}")
    (got,) = remote.send()
    names.close()
    assert got.startswith("D") and got.endswith("(#5.1.2)\n")
    assert ("d.example", "MX") in {q[:2] for q in names.queries}
    assert relay.connections == 0


def test_remote_reads_at_each_start(remote, sink):
    first, second = sink(), sink()
    for server in (first, second):
        remote.route(server)
        assert remote.send() == ["r", TAKEN]
    assert (first.connections, second.connections) == (1, 1)


# ---- qmail-inject --------------------------------------------------------------------------

@pytest.mark.parametrize("name, variable, want", [
    ("defaulthost", "QMAILDEFAULTHOST", "To: a@{}, b@h.dd.example, c@h.pd.example"),
    ("defaultdomain", "QMAILDEFAULTDOMAIN", "To: a@dh.{0}, b@h.{0}, c@h.pd.example"),
    ("plusdomain", "QMAILPLUSDOMAIN", "To: a@dh.dd.example, b@h.dd.example, c@h.{}"),
    ("idhost", "QMAILIDHOST", ".qmail@{}>")])
def test_names_of_inject(inject, name, variable, want):  # noqa: F811
    """The file, then the variable in its place, then neither."""
    message = b"To: a, b@h, c@h+\n\n"
    inject.control(me="me.example", **{name: "file.example \t"})
    assert want.format("file.example") in inject.show(message).decode()
    shown = inject.show(message, env={variable: "env.example"}).decode()
    assert want.format("env.example") in shown
    (inject.home / "control" / name).unlink()
    assert want.format("me.example") in inject.show(message).decode()


def test_defaultdomain_is_added_to_defaulthost_too(inject):  # noqa: F811
    inject.control(defaulthost="short", defaultdomain="dd.example")
    assert b"To: a@short.dd.example\n" in inject.show(b"To: a\n\n")


# ---- qmail-qmqpc ---------------------------------------------------------------------------

@needs_strace
@pytest.mark.parametrize("content, want", [(None, 10), ("33", 10), ("7", 7)])
def test_time_to_connect_of_qmqpc(home, content, want):
    if content is not None:
        home.write_control("timeoutqmqpc", content + "\n")
    with deaf_port() as port, open(home.write("envelope", "Fs\0Tr\0\0")) as envelope:
        home.write_control("qmqpservers", f"127.0.0.1:{port}\n")
        assert traced([home.bin / "qmail-qmqpc"], home.env(), home.base / "calls",
                      r"POLLOUT.*" + near(want), stdout=envelope, **lib.as_user())


@needs_strace
@pytest.mark.parametrize("content, want", [(None, 60), ("33", 33)])
def test_time_to_answer_of_qmqpc(home, server, content, want):
    quiet = server(read_to_the_end)
    if content is not None:
        home.write_control("timeoutqmqpc", content + "\n")
    home.write_control("qmqpservers", f"127.0.0.1:{quiet.port}\n")
    with open(home.write("envelope", "Fs\0Tr\0\0")) as envelope:
        assert traced([home.bin / "qmail-qmqpc"], home.env(), home.base / "calls",
                      r"POLLIN.*" + near(want), stdout=envelope, **lib.as_user())


def test_no_socket_for_qmqpc(home):
    """It has read control/ and waits for the message when descriptors run out."""
    home.write_control("qmqpservers", f"127.0.0.1:{lib.closed_port()}\n")
    with open(home.write("envelope", "Fs\0Tr\0\0")) as envelope:
        process = subprocess.Popen(
            [home.bin / "qmail-qmqpc"], stdin=subprocess.PIPE, stdout=envelope,
            env=home.env(), **lib.as_user())
        wait_asleep(home, "qmail-qmqpc")
        subprocess.run(["prlimit", f"--pid={process.pid}", "--nofile=3:3"],
                       check=True, timeout=lib.TIMEOUT_S, **lib.as_user())
        process.communicate(b"x\n", timeout=lib.TIMEOUT_S)
    assert process.returncode == 56


# ---- tcp-env --------------------------------------------------------------------------------

@needs_strace
@needs_port
@pytest.mark.parametrize("options, want", [([], 30), (["-t", "7"], 7)])
def test_tcp_env_asks_for_30_seconds(tmp_path, options, want):
    ident, names = IdentServer(None), DnsServer({})
    connection = Connection("127.0.0.1", ident.host)
    assert traced([lib.bin_dir() / "tcp-env", *options, "true"],
                  {**os.environ, "DNSCACHEIP": names.address}, tmp_path / "calls",
                  r"POLLIN.*" + near(want), stdin=connection.server)
    for one in (connection, ident, names):
        one.close()


# ---- users/ and alias/ ---------------------------------------------------------------------

def test_alias_takes_what_nobody_has(instance):
    for ext in ("someone", "default"):
        (instance.user_home("alias") / f".qmail-{ext}").unlink(missing_ok=True)
    instance.dotqmail("someone", "&test\n", user="alias")
    instance.dotqmail("some-default", "&test\n", user="alias")
    instance.send_smtp(to=["someone", "some-thing", "nobody"])
    instance.wait_log(r"delivery \d+: failure: .*no_mailbox_here")
    instance.wait_maildir("test", 2)


def test_cdb_files_change_when_their_tools_run(instance):
    """Until then nothing in the source of one counts."""
    def takes(recipient):
        with instance.smtp() as client:
            client.ehlo()
            client.mail("s@x.example")
            return client.rcpt(recipient)[0] == 250

    home = instance.home
    instance.write("control/morercpthosts", "More.example\n")
    assert not takes("a@more.example")
    assert instance.run("qmail-newmrh").returncode == 0
    assert takes("a@more.example")
    instance.write("control/morercpthosts", "")
    assert takes("a@more.example")

    rule = next(line for line in (home / "users/assign").read_text().splitlines()
                if line.startswith("=test:"))
    instance.write("users/assign", rule.replace("=test:", "=other:") + "\n"
                   + (home / "users/assign").read_text())
    instance.send_smtp(to="other")
    instance.wait_log(r"failure: .*no_mailbox_here")
    assert instance.run("qmail-newu").returncode == 0
    instance.send_smtp(to="other")
    instance.wait_maildir("test", 1)
