"""qmail-local and .qmail files, as doc/interfaces/50-local.md states them.

Some rows need a system call to fail in a certain way, or its order: those run
qmail-local under strace.
"""

import os
import re
import subprocess

import pytest

import lib
from local_box import MESSAGE, Box

LOOP = b"Delivered-To: joe@h\n\n"


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


def strace(box, *options, **given):
    """Exit code, descriptor 2 and the traced calls of a delivery."""
    trace = box.path / "trace"
    message = box.path / "message"
    message.write_bytes(MESSAGE)
    with open(message, "rb") as f:
        done = subprocess.run(
            ["strace", "-f", "-o", trace, *options, lib.bin_dir() / "qmail-local", "--",
             *box.arguments(**given)], stdin=f, capture_output=True, env=box.env(),
            timeout=lib.TIMEOUT_S)
    return done.returncode, done.stderr, trace.read_text()


# ---- checks before the first line ------------------------------------------------

@pytest.mark.parametrize("mode, message, status", [
    (0o1702, LOOP, b"(#4.7.0)\n"),
    (0o1700, LOOP, b"(#4.2.1)\n"),
    (0o700, LOOP, b"(#5.4.6)\n"),
    (0o700, MESSAGE, b"(#5.1.1)\n"),
])
def test_order_of_the_checks(box, mode, message, status):
    """Each row has the faults of those below it as well."""
    box.home.chmod(mode)
    code, _, err = box.deliver(message, dash="-", ext="none")
    box.home.chmod(0o700)
    assert code == (111 if status[2:3] == b"4" else 100) and err.endswith(status)


def test_owners_do_not_matter(box, tmp_path):
    """Of the home, and of the file in it."""
    if os.getuid() == 0:
        box.dotqmail("", "&somebody@else.example\n", 0o644)
        os.chown(box.home / ".qmail", 4321, 4321)
        os.chown(box.home, 1234, 1234)
        home = box.home
    else:
        home = "/"  # which is root's
        (box.home / ".qmail").symlink_to("/etc/passwd")  # and so is this
    assert box.deliver(homedir=str(home), options=["-n"])[0] == 0
    assert box.deliver(options=["-n"])[1].startswith(b"forward ")


