"""More than four gibibytes where a length, an index or a count might be of 32 bits,
with and without a limit of memory: what is too large is refused as ever, and what
passes by passes whole."""

import os
import subprocess

import lib
import pytest
from loadlib import KIB, MIB
from remote_home import RawServer

SIZE = int(os.environ.get("LOAD_DATA_MIB", "5120")) * MIB


def sparse(path, head=b"", tail=b""):
    """SIZE NULs between head and tail, which take no room on the disk."""
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(len(head) + SIZE)
        file.seek(0, os.SEEK_END)
        file.write(tail)
    lib.give(path)
    return path


class Output:
    """Of a program: how much, and the first and last KiB."""

    def __init__(self, file):
        self.count, self.first, self.last = 0, b"", b""
        while piece := file.read1(MIB):
            self.count += len(piece)
            self.first = (self.first + piece[:KIB])[:KIB]
            self.last = (self.last + piece)[-KIB:]


LIMITED = 64 * MIB


@pytest.fixture(params=[None, LIMITED], ids=["no limit", "64 MiB"])
def run(request, instance, tmp_path):
    """run(words, head, tail, **variables), with the sparse file as descriptor 0:
    (exit code, Output). Without a limit a program may take what it likes."""
    def start(words, head=b"", tail=b"", path=None, **variables):
        limit = ["prlimit", f"--as={request.param}"] if request.param else []
        path = path or sparse(tmp_path / "input", head, tail)
        with open(path, "rb") as file, subprocess.Popen(
                [*limit, instance.bin / words[0], *words[1:]], stdin=file,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", **lib.as_user(),
                env=instance.env(TCPREMOTEIP="192.0.2.1", **variables)) as process:
            output = Output(process.stdout)
        return process.returncode, output

    return start


# Of what only passes: a copy of it would not fit.
passing = pytest.mark.parametrize("run", [LIMITED], ids=["64 MiB"], indirect=True)


# ---- from the network --------------------------------------------------------------------

