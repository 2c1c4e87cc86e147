"""qmail-local by hand: which file it obeys, when it refuses, dry runs, usage."""

import os
import subprocess

import pytest

import lib
from local_box import MESSAGE, Box

NO_MAILBOX = b"Sorry, no mailbox here by that name. (#5.1.1)\n"


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


# ---- the search -----------------------------------------------------------------

PRESENT = ("-list", "-list-default", "-default", "-a-b", "-a-default", "-a:b", "-foo-default",
           "-foo-owner")


@pytest.mark.parametrize("ext, file, default", [
    ("list", "-list", None), ("list-sub", "-list-default", "sub"),
    ("list-Sub.X-", "-list-default", "Sub.X-"), ("a-b", "-a-b", None), ("A-B", "-a-b", None),
    ("A.B", "-a:b", None), ("a-b-c", "-a-default", "b-c"), ("a-b-", "-a-default", "b-"),
    ("foo", "-default", "foo"), ("foo-", "-foo-default", ""), ("foo-owner", "-foo-owner", None),
    ("x-y-z-w-v", "-default", "x-y-z-w-v"), ("default", "-default", "default"),
    ("Default", "-default", "Default"), ("list-default", "-list-default", "default"),
    ("", "-default", ""),
])
@pytest.mark.parametrize("inherited", [None, "old"])
def test_search(box, ext, file, default, inherited):
    for name in PRESENT:
        box.dotqmail(name, f"# {name}\n|echo .qmail{name}; env | grep ^DEFAULT=; exit 0\n")
    env = box.env(**({"DEFAULT": inherited} if inherited else {}))
    code, out, _ = box.deliver(env=env, local="joe-" + ext, dash="-", ext=ext)
    seen = default if default is not None else inherited
    want = f".qmail{file}\n" + (f"DEFAULT={seen}\n" if seen is not None else "")
    assert (code, out.decode()) == (0, want + "did 0+0+1\n")


def test_no_mailbox(box):
    box.dotqmail("-x", "./Mailbox\n")
    for ext in ("foo", "x-y", ""):
        assert box.deliver(dash="-", ext=ext) == (100, b"", NO_MAILBOX)
    assert not (box.home / "Mailbox").exists()


def test_no_dash_means_default_delivery(box):
    assert box.deliver() == (0, b"did 1+0+0\n", b"")
    assert box.deliver(ext="foo", default="./other\n./more") == (0, b"did 2+0+0\n", b"")
    assert (box.home / "more").exists()


@pytest.mark.parametrize("mode", [0o600, 0o700])
def test_an_empty_file_means_default_delivery(box, mode):
    box.dotqmail("-x", "", mode)
    assert box.deliver(dash="-", ext="x") == (0, b"did 1+0+0\n", b"")


def test_comments_only_deliver_nothing(box):
    box.dotqmail("", "# nothing\n")
    assert box.deliver() == (0, b"did 0+0+0\n", b"")
    assert os.listdir(box.home) == [".qmail"]


def test_other_types_are_passed_over(box):
    (box.home / ".qmail-x").mkdir()
    os.mkfifo(box.home / ".qmail-y")
    box.dotqmail("-default", "|echo default\n")
    for ext in "xy":
        assert box.deliver(dash="-", ext=ext)[1] == b"default\ndid 0+0+1\n"


def test_links_are_followed(box):
    (box.home / "real").write_bytes(b"|echo real\n")
    (box.home / ".qmail").symlink_to("real")
    assert box.deliver()[1] == b"real\ndid 0+0+1\n"


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_no_reason_to_go_on(box):
    box.dotqmail("-x", "./Mailbox\n", 0)
    box.dotqmail("-default", "./Mailbox\n")
    code, _, err = box.deliver(dash="-", ext="x")
    assert code == 111 and err.endswith(b"(#4.3.0)\n")


# ---- lines ----------------------------------------------------------------------

@pytest.mark.parametrize("text", [b"\n./Mailbox\n", b" \t\n./Mailbox\n", b"./Mailbox\n|\0\n", b"\0\0\0"])
def test_damaged_instructions_deliver_nothing(box, text):
    box.dotqmail("", text)
    code, out, err = box.deliver()
    assert code == 111 and out == b"" and err.endswith(b"(#4.2.1)\n")
    assert not (box.home / "Mailbox").exists()


def test_blank_lines_further_on_do_no_harm(box):
    box.dotqmail("", "./a\n\n \t\n./b")
    assert box.deliver()[1] == b"did 2+0+0\n"


def test_empty_default_delivery(box):
    code, _, err = box.deliver(default="")
    assert code == 111 and err.endswith(b"(#4.2.1)\n")


