"""What the tests of the servers share: a conversation with one program over a
socket pair, and a queue that is a small shell script."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile

import lib

# Stores the message and the envelope; an envelope that was not finished (the
# caller let go) does not count. fd6 and status say how it ends.
QUEUE_SCRIPT = """#!/bin/sh
d={dir}
cat >$d/$$.mess
cat <&1 >$d/$$.part
[ -f $d/fd6 ] && cat $d/fd6 >&6
[ -f $d/status ] && exit $(cat $d/status)
mv $d/$$.part $d/$$.env
"""


class Queue:
    """A QMAILQUEUE program and what it was given."""

    def __init__(self, home):
        self.dir = home.base / "captured"
        self.dir.mkdir(exist_ok=True)
        lib.give(self.dir)
        self.program = home.base / "queue-script"
        self.program.write_text(QUEUE_SCRIPT.format(dir=self.dir))
        self.program.chmod(0o755)

    def end_with(self, status, text=None):
        (self.dir / "status").write_text(str(status))
        if text is not None:
            (self.dir / "fd6").write_bytes(text)

    @property
    def messages(self):
        """(sender, [recipients], message) of everything that was queued."""
        found = []
        for env in sorted(self.dir.glob("*.env")):
            fields = env.read_bytes().split(b"\0")
            if fields[-2:] != [b"", b""]:
                continue
            assert fields[0][:1] == b"F"
            assert all(f[:1] == b"T" for f in fields[1:-2])
            found.append((fields[0][1:], [f[1:] for f in fields[1:-2]],
                          env.with_suffix(".mess").read_bytes()))
        return found

    @property
    def message(self):
        (one,) = self.messages
        return one


def wait_asleep(home, program):
    """Waits until the one process of program sleeps in a system call; under
    strace it is in another state between two of them."""
    def is_asleep():
        pids = home.pids(program)
        if len(pids) != 1:
            return False
        with contextlib.suppress(OSError), open(f"/proc/{pids[0]}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "S"
    lib.wait_until(is_asleep, what=f"{program} asleep")


class Conversation:
    """A program with a socket as its descriptors 0 and 1, and a log file."""

    def __init__(self, home, *argv, env=None, timeout=lib.TIMEOUT_S, first=b"", **more):
        """first is there before the program starts."""
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(timeout)
        self.socket.sendall(first)
        self.err = tempfile.TemporaryFile()
        self.buffer = b""
        argv = [str(home.bin / argv[0]), *(str(a) for a in argv[1:])]
        with theirs:
            self.process = subprocess.Popen(
                argv, stdin=theirs, stdout=theirs, stderr=self.err,
                env=home.env(**(env or {})), start_new_session=True,
                cwd=more.pop("cwd", "/"), **{**lib.as_user(), **more})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.err.close()
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """The next line without its CR LF; None at the end."""
        while b"\n" not in self.buffer:
            try:
                more = self.socket.recv(65536)
            except TimeoutError:
                raise AssertionError(f"no line came behind {self.buffer}; its log:\n"
                                     + self.log_so_far()) from None
            if not more:
                assert not self.buffer, self.buffer
                return None
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b"\n")
        assert line.endswith(b"\r"), line
        return line[:-1].decode("latin-1")

    def lines(self, count):
        return [self.line() for _ in range(count)]

    def ask(self, command):
        """Sends a line and returns a line."""
        self.send(command.encode("latin-1") + b"\r\n"
                  if isinstance(command, str) else command)
        return self.line()

    def rest(self):
        """All that comes until the program closes."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        # a reset, too, is an end: of a program that left bytes unread
        with contextlib.suppress(ConnectionResetError):
            while more := self.socket.recv(65536):
                self.buffer += more
        data, self.buffer = self.buffer, b""
        return data

    def end(self):
        """Waits for the program and returns its exit status."""
        assert self.rest() == b""
        return self.process.wait(lib.TIMEOUT_S)

    def log(self):
        self.process.wait(lib.TIMEOUT_S)
        return self.log_so_far()

    def log_so_far(self):
        size = os.fstat(self.err.fileno()).st_size
        return os.pread(self.err.fileno(), size, 0).decode("latin-1")
