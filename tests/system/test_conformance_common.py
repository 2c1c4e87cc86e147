"""What all programs have in common: the home, the table of modes, programs in
the place of ours, signals."""

import contextlib
import os
import re
import signal
import subprocess
import time

import lib
import pytest
from framing import qmqp, qmtp
from servers import Conversation, Queue

SIGPIPE_BIT = 1 << (signal.SIGPIPE - 1)
DELIVERY = {"SENDER": "s@x", "NEWSENDER": "n@x", "UFLINE": "u\n",
            "RPLINE": "r\n", "DTLINE": "d\n"}


# ---- the home -----------------------------------------------------------------

def test_the_home_is_that_of_conf_qmail(home):
    built = (lib.REPO / "conf-qmail").read_text().split("\n")[0]
    assert built == "/var/qmail"
    for unset in (None, ""):
        done = home.run("qmail-showctl", env={"QMAILHOME": unset})
        said = (done.stdout + done.stderr).decode()
        assert (f"qmail home directory: {built}.\n" in said
                or f"cannot change to {built}:" in said)


@pytest.mark.parametrize("program", [
    "qmail-showctl", "qmail-inject", "qmail-smtpd", "qmail-qread"])
@pytest.mark.parametrize("where", ["/nonexistent", "relative", "."])
def test_qmailhome(home, program, where):
    done = home.run(program, env={"QMAILHOME": where}, cwd=home.home)
    assert done.returncode in (111, 1 if program == "qmail-smtpd" else 111)
    assert b"421" in done.stdout or program != "qmail-smtpd"


# ---- the table of what is installed --------------------------------------------

def table():
    """{path: (type, owner, group, mode, account)} of etc/privileges."""
    rows = {}
    for line in (lib.REPO / "etc/privileges").read_text().splitlines():
        if line and not line.startswith("#"):
            path, kind, owner, group, mode, account = line.split()[:6]
            rows[path] = (kind, owner, group, mode, account)
    return rows


CLOSED = {"qmail-queue"}, {
    "qmail-local", "qmail-remote", "qmail-rspawn", "qmail-clean", "qmail-send",
    "qmail-getpw", "qmail-pw2u", "qmail-popup", "splogger", "qmail-queued"}
ROOTS = {"qmail-start", "qmail-lspawn", "qmail-newu", "qmail-newmrh",
         "qmail-newmvrt"}


def programs(names):
    return {"bin/" + name for name in names}


@pytest.mark.parametrize("paths, want", [
    (programs(CLOSED[0]), ("p", "root", "qmail", "0711")),
    (programs(CLOSED[1]), ("p", "root", "qmail", "0711")),
    (programs(ROOTS), ("p", "root", "qmail", "0711")),
    (None, ("p", "root", "qmail", "0755")),
    ({"bin", "control", "users", "man", "man/man1", "man/man5", "man/man7",
      "man/man8"}, ("d", "root", "root", "0755")),
    ({"man/"}, ("m", "root", "root", "0644")),
    ({"alias"}, ("d", "alias", "qmail", "0755")),
    ({"queue"}, ("d", "qmailq", "qmail", "0750")),
], ids=["qmail-queue", "closed", "root's", "others", "directories", "pages",
        "alias", "queue"])
def test_modes(paths, want):
    rows = table()
    if paths is None:  # all that are not named above, and some by name
        paths = {p for p, row in rows.items() if row[0] == "p"}
        paths -= programs(CLOSED[0] | CLOSED[1] | ROOTS | {"qmail-checkpass"})
        assert programs({"qmail-inject", "sendmail", "qmail-smtpd", "forward",
                         "qmail-pop3d", "maildirmake", "qmail-qread"}) <= paths
    assert {p: rows[p][:4] for p in paths} == dict.fromkeys(paths, want)


