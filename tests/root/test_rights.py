"""Who runs as whom, and who can open what, tried as that account."""

import contextlib
import os
import re
import socket
from pathlib import Path

import lib
import pytest
from conftest import NAMES, REPO, USER

# program: (user, group) that the table and the architecture give it
ACCOUNTS = {
    "qmail-queued": ("qmailq", "qmail"), "qmail-clean": ("qmailq", "qmail"),
    "qmail-start": ("root", None), "qmail-send": ("qmails", "qmail"),
    "qmail-lspawn": ("root", None), "qmail-getpw": ("qmailp", "nofiles"),
    "qmail-rspawn": ("qmailr", "nofiles"), "qmail-remote": ("qmailr", "nofiles"),
    "qmail-smtpd": ("qmaild", "nofiles"), "qmail-popup": ("root", None),
    "qmail-pop3d": (USER, None), "qmail-local": (USER, None),
}


def ids_of(pid):
    """All four uids and gids of a process, and its groups and seccomp state."""
    lines = dict(line.split(":", 1) for line in
                 Path(f"/proc/{pid}/status").read_text().splitlines())
    return {"uid": set(map(int, lines["Uid"].split())),
            "gid": set(map(int, lines["Gid"].split())),
            "groups": set(map(int, lines["Groups"].split())),
            "nnp": int(lines["NoNewPrivs"])}


def group_id(name):
    import grp
    return grp.getgrnam(NAMES.get(name, name)).gr_gid


@contextlib.contextmanager
def everything_at_work(running, sink):
    """One process of each program alive: a session, a login, two deliveries."""
    running.route_to(sink({"EHLO": lib.HANG}))
    fifo = running.it.user_home / "wait"
    with contextlib.suppress(FileExistsError):
        os.mkfifo(fifo, 0o600)
    os.chown(fifo, running.user.pw_uid, running.user.pw_gid)
    rule = running.it.user_home / ".qmail-wait"
    rule.write_text("|cat wait\n")
    os.chown(rule, running.user.pw_uid, running.user.pw_gid)
    rule.chmod(0o600)
    sent = running.run("sendmail", f"{USER}-wait@root.example", "far@elsewhere.example")
    assert sent.returncode == 0, sent.stderr
    try:
        with running.smtp(), contextlib.closing(login(running)), \
                socket.create_connection(("127.0.0.1", running.it.pop3_port)):
            yield
    finally:
        # once it is read: what nobody has open keeps nothing
        fd = lib.wait_until(lambda: open_for_writing(fifo), what="a reader")
        os.write(fd, b"go\n")
        os.close(fd)
        running.remove_control("smtproutes")
        running.wait_log(r"delivery \d+: success: go_?/", "send")


def open_for_writing(fifo):
    with contextlib.suppress(OSError):
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    return None


def login(running):
    """A POP3 session of the user, by users/passwd with his uid and gid."""
    made = running.run("qmail-checkpass", "-c", input=b"secret")
    assert made.returncode == 0, made.stderr
    running.write("users/passwd", f"{USER}:{made.stdout.decode().strip()}:"
                  f"{running.user.pw_uid}:{running.user.pw_gid}:"
                  f"{running.it.user_home}\n", 0o600)
    os.chown(running.home / "users/passwd", 0, 0)
    return running.pop3(USER, "secret")


@pytest.fixture
def sink():
    made = []

    def make(replies=None):
        made.append(lib.SmtpSink(replies))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_every_program_runs_under_its_account(running, sink):
    with everything_at_work(running, sink):
        lib.wait_until(
            lambda: set(ACCOUNTS) <= set(running.processes().values()),
            what="one process of each program")
        seen = {}
        for pid, name in running.processes().items():
            if name in ACCOUNTS:
                with contextlib.suppress(OSError):
                    seen.setdefault(name, []).append(ids_of(pid))
    for name, (user, group) in ACCOUNTS.items():
        uid = running.it.uid(user)
        for ids in seen[name]:
            assert ids["uid"] == {uid}, (name, ids)
            if group:
                assert ids["gid"] == {group_id(group)}, (name, ids)
            if uid != 0:
                assert 0 not in ids["gid"] | ids["groups"], (name, ids)
                assert ids["groups"] <= ids["gid"], (name, ids)
            if running.prefix:
                assert ids["nnp"] == 1, (name, ids)