@pytest.mark.parametrize("line", ["./Mailbox", "|touch Mailbox", "./Maildir/"])
def test_a_list_only_forwards(box, line):
    box.maildir()
    for text, mode in ((f"a@b\n{line}\n", 0o700), (f"+list\na@b\n{line}\n", 0o600)):
        box.dotqmail("", text, mode)
        code, _, err = box.deliver()
        assert code == 111 and err.endswith(b"(#4.7.0)\n")
        assert not (box.home / "Mailbox").exists() and box.new() == []
        assert box.queued() is None


def test_a_list_forwards(box):
    box.dotqmail("", "# x\n+list\n\na@b\n+foo\n", 0o700)
    assert box.deliver()[0] == 0
    assert box.queued()[1] == b"Fs@x\0Ta@b\0\0"


def test_list_counts_from_its_line_on(box):
    box.dotqmail("", "./Mailbox\n+list\na@b\n")
    assert box.deliver()[0] == 0
    assert (box.home / "Mailbox").exists() and box.queued() is not None


# ---- refusals at the start --------------------------------------------------------

def test_missing_home(box):
    code, _, err = box.deliver(homedir="/nonexistent/home")
    assert code == 111 and err.endswith(b"(#4.3.0)\n")


@pytest.mark.parametrize("mode, code, status", [
    (0o702, 111, b"(#4.7.0)\n"), (0o1700, 111, b"(#4.2.1)\n"), (0o770, 0, b""), (0o755, 0, b""),
])
def test_mode_of_the_home(box, mode, code, status):
    box.home.chmod(mode)
    got, _, err = box.deliver()
    box.home.chmod(0o700)
    assert got == code and err.endswith(status)


@pytest.mark.parametrize("mode, code", [(0o602, 111), (0o666, 111), (0o664, 0), (0o400, 0)])
def test_mode_of_the_file(box, mode, code):
    box.dotqmail("", "./Mailbox\n", mode)
    got, _, err = box.deliver()
    assert got == code
    if code:
        assert err.endswith(b"(#4.7.0)\n")


@pytest.mark.parametrize("header, code", [
    (b"Delivered-To: joe@h\n", 100),
    (b"Received: x\nDelivered-To: joe@h\nTo: y\n", 100),
    pytest.param(b"X: " + b"y" * 200000 + b"\nDelivered-To: joe@h\n", 100, id="long"),
    (b"delivered-to: joe@h\n", 0),
    (b"Delivered-To: JOE@h\n", 0),
    (b"Delivered-To: joe@h \n", 0),
    (b"Delivered-To: joe@h2\n", 0),
    (b"X: y\n Delivered-To: joe@h\n", 0),
    (b"X: y\n\nDelivered-To: joe@h\n", 0),
])
def test_loops(box, header, code):
    got, _, err = box.deliver(header + b"\nbody\n")
    assert got == code
    if code:
        assert err.endswith(b"(#5.4.6)\n")
        assert not (box.home / "Mailbox").exists()


# ---- dry runs -------------------------------------------------------------------

def test_dry_run(box):
    box.dotqmail("", "# c\n\n./Mailbox  \n./Maildir/\t\n|cmd with args  \n&joe@x.y\n& sp@x\n+foo")
    want = (b"mbox ./Mailbox\nmaildir ./Maildir/\nprogram cmd with args\nforward joe@x.y\n"
            b"forward  sp@x\ndid 2+2+1\n")
    assert box.deliver(options=["-n"]) == (0, want, b"")
    # no loop check, and nothing is done
    assert box.deliver(b"Delivered-To: joe@h\n\n", options=["-n"]) == (0, want, b"")
    assert os.listdir(box.home) == [".qmail"] and box.queued() is None


def test_dry_run_only_warns_of_a_sticky_home(box):
    box.home.chmod(0o1700)
    code, out, _ = box.deliver(options=["-n"])
    assert code == 0 and out.endswith(b"mbox ./Mailbox\ndid 1+0+0\n")
    assert b"sticky" in out


def test_a_later_capital_undoes_the_dry_run(box):
    assert box.deliver(options=["-nN"]) == (0, b"did 1+0+0\n", b"")
    assert (box.home / "Mailbox").exists()


# ---- usage ----------------------------------------------------------------------

def run(*arguments):
    return subprocess.run([lib.bin_dir() / "qmail-local", *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=lib.TIMEOUT_S)


@pytest.mark.parametrize("arguments", [
    [], ["a", "/", *["a"] * 5], ["a", "/", *["a"] * 7], ["-x", "a", "/", *["a"] * 6],
    ["a", "relative", *["a"] * 6], ["a", "", *["a"] * 6], ["-w", "a"],
])
def test_usage(arguments):
    done = run(*arguments)
    assert done.returncode == 100 and done.stderr and not done.stdout


def test_a_message_that_cannot_be_read_again(box):
    done = subprocess.run([lib.bin_dir() / "qmail-local", *box.arguments()], input=MESSAGE,
                          capture_output=True, timeout=lib.TIMEOUT_S)  # a pipe
    assert done.returncode == 111 and done.stderr.endswith(b"(#4.3.0)\n")
    assert not (box.home / "Mailbox").exists()
