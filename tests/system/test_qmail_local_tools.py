"""forward, preline, condredirect, bouncesaying, except, maildirmake."""

import os
import re
import subprocess

import pytest

import lib
from local_box import MESSAGE, Box


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


def run(box, program, *arguments, skip=0, message=MESSAGE, drop=(), **env):
    """Exit code, fd 1 and fd 2 of a tool, the message on fd 0 from skip on."""
    values = dict(SENDER="s@x", NEWSENDER="n@x", UFLINE="uf\n", RPLINE="rp\n", DTLINE="dt\n")
    values.update(env)
    path = box.path / "message"
    path.write_bytes(message)
    with open(path, "rb") as f:
        os.lseek(f.fileno(), skip, os.SEEK_SET)
        done = subprocess.run(
            [lib.bin_dir() / program, *arguments], stdin=f, capture_output=True,
            timeout=lib.TIMEOUT_S, cwd=box.home,
            env={k: v for k, v in box.env(**values).items() if k not in drop})
    return done.returncode, done.stdout, done.stderr


# ---- forward --------------------------------------------------------------------

def test_forward(box):
    code, out, err = run(box, "forward", "a@b", "c d@e")
    assert code == 0 and out == b"" and re.fullmatch(rb"forward: qp \d+\n", err)
    assert box.queued() == (b"dt\n" + MESSAGE, b"Fn@x\0Ta@b\0Tc d@e\0\0")


def test_forward_from_where_the_message_is(box):
    assert run(box, "forward", "a@b", skip=10)[0] == 0
    assert box.queued()[0] == b"dt\n" + MESSAGE[10:]


def test_forward_to_nobody(box):
    assert run(box, "forward")[0] == 0
    assert box.queued()[1] == b"Fn@x\0\0"


@pytest.mark.parametrize("missing", ["NEWSENDER", "DTLINE"])
def test_forward_needs_its_environment(box, missing):
    assert run(box, "forward", "a@b", drop=[missing])[0] == 100
    assert box.queued() is None


@pytest.mark.parametrize("program, code, want, text", [
    ("forward", 31, 100, b"mail server permanently rejected message (#5.3.0)"),
    ("forward", 53, 111, b"qq write error or disk full (#4.3.0)"),
    ("condredirect", 31, 100, b"mail server permanently rejected message (#5.3.0)"),
    ("condredirect", 53, 111, b"qq write error or disk full (#4.3.0)"),
])
def test_refusals_of_the_queue(box, program, code, want, text):
    (box.store / "exit").write_text(str(code))
    name = program.encode()
    assert run(box, program, "a@b", "true") == (want, b"", name + b": fatal: " + text + b"\n")


@pytest.mark.parametrize("sender", ["() { x", " () { x", "a b@x", " s@x"])
def test_forward_in_a_dotqmail_line_keeps_the_sender(box, sender):
    box.dotqmail("", "|%s/forward a@b\n" % lib.bin_dir())
    assert box.deliver(sender=sender)[0] == 0
    assert box.queued()[1] == b"F" + sender.encode() + b"\0Ta@b\0\0"


# ---- condredirect -----------------------------------------------------------------

def test_condredirect_says_yes(box):
    code, out, err = run(box, "condredirect", "a@b", "sh", "-c", "cat >seen")
    assert code == 99 and re.fullmatch(rb"condredirect: qp \d+\n", err)
    assert box.read("seen") == MESSAGE
    assert box.queued() == (b"dt\n" + MESSAGE, b"Fs@x\0Ta@b\0\0")


@pytest.mark.parametrize("code, want", [(111, 111), (1, 0), (99, 0), (100, 0), (112, 0)])
def test_condredirect_says_no(box, code, want):
    assert run(box, "condredirect", "a@b", "sh", "-c", f"exit {code}")[0] == want
    assert box.queued() is None


def test_condredirect_and_a_program_that_is_not_there(box):
    assert run(box, "condredirect", "a@b", "/nonexistent")[0] == 0
    assert box.queued() is None


def test_condredirect_and_a_killed_program(box):
    assert run(box, "condredirect", "a@b", "sh", "-c", "kill -9 $$")[0] == 111


@pytest.mark.parametrize("missing", ["SENDER", "DTLINE"])
def test_condredirect_needs_its_environment(box, missing):
    assert run(box, "condredirect", "a@b", "true", drop=[missing])[0] == 100
    assert run(box, "condredirect", "a@b", "false", drop=[missing])[0] == 0
    assert box.queued() is None


