"""qmail-qread and qmail-qstat on the queue of a running instance."""

import contextlib
import os
import re
import socket
import subprocess
import threading

import lib
import pytest
import queue_lab

HEAD = r"\d{1,2} [A-Z][a-z]{2} 20\d\d \d\d:\d\d:\d\d GMT  #(\d+)  (\d+)  <(.*)> "


def qread(instance):
    done = instance.run("qmail-qread")
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode("latin-1")


def qstat(instance):
    done = instance.run("qmail-qstat")
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def submit(home, sender, recipients, message=b"Subject: x\n\nx\n"):
    assert home.queue(message, sender, recipients).returncode == 0


@pytest.fixture
def queued(home):
    """Mail is accepted and stays."""
    home.start_queued()
    return home


def test_an_empty_queue(queued):
    assert qread(queued) == ""
    assert qstat(queued) == ("messages in queue: 0\n"
                             "messages in queue but not yet preprocessed: 0\n")


def test_a_queue_that_was_never_used(home):
    assert qread(home) == ""
    assert qstat(home).startswith("messages in queue: 0\n")


def test_a_message_and_its_recipients(queued):
    queued.write_control("virtualdomains", "vd.example:test-vd\n")
    submit(queued, "s@x.example", ["a@test.example", "b@far.example",
                                   "c@vd.example", "nohost"])
    text = qread(queued)
    lines = text.split("\n")
    found = re.fullmatch(HEAD, lines[0])
    (number,) = queued.queue_ids()
    mess = queued.home / f"queue/mess/{number % 32}/{number}"
    assert found.groups() == (str(number), str(mess.stat().st_size), "s@x.example")
    assert lines[1:] == ["\tlocal\ta@test.example", "\tremote\tb@far.example",
                         "\tlocal\ttest-vd-c@vd.example",
                         "\tlocal\tnohost@test.example", ""]
    assert qstat(queued) == ("messages in queue: 1\n"
                             "messages in queue but not yet preprocessed: 0\n")


def test_many_messages_in_the_order_they_came(queued):
    for i in range(40):
        submit(queued, f"s{i}@x.example", ["a@test.example"])
    numbers = [int(n) for n in re.findall(r"#(\d+)", qread(queued))]
    assert numbers == queued.queue_ids() and len(numbers) == 40
    assert qstat(queued).startswith("messages in queue: 40\n")


def test_what_a_terminal_obeys_is_not_shown(queued):
    submit(queued, "\x1b[2J\n x@y", ["a\tb\x7f@far.example"])
    lines = qread(queued).split("\n")
    assert lines[0].endswith("  <_[2J__x@y> ")
    assert lines[1] == "\tremote\ta_b_@far.example"


def test_done_and_bouncing(instance):
    instance.dotqmail("ok", "# nothing\n")
    instance.dotqmail("bad", "|exit 100\n")
    instance.dotqmail("later", "|exit 111\n")
    submit(instance, "s@test.example",
           [f"test-{w}@test.example" for w in ("ok", "bad", "later")])
    instance.wait_log("deferral")
    instance.wait_log("failure")
    instance.wait_log("success")

    def shown():
        lines = qread(instance).split("\n")
        return lines if lines.count("") and sum(
            line.startswith("  done") for line in lines) == 2 else None
    lines = lib.wait_until(shown, what="two recipients to be marked")
    assert re.fullmatch(HEAD + " bouncing", lines[0])
    assert lines[1:] == ["  done\tlocal\ttest-ok@test.example",
                         "  done\tlocal\ttest-bad@test.example",
                         "\tlocal\ttest-later@test.example", ""]


def test_trouble_with_one_message_is_a_line(queued):
    for i in range(3):
        submit(queued, f"s{i}@x.example", ["a@test.example"])
    _, middle, last = queued.queue_ids()
    (queued.home / f"queue/env/{middle % 32}/{middle}").write_bytes(b"v1\0garbage")
    path = queued.home / f"queue/env/{last % 32}/{last}"
    path.unlink()
    os.mkfifo(path)
    text = qread(queued)
    assert "<s0@x.example>" in text
    assert f"\nwarning: cannot read env/{middle % 32}/{middle}: " in text
    assert f"\nwarning: cannot read env/{last % 32}/{last}: " in text


def test_a_link_is_not_followed(queued):
    submit(queued, "s@x.example", ["a@test.example"])
    (number,) = queued.queue_ids()
    path = queued.home / f"queue/env/{number % 32}/{number}"
    path.rename(queued.home / "elsewhere")
    path.symlink_to(queued.home / "elsewhere")
    assert qread(queued).startswith("warning: cannot read env/")


@pytest.mark.parametrize("program", ["qmail-qread", "qmail-qstat"])
def test_errors(home, program):
    done = home.run(program, env={"QMAILHOME": "/nonexistent"})
    assert done.returncode == 111 and b"/nonexistent" in done.stderr
    assert home.run(program, "x").returncode == 100
    (home.home / "queue").chmod(0)
    done = home.run(program)
    (home.home / "queue").chmod(0o750)
    assert done.returncode == 111
    assert done.stderr == f"{program}: cannot open queue: Permission denied\n".encode()


