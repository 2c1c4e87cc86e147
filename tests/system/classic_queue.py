"""Builds a queue of classic qmail byte by byte, in every state it can be in.

    queue = ClassicQueue(tmp_path / "queue", split=23)
    queue.new(b"message", "s@x.example", ["r@y.example"])           # todo/N
    queue.old(b"message", "s@x.example", local=["Tu@h", "Dv@h"])    # info/N
Numbers are those of the inodes, as qmail gives them, unless number is said.
"""

import os
import time
from pathlib import Path

BIG = ("mess", "info", "local", "remote")
SMALL = ("bounce", "intd", "pid", "todo")
MODES = {"mess": 0o750, "todo": 0o750, "lock": 0o750}  # of the others 0700
RECEIVED = b"Received: (qmail 4711 invoked by uid 1000); 22 Nov 2026 18:46:21 -0000\n"


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


class ClassicQueue:
    """owner(path, role) gives a file or directory to qmailq, qmails, qmailr."""

    def __init__(self, path, split=23, big_todo=False, owner=lambda path, role: None):
        self.path, self.split, self.owner = Path(path), split, owner
        self.split_kinds = BIG + (("intd", "todo") if big_todo else ())
        self.birth = int(time.time()) - 3600
        self._directory(self.path, 0o750, "qmailq")
        for kind in (*BIG, *SMALL, "lock"):
            role = "qmails" if kind in ("info", "local", "remote", "bounce") else "qmailq"
            mode = MODES.get(kind, 0o700)
            self._directory(self.path / kind, mode, role)
            for i in range(split if kind in self.split_kinds else 0):
                self._directory(self.path / kind / str(i), mode, role)
        self._file(self.path / "lock/sendmutex", b"", 0o600, "qmails")
        self._file(self.path / "lock/tcpto", b"\0" * 1024, 0o644, "qmailr")
        os.mkfifo(self.path / "lock/trigger")
        (self.path / "lock/trigger").chmod(0o622)
        self.owner(self.path / "lock/trigger", "qmails")

    def _directory(self, path, mode, role):
        path.mkdir()
        path.chmod(mode)
        self.owner(path, role)

    def _file(self, path, content, mode, role, mtime=None):
        path.write_bytes(content)
        path.chmod(mode)
        self.owner(path, role)
        if mtime is not None:
            os.utime(path, (mtime, mtime))

    def at(self, kind, number):
        split = (str(number % self.split),) if kind in self.split_kinds else ()
        return self.path.joinpath(kind, *split, str(number))

    def put(self, kind, number, content, mtime=None):
        """A file about a message; returns its path."""
        role, mode = ("qmails", 0o600) if kind in ("info", "local", "remote", "bounce") \
            else ("qmailq", 0o644)
        path = self.at(kind, number)
        self._file(path, content, mode, role, self.birth if mtime is None else mtime)
        return path

    def mess(self, body, number=None):
        """S2: a message and nothing else; returns its number."""
        pid = self.path / "pid/1"
        self._file(pid, RECEIVED + body, 0o644, "qmailq", self.birth)
        number = pid.stat().st_ino if number is None else number
        pid.rename(self.at("mess", number))
        return number

    def envelope(self, sender, recipients, uid=1000, pid=4711):
        return b"u%d\0p%d\0F%s\0" % (uid, pid, as_bytes(sender)) + b"".join(
            b"T" + as_bytes(r) + b"\0" for r in recipients)

    def intd(self, body, sender, recipients, number=None):
        """S3: the envelope is written, but not yet published."""
        number = self.mess(body, number)
        self.put("intd", number, self.envelope(sender, recipients))
        return number

    def new(self, body, sender, recipients, number=None, mtime=None, **more):
        """S4: accepted, not yet looked at by qmail-send."""
        number = self.mess(body, number)
        path = self.put("intd", number, self.envelope(sender, recipients, **more), mtime)
        os.link(path, self.at("todo", number))
        return number

    def old(self, body, sender, local=None, remote=None, bounce=None, number=None,
            mtime=None):
        """S5: recipients are given with their T or D."""
        number = self.mess(body, number)
        self.put("info", number, b"F" + as_bytes(sender) + b"\0", mtime)
        for kind, recipients in (("local", local), ("remote", remote)):
            if recipients is not None:
                self.put(kind, number, b"".join(as_bytes(r) + b"\0" for r in recipients))
        if bounce is not None:
            self.put("bounce", number, as_bytes(bounce))
        return number

    def snapshot(self):
        """{path: content} of all regular files, but for what an import writes."""
        return {p.relative_to(self.path): p.read_bytes()
                for p in sorted(self.path.rglob("*"))
                if p.is_file() and not p.name.startswith("cqmail-import")}