@pytest.mark.parametrize("arguments", [[], ["a@b"]])
def test_condredirect_usage(box, arguments):
    assert run(box, "condredirect", *arguments)[0] == 100


def test_condredirect_in_a_dotqmail_file(box):
    box.dotqmail("", "|%s/condredirect a@b grep -q body\n./Mailbox\n" % lib.bin_dir())
    assert box.deliver()[0] == 0
    assert not (box.home / "Mailbox").exists() and box.queued() is not None
    assert box.deliver(b"Subject: y\n\nother\n")[0] == 0
    assert (box.home / "Mailbox").exists()


# ---- bouncesaying, except ---------------------------------------------------------

@pytest.mark.parametrize("program, want, text", [
    ([], 100, b"no\n"), (["true"], 100, b"no\n"), (["false"], 0, b""),
    (["sh", "-c", "exit 111"], 111, b""), (["sh", "-c", "exit 99"], 0, b""),
    (["sh", "-c", "exit 100"], 0, b""),
])
def test_bouncesaying(box, program, want, text):
    assert run(box, "bouncesaying", "no", *program) == (want, b"", text)


@pytest.mark.parametrize("program, want", [
    (["true"], 100), (["false"], 0), (["sh", "-c", "exit 111"], 111), (["sh", "-c", "exit 99"], 0),
    (["sh", "-c", "exit 100"], 0), (["/nonexistent"], 0), ([], 100), (["sh", "-c", "kill -9 $$"], 111),
])
def test_except(box, program, want):
    assert run(box, "except", *program)[0] == want


def test_bouncesaying_usage_and_a_program_that_is_not_there(box):
    assert run(box, "bouncesaying")[0] == 100
    assert run(box, "bouncesaying", "no", "/nonexistent")[0] == 0


def test_their_programs_get_the_message(box):
    assert run(box, "except", "grep", "-q", "body")[0] == 100
    assert run(box, "bouncesaying", "x", "grep", "-q", "nothing")[0] == 0


# ---- preline --------------------------------------------------------------------

@pytest.mark.parametrize("options, head", [
    ([], b"uf\nrp\ndt\n"), (["-f"], b"rp\ndt\n"), (["-r"], b"uf\ndt\n"), (["-d"], b"uf\nrp\n"),
    (["-frd"], b""), (["-frdD"], b"dt\n"), (["-f", "-F"], b"uf\nrp\ndt\n"),
])
def test_preline(box, options, head):
    assert run(box, "preline", *options, "cat") == (0, head + MESSAGE, b"")


def test_preline_leaves_the_options_of_the_program_alone(box):
    assert run(box, "preline", "sh", "-c", "exit 7")[0] == 7


def test_preline_from_where_the_message_is(box):
    assert run(box, "preline", "cat", skip=5)[1] == b"uf\nrp\ndt\n" + MESSAGE[5:]


@pytest.mark.parametrize("program, want", [
    (["sh", "-c", "exit 99"], 99), (["sh", "-c", "kill -9 $$"], 111), (["/nonexistent"], 100),
])
def test_preline_exit_codes(box, program, want):
    assert run(box, "preline", *program)[0] == want


def test_preline_and_a_program_that_does_not_read(box):
    assert run(box, "preline", "true", message=b"x" * 3000000)[0] == 0


@pytest.mark.parametrize("missing", ["UFLINE", "RPLINE", "DTLINE"])
def test_preline_needs_its_environment(box, missing):
    assert run(box, "preline", "cat", drop=[missing])[:2] == (100, b"")


@pytest.mark.parametrize("arguments", [[], ["-x", "cat"], ["-f"]])
def test_preline_usage(box, arguments):
    assert run(box, "preline", *arguments)[0] == 100


# ---- maildirmake ------------------------------------------------------------------

def test_maildirmake(box):
    assert run(box, "maildirmake", "Maildir") == (0, b"", b"")
    for name in ("", "tmp", "new", "cur"):
        assert (box.home / "Maildir" / name).stat().st_mode & 0o777 == 0o700
    assert sorted(os.listdir(box.home / "Maildir")) == ["cur", "new", "tmp"]
    assert box.deliver(default="./Maildir/")[0] == 0
    assert run(box, "maildirmake", "Maildir")[0] == 111
    assert run(box, "maildirmake", "no/Maildir")[0] == 111
    assert run(box, "maildirmake")[0] == 100