# Tries everything under the home: prints what can be read in queue/ (R path),
# what can be written or created (W path), and the sockets that answer (C path).
TRY = r"""
import os, socket, sys
home = sys.argv[1]
def attempt(letter, path, call):
    try:
        call()
        print(letter, os.path.relpath(path, home))
    except OSError:
        pass
def create(path):
    name = os.path.join(path, "intruder")
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    os.unlink(name)
def connect(path, kind):
    with socket.socket(socket.AF_UNIX, kind) as s:
        s.connect(path)
for line in sys.argv[2].split("\n"):
    kind, path = line[0], line[1:]
    if kind == "s":
        for type in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
            attempt("C", path, lambda: connect(path, type))
    elif kind == "d":
        attempt("R", path, lambda: os.listdir(path))
        attempt("W", path, lambda: create(path))
    else:
        attempt("R", path, lambda: os.close(os.open(path, os.O_RDONLY)))
        attempt("W", path, lambda: os.close(os.open(path, os.O_WRONLY)))
"""


def everything_below(home):
    lines = []
    for folder, dirs, files in os.walk(home):
        lines.append("d" + folder)
        for name in files:
            path = Path(folder, name)
            if path.is_symlink():
                continue
            lines.append(("s" if path.is_socket() else "f") + str(path))
    return "\n".join(lines)


@pytest.fixture
def held(running):
    """A message that stays in the queue: its user's rule defers it."""
    rule = running.it.user_home / ".qmail-hold"
    rule.write_text("|exit 111\n")
    os.chown(rule, running.user.pw_uid, running.user.pw_gid)
    tried = rf"starting delivery \d+: msg (\d+) to local {USER}-hold@"
    before = len(re.findall(tried, running.log("send")))
    sent = running.run("sendmail", f"{USER}-hold@root.example")
    assert sent.returncode == 0, sent.stderr
    ID = int(running.wait_log(tried, "send", count=before + 1)[1])
    running.wait_log(r"delivery \d+: deferral: ", "send")
    yield ID
    rule.write_text("#\n")
    running.flush(lambda: re.search(rf"end msg {ID}$", running.log("send"), re.M))


# account, group: (may read in queue/, may write or create, may connect to)
RIGHTS = {
    ("qmaild", "nofiles"): (False, set(), {"run/submit.sock"}),
    ("qmailr", "nofiles"): (False, {"run/tcpto"}, {"run/submit.sock"}),
    ("qmailp", "nofiles"): (False, set(), {"run/submit.sock"}),
    ("qmaill", "nofiles"): (False, {"log"}, {"run/submit.sock"}),
    ("qmails", "qmail"): (True, set(), {"run/submit.sock", "run/control.sock"}),
    ("qmailq", "qmail"): (True, {"queue", "run"},
                          {"run/submit.sock", "run/control.sock"}),
    ("alias", "nofiles"): (False, {"alias"}, {"run/submit.sock"}),
    (USER, USER): (False, set(), {"run/submit.sock"}),
    ("nobody", "nogroup"): (False, set(), {"run/submit.sock"}),
}


@pytest.mark.parametrize("account", RIGHTS, ids=lambda a: a[0])
def test_an_account_reaches_what_its_row_says(running, held, account):
    may_read, may_write, may_connect = RIGHTS[account]
    text = running.it.as_account(*account, TRY, running.home,
                                 everything_below(running.home))
    did = {letter: {line[2:] for line in text.splitlines() if line[0] == letter}
           for letter in "RWC"}
    secrets = {p for p in did["R"] if p.split("/")[0] == "queue"}
    if may_read:
        assert any(p.startswith("queue/mess/") and p.endswith(f"/{held}")
                   for p in secrets), "it must be able to read messages"
    else:
        assert not secrets, "it can read the queue"
    outside = {p for p in did["W"] if p not in may_write
               and p.split("/")[0] not in may_write}
    assert not outside, "it can write there"
    assert "users/passwd" not in did["R"]
    assert did["C"] == may_connect


def test_the_control_socket_is_for_qmail_send_only(running):
    """The group alone is not enough: qmail-queued looks at the uid."""
    code = """
import socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
    s.settimeout(30)
    try:
        s.connect(sys.argv[1])
        s.send(b"1:S,")
        print(s.recv(100))
    except OSError as error:
        print(error)
"""
    answer = running.it.as_account("alias", "qmail", code,
                                   running.home / "run/control.sock")
    assert "H" not in answer, answer


def test_the_table_knows_every_program_that_is_installed(running):
    table = {line.split()[0] for line in
             (REPO / "etc/privileges").read_text().splitlines()
             if line and not line.startswith("#")}
    assert {f"bin/{p.name}" for p in running.bin.iterdir()} <= table