def test_unreadable_rules(queued):
    (queued.home / "control/locals").unlink()
    (queued.home / "control/locals").mkdir()
    done = queued.run("qmail-qread")
    assert done.returncode == 111 and b"control/locals" in done.stderr


def test_a_full_disk(queued):
    submit(queued, "s@x.example", ["a@test.example"])
    for program in ("qmail-qread", "qmail-qstat"):
        with open("/dev/full", "wb") as full:
            done = queued.run(program, stdout=full)
        assert done.returncode == 111 and b"cannot write" in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_root_sheds_its_rights_before_it_reads(queued):
    submit(queued, "s@x.example", ["a@test.example"])
    (number,) = queued.queue_ids()
    path = queued.home / f"queue/env/{number % 32}/{number}"
    os.chown(path, 0, 0)
    path.chmod(0o600)
    done = subprocess.run([queued.bin / "qmail-qread"], env=queued.env(),
                          capture_output=True, timeout=lib.TIMEOUT_S)
    assert done.returncode == 0
    assert done.stdout.startswith(b"warning: cannot read env/")
    lib.give(path)
    done = subprocess.run([queued.bin / "qmail-qread"], env=queued.env(),
                          capture_output=True, timeout=lib.TIMEOUT_S)
    assert b"<s@x.example>" in done.stdout


def test_as_mailq(queued):
    submit(queued, "s@x.example", ["a@test.example"])
    done = queued.run("sendmail", "-bp")
    assert done.returncode == 0 and b"\tlocal\ta@test.example\n" in done.stdout


# ---- what was just accepted ----------------------------------------------------

class LazyQueued(threading.Thread):
    """In qmail-queued's place: has accepted messages of which the files come when somebody asks
    for a barrier. What it was asked is in asked."""

    def __init__(self, home, files):
        super().__init__(daemon=True)
        self.files, self.asked = files, []
        self.path = home.home / "run/control.sock"
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(self.path))
        lib.give(self.path)
        self.listener.listen(5)
        self.start()

    def run(self):
        while True:
            peer = self.listener.accept()[0]
            while packet := peer.recv(1 << 17):
                fields = queue_lab.take_netstrings(packet)
                if fields[0] == b"end":
                    return
                self.asked.append(fields[0])
                if fields[0] == b"B":
                    for away, at in self.files:
                        away.rename(at)
                    self.files = []
                    peer.send(packet)
                if fields[0] == b"Q":
                    peer.send(b"1:K,0:,1:1,")
                if fields[0] == b"T":
                    peer.send(b"1:K,%d:%s,1:1," % (len(fields) - 1, b"K" * (len(fields) - 1)))
            peer.close()

    def end(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.connect(str(self.path))
            s.send(b"3:end,")
            self.join()
        self.listener.close()
        self.path.unlink()


@pytest.fixture
def lazy(queued):
    submit(queued, "s@x.example", ["a@far.example"])
    (number,) = queued.queue_ids()
    queued.daemons["queued"].end()
    files = [queued.home / f"queue/{kind}/{number % 32}/{number}" for kind in ("mess", "env")]
    for path in files:
        path.rename(queued.base / path.parts[-3])
    made = LazyQueued(queued, [(queued.base / path.parts[-3], path) for path in files])
    yield queued, made, number
    made.end()


@pytest.mark.parametrize("args, shows", [
    (["qmail-qread"], "\tremote\ta@far.example\n"),
    (["qmail-qstat"], "messages in queue: 1\n"),
    (["qmail-qtool", "list"], "a@far.example"),
    (["qmail-qtool", "show", "ID"], "a@far.example"),
    (["qmail-qtool", "force", "domain", "far.example"], "")])
def test_files_of_what_was_just_accepted_are_waited_for(lazy, args, shows):
    home, queued, number = lazy
    done = home.run(*[str(number) if a == "ID" else a for a in args])
    assert (done.returncode, done.stderr) == (0, b"")
    assert shows in done.stdout.decode()
    assert queued.asked[0] == b"B"
    assert ("force" in args) == (b"T" in queued.asked)


def test_qmail_check_asks_for_them_too(lazy):
    home, queued, _ = lazy
    home.run("qmail-check")
    assert queued.asked == [b"B"]


def test_who_does_not_take_connections_is_not_waited_for(queued):
    submit(queued, "s@x.example", ["a@far.example"])
    queued.daemons["queued"].end()
    with contextlib.ExitStack() as stack:
        path = queued.home / "run/control.sock"
        listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        listener.bind(str(path))
        lib.give(path)
        listener.listen(0)
        for _ in range(5):
            one = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            one.setblocking(False)
            try:
                one.connect(str(path))
            except BlockingIOError:
                break
        else:
            pytest.fail("the backlog has no end")
        assert "a@far.example" in qread(queued)
        # nor is one that hangs up
        listener.close()
        assert "a@far.example" in qread(queued)
