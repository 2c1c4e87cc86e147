"""Where the add-ons are: programs of Debian packages that tools/addons
unpacked and nobody changed. A program that is missing fails the test that
wants it, with the name of its package.
"""

import glob
import os
import re
from pathlib import Path

import lib
import pytest

ROOT = Path(os.environ.get("CQMAIL_ADDONS", lib.REPO / "build/addons")) / "root"
# Debian's builds of some packages have qmail's home compiled in.
COMPILED_HOME = "/var/lib/qmail"
NO_RIGHTS = "setpriv --inh-caps=-all --ambient-caps=-all "
TRACE = re.compile(rb"(Return-Path|Delivered-To|Received|Authentication-Results): |[ \t]")


def program(package, path):
    """The path of a package's program."""
    found = ROOT / path
    if not found.exists():
        pytest.fail(f"{found} is missing: tools/addons unpacks the package {package}")
    return str(found)


def environment():
    """Variables that let the unpacked programs find their libraries."""
    def found(*patterns):
        return ":".join(p for x in patterns for p in sorted(glob.glob(str(ROOT / x))))
    return {"LD_LIBRARY_PATH": found("usr/lib/*-linux-*", "lib/*-linux-*",
                                     "usr/lib", "usr/lib/dovecot"),
            "PERL5LIB": found("usr/share/perl5", "usr/lib/*-linux-*/perl5/*",
                              "usr/share/perl/5.*", "usr/lib/*-linux-*/perl/5.*")}


def with_compiled_home(home, keep=False):
    """A command prefix that shows home, in the place where Debian's builds of
    DJB's packages look for qmail, to the one process that it starts. keep: that
    may mount more."""
    return ["/usr/bin/unshare", "--map-current-user", "--mount", "--keep-caps", "sh", "-c",
            f'mount -t tmpfs none {os.path.dirname(COMPILED_HOME)} &&'
            f' ln -s "$0" {COMPILED_HOME} &&'
            f' exec {"" if keep else NO_RIGHTS}"$@"', str(home)]


def start(home, delivery=None, compiled_home=False):
    """Starts an instance that is made. delivery: qmail-start's argument, which is
    else what control/defaultdelivery says. compiled_home: deliveries run where
    with_compiled_home says."""
    home.start_queued()
    home.start_send(*([delivery] if delivery else []),
                    prefix=with_compiled_home(home.home) if compiled_home else ())
    return home


def payload(message):
    """What stands behind the lines that the way of a message added: bytes of a
    message or the path of one."""
    text = message.read_bytes() if isinstance(message, Path) else message
    while TRACE.match(text):
        text = text.partition(b"\n")[2]
    return text


def header(message, name):
    """The values of a field, unfolded, in their order; bytes."""
    text = message.read_bytes() if isinstance(message, Path) else message
    head = re.sub(rb"\n[ \t]+", b" ", text.partition(b"\n\n")[0] + b"\n")
    return re.findall(rb"(?im)^" + name.encode() + rb":[ \t]*(.*)$", head)


def write_tree(home, name):
    """A directory of the instance's user."""
    path = home.base / name
    path.mkdir(parents=True, exist_ok=True)
    lib.give(path)
    return path


def run(home, argv, input=b"", env=None, **more):
    """Runs an add-on as the instance's user; returns CompletedProcess."""
    return home.run(argv[0], *argv[1:], input=input, env=env, **more)


def expect_ok(done):
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return done.stdout


class QueueCatcher:
    """A program in the place of qmail-queue that keeps what it is given, and
    hands it on to the true one: the envelope and the message as queued."""

    def __init__(self, home):
        self.place = write_tree(home, "caught")
        script = home.base / "catcher"
        script.write_text(
            "#!/bin/sh\n# keeps the message (fd 0) and the envelope (fd 1)\n"
            f"d={self.place}\nn=$(date +%s%N)\ncat >$d/$n.mess || exit 53\n"
            "cat <&1 >$d/$n.env.new || exit 53\n"
            f"QMAILHOME={home.home} {home.bin}/qmail-queue <$d/$n.mess 1<$d/$n.env.new || exit\n"
            "mv $d/$n.env.new $d/$n.env\n")
        script.chmod(0o755)
        lib.give(script)
        self.program = str(script)

    def all(self):
        """[(sender, [recipients], message)], all bytes, in the order of their start."""
        found = []
        for path in sorted(self.place.glob("*.env")):
            fields = path.read_bytes().split(b"\0")
            assert fields[-2:] == [b"", b""] and fields[0][:1] == b"F", fields
            assert all(f[:1] == b"T" for f in fields[1:-2]), fields
            found.append((fields[0][1:], [f[1:] for f in fields[1:-2]],
                          path.with_suffix(".mess").read_bytes()))
        return found

    def one(self):
        (found,) = lib.wait_until(self.all, what="a queued message")
        return found