ACCOUNTS = {
    "qmaild": {"qmail-smtpd", "qmail-qmtpd", "qmail-qmqpd"},
    "qmaill": {"splogger"}, "qmailp": {"qmail-getpw"},
    "qmailq": {"qmail-queued", "qmail-clean"},
    "qmailr": {"qmail-rspawn", "qmail-remote"}, "qmails": {"qmail-send"},
}


@pytest.mark.parametrize("account", ACCOUNTS)
def test_accounts(account):
    found = {p for p, row in table().items() if row[4] == account}
    assert programs(ACCOUNTS[account]) <= found


def test_only_these_run_as_root():
    """Besides the tools that an administrator starts as root."""
    tools = programs(p.stem for p in (lib.REPO / "src/admin").glob("qmail-*.c"))
    daemons = {p for p, row in table().items() if row[4] == "root"} - tools
    assert daemons == programs({
        "qmail-start", "qmail-lspawn", "qmail-popup", "qmail-checkpass"})


# ---- QMAILQUEUE ----------------------------------------------------------------

def by_server(program, text):
    def call(home, env):
        with Conversation(home, program, env={**env, "RELAYCLIENT": ""}) as one:
            one.send(text)
            one.rest()
            one.process.wait(lib.TIMEOUT_S)
    return call


def by_program(program, *args, message=b"From: a@b\n\nbody\n"):
    def call(home, env):
        path = home.base / "message"
        path.write_bytes(message)
        with open(path, "rb") as file:
            done = subprocess.run(
                [home.bin / program, *(a.format(home=home.home) for a in args)],
                stdin=file, capture_output=True, timeout=lib.TIMEOUT_S,
                env=home.env(**DELIVERY, **env), **lib.as_user())
        assert done.returncode in (0, 99), done.stderr
    return call


SUBMITTERS = {
    "qmail-inject": by_program("qmail-inject", "-f", "s@x.example", "r@y.example"),
    "qmail-smtpd": by_server(
        "qmail-smtpd", b"MAIL FROM:<s@x>\r\nRCPT TO:<r@y>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"),
    "qmail-qmtpd": by_server("qmail-qmtpd", qmtp(b"x\n", "s@x", ["r@y"])),
    "qmail-qmqpd": by_server("qmail-qmqpd", qmqp(b"x\n", "s@x", ["r@y"])),
    "qmail-local": by_program(
        "qmail-local", "--", "u", "{home}/u", "u", "", "", "h", "s@x", "&r@y"),
    "forward": by_program("forward", "r@y"),
    "condredirect": by_program("condredirect", "r@y", "true"),
    "qreceipt": by_program(
        "qreceipt", "u@h", message=b"Notice-Requested-Upon-Delivery-To: u@h\n\n"),
}
ENVELOPES = {"qmail-inject": (b"s@x.example", [b"r@y.example"]), "qreceipt": (b"", [b"s@x"]), "forward": (b"n@x", [b"r@y"])}


@pytest.mark.parametrize("program", SUBMITTERS)
def test_qmailqueue(home, program):
    """Named by a path from the home; and there is no other queue."""
    queue = Queue(home)
    os.rename(queue.program, home.home / "control/their-queue")
    (home.home / "u").mkdir(mode=0o700)
    lib.give(home.home / "u")
    SUBMITTERS[program](home, {"QMAILQUEUE": "control/their-queue"})
    (one,) = queue.messages
    assert one[:2] == ENVELOPES.get(program, (b"s@x", [b"r@y"]))


def test_qmailqueue_is_not_looked_for_in_path(home):
    queue = Queue(home)
    name = os.path.basename(queue.program)
    done = home.inject("r@y", env={
        "QMAILQUEUE": name, "PATH": f"{os.path.dirname(queue.program)}:/usr/bin:/bin"})
    assert done.returncode == 111
    assert done.stderr == b"qmail-inject: fatal: unable to exec qq (#4.3.0)\n"
    assert queue.messages == []


# ---- SIGPIPE ---------------------------------------------------------------------