def as_nobody():
    """Between fork and exec: root reads every file, so be somebody else."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(lib.ordinary_user().pw_gid)
        os.setuid(lib.ordinary_user().pw_uid)


def test_an_unreadable_file_defers():
    place = lib.work_dir()
    box = Box(place)
    box.dotqmail("-x", "./Mailbox\n", 0)
    box.dotqmail("-default", "./Mailbox\n")
    for path in (place, *place.rglob("*")):
        lib.give(path)
    code, _, err = box.deliver(dash="-", ext="x", before=as_nobody)
    assert code == 111 and err.endswith(b"(#4.3.0)\n")
    assert box.deliver(dash="-", ext="y", before=as_nobody)[0] == 0
    subprocess.run(["rm", "-rf", str(place)], check=True)


@pytest.mark.parametrize("error, status", [
    ("ENFILE", 111), ("EPERM", 111), ("EACCES", 111), ("EIO", 111), ("ENOENT", 0),
    ("ELOOP", 0), ("ENOTDIR", 0)])
def test_errors_of_the_search(box, error, status):
    path = box.dotqmail("-x", "./Other\n")
    box.dotqmail("-default", "./Mailbox\n")
    code, err, _ = strace(box, "-P", path.name, "-e", f"inject=open,openat:error={error}",
                          dash="-", ext="x")
    assert code == status
    assert err.endswith(b"(#4.3.0)\n") if status else (box.home / "Mailbox").exists()
    assert not (box.home / "Other").exists()


# ---- variables -------------------------------------------------------------------

@pytest.mark.parametrize("ext, parts", [
    ("a-b", ["b", "", ""]), ("A-B", ["B", "", ""]), ("A.B", ["", "", ""]),
    ("a-b-c", ["b-c", "c", ""]), ("a-b-", ["b-", "", ""]), ("foo", ["", "", ""]),
    ("foo-", ["", "", ""]), ("foo-owner", ["owner", "", ""]),
    ("x-y-z-w-v", ["y-z-w-v", "z-w-v", "w-v"]), ("default", ["", "", ""]),
    ("Default", ["", "", ""]), ("list-default", ["default", "", ""]),
    ("", ["", "", ""]), ("list", ["", "", ""]), ("list-Sub.X-", ["Sub.X-", "", ""]),
])
def test_parts_of_extensions(box, ext, parts):
    box.dotqmail("-default", '|printf "%s\\n" "$EXT" "$EXT2" "$EXT3" "$EXT4"\n')
    code, out, _ = box.deliver(dash="-", ext=ext)
    assert code == 0 and out.decode().split("\n")[:4] == [ext, *parts]


@pytest.mark.parametrize("inherited", [None, "old"])
def test_default_is_not_set_for_the_default_delivery(box, inherited):
    box.dotqmail("-default", "./Mailbox\n")
    env = box.env(**({"DEFAULT": inherited} if inherited else {}))
    code, out, _ = box.deliver(env=env, ext="foo", default='|echo "${DEFAULT-unset}"\n')
    assert (code, out) == (0, (inherited or "unset").encode() + b"\ndid 0+0+1\n")


def test_the_queue_program_gets_the_variables(box):
    box.dotqmail("-default", "&a@b\n")
    box.dotqmail("-x-owner", "")
    assert box.deliver(dash="-", ext="x", local="joe-x")[0] == 0
    seen = (box.store / "env").read_text().split("\n")
    for line in ("SENDER=s@x", "NEWSENDER=joe-x-owner@h", "LOCAL=joe-x", "HOST=h", "EXT=x",
                 "DEFAULT=x", "RECIPIENT=joe-x@h", "USER=joe"):
        assert line in seen


# ---- programs --------------------------------------------------------------------

def test_the_shell_is_bin_sh(box):
    box.dotqmail("", "|exit 0\n")
    code, _, trace = strace(box, "-e", "trace=execve")
    assert code == 0
    assert re.search(r'execve\("/bin/sh", \["[^"]*", "-c", "exit 0"\]', trace), trace


def test_every_other_exit_code_defers(box):
    """All codes that the table does not name, in one home."""
    named = {0, 99, 100, 64, 65, 70, 76, 77, 78, 112}
    box.dotqmail("-default", "|exit $DEFAULT\n")
    wrong = {code: got for code in set(range(256)) - named
             if (got := box.deliver(dash="-", ext=str(code))) != (111, b"", b"")}
    assert wrong == {}


# ---- maildirs --------------------------------------------------------------------

@pytest.mark.parametrize("error, status", [
    ("EIO", b"(#4.3.0)\n"), ("ESTALE", b"(#4.3.0)\n"), ("EACCES", b"(#4.2.1)\n")])
def test_maildir_out_of_reach_for_now(box, error, status):
    """Every call that names the maildir, or its directory of new mail, fails."""
    box.maildir()
    code, err, trace = strace(
        box, "-e", "trace=%file", "-e", f"inject=%file:error={error}",
        "-P", "./Maildir/", "-P", "./Maildir/new", default="./Maildir/")
    assert "INJECTED" in trace
    assert code == 111 and err.endswith(status)
    assert box.new() == []


def calls(trace, *names):
    return [m.group(1) for m in re.finditer(r"(?m)^\d+ +(\w+)\(", trace)
            if m.group(1) in names]


def test_steps_of_a_maildir_delivery(box):
    box.maildir()
    code, _, trace = strace(box, "-e", "trace=open,openat,fsync,fdatasync,link,linkat,rename,"
                            "renameat,renameat2,unlink,unlinkat", default="./Maildir/")
    assert code == 0
    (made,) = [x for x in trace.splitlines() if "O_EXCL" in x]
    name = re.search(r'"\./Maildir/tmp/([^"]+)"', made).group(1)
    assert "O_CREAT" in made and "0600" in made
    order = [made]
    order += [x for x in trace.splitlines() if "sync(" in x][:1]
    order += [x for x in trace.splitlines() if re.search(r"(link|linkat|rename\w*)\(", x)
              and f"new/{name}" in x]
    assert len(order) == 3
    assert order == sorted(order, key=trace.splitlines().index)
    assert [p.name for p in box.new()] == [name]
    assert os.listdir(box.home / "Maildir/tmp") == []


# ---- mboxes ----------------------------------------------------------------------

NO_LOCKS = ["-e", "inject=flock,fcntl:error=ENOLCK"]  # both kinds


def test_an_mbox_that_cannot_be_locked(box):
    (box.home / "Mailbox").touch()
    code, _, trace = strace(box, "-P", box.home / "Mailbox", "-e", "trace=flock,fcntl",
                            *NO_LOCKS)
    assert code == 0 and "INJECTED" in trace
    assert box.read("Mailbox").startswith(b"From s@x ")


@pytest.mark.parametrize("locked", [True, False])
def test_an_unlocked_mbox_is_not_cut_back(box, locked):
    (box.home / "Mailbox").write_bytes(b"From old\n\n\n")
    code, err, trace = strace(box, "-P", box.home / "Mailbox", "-e",
                              "trace=flock,fcntl,fsync,fdatasync", "-e",
                              "inject=fsync,fdatasync:error=EIO", *([] if locked else NO_LOCKS))
    assert code == 111 and err.endswith(b"(#4.3.0)\n") and "INJECTED" in trace
    assert (box.read("Mailbox") == b"From old\n\n\n") == locked


def test_an_mbox_is_synced(box):
    (box.home / "Mailbox").write_bytes(b"")
    code, _, trace = strace(box, "-y", "-e", "trace=write,writev,fsync,fdatasync")
    assert code == 0
    mbox = [x for x in trace.splitlines() if "/Mailbox>" in x]
    assert "write" in mbox[0] and re.search(r"sync\(", mbox[-1]), trace