HELLO = b"EHLO x\r\nMAIL FROM:<s@x.example>\r\nRCPT TO:<test@test.example>\r\nDATA\r\n"
# What begins as said and has no end: exit code, last words.
ENDLESS = {
    "a command": (["qmail-smtpd"], b"EHLO ", 1, b"421 too many long lines (#4.7.0)\r\n"),
    "a QMTP message": (["qmail-qmtpd"], b"%d:\n" % (SIZE + 1), 111, b"why=length\n"),
    "a QMQP message": (["qmail-qmqpd"], b"%d:%d:" % (SIZE + 20, SIZE), 111, b"why=length\n"),
    "a QMTP sender": (["qmail-qmtpd"], b"3:\nx\n,%d:" % SIZE, 111, b"why=length\n"),
    "a login": (["qmail-popup", "x", "true"], b"USER ", 1, b">\r\n"),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_has_no_end_is_cut_off(run, what):
    words, head, code, last = ENDLESS[what]
    got, output = run(words, head)
    assert (got, output.last[-len(last):]) == (code, last)


def test_one_line_of_a_message(run, instance):
    """It is read to its end, as what follows are commands."""
    instance.write_control("databytes", "1000000\n")
    code, output = run(["qmail-smtpd"], HELLO + b"X: ", b"\r\n.\r\nNOOP\r\nQUIT\r\n")
    assert code == 0
    assert f" size={SIZE + 4} result=reject code=552 why=size".encode() in output.last
    assert output.last.endswith(b"databytes limit (#5.3.4)\r\n250 ok\r\n221 test.example\r\n")


# ---- from a user ---------------------------------------------------------------------------

def test_an_envelope(run, instance):
    """Descriptor 1 of qmail-queue: not in its form, or one address."""
    message = instance.write("input", "Subject: x\n\nx\n")
    queue = f"{instance.bin}/qmail-queue 1<&0 <{message}"
    for words, code in ((f"exec {queue}", 91), (f"tr '\\0' x | {queue}", 11)):
        assert run(["/bin/sh", "-c", words], b"Fs@x.example\0T\0x")[0] == code


def test_a_header(run):
    code, output = run(["qmail-inject", "-n"], b"To: x@y.example\nX: ", b"\n\n")
    assert (code, output.last) == (100, b"qmail-inject: fatal: header too large\n")


@passing
@pytest.mark.parametrize("words", [["qmail-inject", "-n"], ["preline", "cat"],
                                   ["predate", "cat"]], ids=lambda words: words[0])
def test_a_body_passes_whole(run, words):
    head, tail = b"To: x@y.example\n\n", b"\nthe end\n"
    code, output = run(words, head, tail, SENDER="s@x.example", RPLINE="Return-Path: <x>\n",
                       DTLINE="Delivered-To: x\n", UFLINE="From x\n")
    more = output.first.index(b"\0") - len(head)
    assert (code, output.count) == (0, len(head) + SIZE + len(tail) + more)
    assert output.last.endswith(b"\0" + tail)


@pytest.mark.parametrize("words, want", [
    (["qreceipt", "r@x.example"], 0), (["qbiff"], 0),
    (["bouncesaying", "no", "true"], 100), (["condredirect", "r@x.example", "false"], 0),
], ids=lambda value: value[0] if isinstance(value, list) else None)
def test_a_delivered_message(run, words, want):
    code, _ = run(words, b"From: x\nX: ", b"\n\n", SENDER="s@x.example", USER="test",
                  NEWSENDER="s@x.example", RECIPIENT="r@x.example", LOCAL="r",
                  HOST="x.example", DTLINE="Delivered-To: x\n")
    assert code == want


def test_instructions(run, instance):
    """A .qmail file."""
    home = instance.user_home("test")
    sparse(home / ".qmail", b"&")
    (home / ".qmail").chmod(0o600)
    code, output = run(["qmail-local", "--", "test", home, "test", "", "", "x.example", "s@x",
                        "./Maildir/"], path=instance.write("input", "Subject: x\n\nx\n"))
    assert code == 111 and output.last.startswith(b"Unable to read .qmail: ")


# ---- from the administrator ------------------------------------------------------------------

@pytest.mark.parametrize("path, words", [
    ("users/assign", ["qmail-newu"]), ("control/morercpthosts", ["qmail-newmrh"])])
def test_a_table(run, instance, path, words):
    sparse(instance.home / path, b"=a")
    code, output = run(words, path=os.devnull)
    assert code == 111
    assert output.last.startswith(f"{words[0]}: cannot read {path}: ".encode())


@pytest.mark.parametrize("name, words, said", [
    ("rcpthosts", ["qmail-smtpd"], b"421 unable to read controls (#4.3.0)\r\n"),
    ("badmailfrom", ["qmail-smtpd"], b"421 unable to read controls (#4.3.0)\r\n"),
    ("smtproutes", ["qmail-remote", "x.example", "s@x", "r@x.example"],
     b"ZUnable to read control/smtproutes. (#4.3.0)\n\0"),
])
def test_settings(run, instance, name, words, said):
    sparse(instance.home / "control" / name, b"a")
    _, output = run(words, path=os.devnull)
    assert output.last.endswith(said)


# ---- on its way out ----------------------------------------------------------------------------

@passing
def test_a_message_is_sent(run, instance):
    """SIZE says what it has, and each byte arrives."""
    seen = []

    def handle(client, _):
        with client.makefile("rb") as stream:
            client.sendall(b"220 x\r\n")
            for reply in (b"250-x\r\n250 SIZE\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
                seen.append(stream.readline())
                client.sendall(reply)
            count, last = 0, b""
            while not last.endswith(b"\r\n.\r\n"):
                piece = stream.read1(MIB)
                assert piece
                count, last = count + len(piece), (last + piece)[-KIB:]
            seen.append(count)
            client.sendall(b"250 taken\r\n")

    server = RawServer(handle)
    try:
        instance.write_control("smtproutes", f":127.0.0.1:{server.port}\n")
        code, output = run(["qmail-remote", "x.example", "s@x.example", "r@x.example"],
                           b"Subject: x\n\n", b"\n")
    finally:
        server.close()
    assert (code, output.first[:2]) == (0, b"r\0"), output.first
    size = len(b"Subject: x\r\n\r\n") + SIZE + len(b"\r\n")
    assert seen[1] == b"MAIL FROM:<s@x.example> SIZE=%d\r\n" % size
    assert seen[4] == size + len(b".\r\n")


@passing
def test_a_message_is_read(run, instance, tmp_path):
    """By POP3: LIST and RETR agree."""
    box = instance.user_home("test") / "Maildir"
    sparse(box / "new/1.x.example", b"Subject: x\n\n", b"\n")
    commands = tmp_path / "commands"
    commands.write_bytes(b"LIST 1\r\nRETR 1\r\nQUIT\r\n")
    code, output = run(["qmail-pop3d", box], path=commands)
    size = len(b"Subject: x\r\n\r\n") + SIZE + len(b"\r\n")
    said = b"+OK \r\n+OK 1 %d\r\n+OK \r\n" % size
    assert code == 0
    assert output.first.startswith(said + b"Subject: x\r\n\r\n\0"), output.first
    body, end, log = output.last.partition(b"\0\r\n.\r\n+OK \r\n")
    assert end, body
    assert output.count == len(said) + size + len(b".\r\n+OK \r\n") + len(log)