READERS = {  # programs that read a pipe first, and so can be looked at
    "qmail-inject": [], "qmail-smtpd": [], "qmail-qmtpd": [], "qmail-qmqpd": [],
    "qmail-qmqpc": [], "qmail-queue": [], "qmail-pop3d": ["."], "predate": ["cat"],
    "mailsubj": ["x", "r@y"], "rmail": ["r@y"], "splogger": ["x"],
    "qmail-pw2u": [], "qmail-getpw": [],
}


def ignored_signals(pid):
    status = open(f"/proc/{pid}/status").read()
    return int(re.search(r"SigIgn:\s*(\w+)", status)[1], 16)


@pytest.mark.parametrize("program", READERS)
def test_sigpipe_is_ignored(home, program):
    home.write_control("qmqpservers", "127.0.0.1\n")
    process = subprocess.Popen(
        [home.bin / program, *READERS[program]], stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=home.env(QMAILQUEUE="/bin/false"),
        cwd=home.home / "users/test/Maildir", **lib.as_user())
    try:
        deadline = time.monotonic() + lib.TIMEOUT_S
        while not ignored_signals(process.pid) & SIGPIPE_BIT:
            assert process.poll() is None, "it ended first"
            assert time.monotonic() < deadline, "SIGPIPE is not ignored"
    finally:
        if program == "qmail-queue":  # it would look for qmail-queued
            process.kill()
        process.communicate(timeout=lib.TIMEOUT_S)


@pytest.mark.parametrize("program, args", [
    ("qmail-inject", ["-n"]), ("qmail-showctl", []), ("qmail-tcpto", [])])
def test_a_reader_who_has_left(home, program, args):
    (home.home / "run/tcpto").write_bytes(
        b"\x0a\0\0\1\2\0\0\0\1\0\0\0\0\0\0\0".ljust(1024, b"\0"))
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = home.run(program, *args, input=b"To: a@b\n\n", stdout=write_end)
    finally:
        os.close(write_end)
    assert done.returncode == 111


@pytest.mark.parametrize("program, args", [
    ("preline", []), ("condredirect", ["r@y"]), ("bouncesaying", ["x"]),
    ("except", []), ("predate", []), ("qmail-popup", ["h"])])
def test_their_programs_get_sigpipe(home, program, args):
    seen = home.base / "seen"
    child = ["sh", "-c", f"grep SigIgn /proc/$$/status >{seen}; exit 111"]
    by_server_text = b"USER a\r\nPASS b\r\n"
    with Conversation(home, program, *args, *child, env=DELIVERY) as one:
        # one that reads nothing may have ended already
        with contextlib.suppress(BrokenPipeError):
            one.send(by_server_text if program == "qmail-popup" else b"x\n")
        one.rest()
        one.process.wait(lib.TIMEOUT_S)
    assert not int(seen.read_text().split()[1], 16) & SIGPIPE_BIT


# ---- the silent limit -------------------------------------------------------------

def test_open_files_limit_the_concurrency(home):
    home.write_control("concurrencylocal", "5000\n")
    home.write_control("concurrencyremote", "5000\n")
    home.start_queued()
    home.start_send(prefix=["sh", "-c", 'ulimit -n 300; exec "$0" "$@"'])
    found = home.wait_log(r"status: local 0/(\d+) remote 0/(\d+)", "send")
    assert all(0 < int(n) < 300 for n in found.groups())


# ---- a program that cannot be executed ---------------------------------------------

@pytest.mark.parametrize("mode, text", [(0o644, "#!/bin/sh\n"), (0o755, "\x7fELF")])
def test_a_remote_that_cannot_be_executed(home, mode, text):
    home.start_queued()
    path = home.write("control/their-remote", text, mode)
    home.extra_env["QMAILREMOTE"] = str(path)
    home.start_send()
    assert home.inject("r@elsewhere.example").returncode == 0
    home.wait_log(r"delivery \d+: deferral: Unable_to_run_qmail-remote\./", "send")
