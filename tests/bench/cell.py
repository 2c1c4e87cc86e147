"""A cell: a place of its own for one mail server on the machine's own disk.

It is a mount and a process namespace with /etc, /var and /run of its own,
accounts that exist nowhere else, and /usr with a package's files laid over
it. So servers that would replace each other run from Debian's packages
unchanged, and nothing of them stays: the end of the cell's first process ends
all others, and its directory is removed when the bench ends. Needs root.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import measure

ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "services", "protocols",
       "alternatives", "localtime", "ssl/openssl.cnf", "login.defs")
USER, USER_ID = "bench", 64010          # who gets mail
WRITER, WRITER_ID = "writer", 64011     # who writes mail by sendmail
ACCOUNTS = [(USER, USER_ID, "/var/home/bench"), (WRITER, WRITER_ID, "/")]

MOUNTS = """
set -e
mount --make-rprivate /
if [ -n "$2" ]; then
	mount -t overlay cell -o "ro,lowerdir=$2/usr:/usr" /usr
fi
mount -t tmpfs cell /run
for name in "$1"/over/*; do
	[ ! -e "$name" ] || mount --bind "$name" "/usr/sbin/${name##*/}"
done
mount --bind "$1/etc" /etc
mount --bind "$1/var" /var
mount -t proc proc /proc
exec "$3" hold
"""


class Cell:
    """package: where a package is unpacked, or None. accounts: (name, id, home)
    besides the two of every cell; each has a group of its name. setgid: names
    in /usr/sbin of the package to be given a group and the setgid bit."""

    def __init__(self, base, load, package=None, accounts=(), groups=(), setgid=None):
        self.base = Path(base)
        self.package = package
        self.accounts = [*ACCOUNTS, *accounts]
        self.groups = [*((a[0], a[1]) for a in self.accounts), *groups]
        for name in ("etc", "var", "var/home", "var/tmp", "var/lib", "var/spool",
                     "var/log", "over"):
            (self.base / name).mkdir(parents=True, exist_ok=True)
        (self.base / "var/run").symlink_to("/run")
        self._write_etc()
        for name, group in (setgid or {}).items():
            self._copy_setgid(name, group)
        self.home = self.base / "var/home" / USER
        self.home.mkdir(mode=0o700)
        os.chown(self.home, USER_ID, USER_ID)
        self._start(load)

    def _write_etc(self):
        etc = self.base / "etc"
        for name in ETC:
            source = Path("/etc") / name
            (etc / name).parent.mkdir(exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, etc / name, symlinks=True)
            elif source.exists():
                shutil.copy(source, etc / name)
        root = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n"
        (etc / "passwd").write_text(root + "".join(
            f"{name}:x:{n}:{n}::{home}:/bin/sh\n" for name, n, home in self.accounts))
        (etc / "group").write_text("root:x:0:\nnogroup:x:65534:\nmail:x:8:\n" + "".join(
            f"{name}:x:{n}:\n" for name, n in self.groups))
        (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
        (etc / "hosts").write_text("127.0.0.1 localhost bench.example\n")
        (etc / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1\n")
        (etc / "aliases").write_text("")
        (etc / "mailname").write_text("bench.example\n")

    def _copy_setgid(self, name, group):
        found = self.package / "usr/sbin" / name
        copy = self.base / "over" / name
        shutil.copy(found, copy)
        os.chown(copy, 0, dict(self.groups)[group])
        copy.chmod(0o2755)

    def _start(self, load):
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "sh", "-c",
             MOUNTS, "cell", str(self.base), str(self.package or ""), str(load)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            start_new_session=True)
        if self.holder.stdout.readline() != "ready\n":
            self.holder.wait()
            raise RuntimeError("a cell cannot be made: the bench needs root, and "
                               "namespaces with overlay mounts")
        children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children")
        self.first = int(children.read_text().split()[0])

    def command(self, argv):
        """The argument vector that runs argv inside."""
        return ["nsenter", "-t", str(self.first), "-m", "-p", "--wd=/",
                *map(str, argv)]

    def run(self, *argv, **more):
        """Runs a command to its end; its output shows if it fails."""
        done = subprocess.run(self.command(argv), stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=120, **more)
        if done.returncode != 0:
            raise RuntimeError(f"{argv} exits {done.returncode}: {done.stdout}")
        return done.stdout

    def end(self):
        """All others are gone before the first one is."""
        for pid in (self.holder.pid, self.first):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.holder.wait()
        measure.wait_until(lambda: not measure.command_of(self.first), 60,
                           "the end of a cell")
        self.holder.stdout.close()
