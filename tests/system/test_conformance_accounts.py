"""Whose mail it is, as doc/interfaces/45-accounts.md states it.

qmail-getpw gets a passwd database of the test's own: /etc/passwd, and the file
that says that it is the only one, in a mount namespace, which needs root or user
namespaces.
"""

import os
import re
import subprocess

import pytest

import lib


def namespace():
    for command in (["unshare", "-m"], ["unshare", "-rm"]):
        done = subprocess.run([*command, "mount", "--bind", "/tmp", "/mnt"],
                              capture_output=True, check=False)
        if done.returncode == 0:
            return command
    return None


NAMESPACE = namespace()
needs_namespace = pytest.mark.skipif(NAMESPACE is None, reason="no mount namespaces")
IS_ROOT = os.getuid() == 0
MOUNT = ('mount --bind "$0/passwd" /etc/passwd && '
         'mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf && exec "$@"')
# In a user namespace all accounts but ours are shown as this one.
JOE = 501 if IS_ROOT else 65534


class Site:
    """Accounts with homes, and qmail-getpw among them."""

    def __init__(self, path):
        self.path = path
        (path / "qmail").mkdir()
        self.joe = self.home("joe", JOE) if IS_ROOT else "/usr"
        self.lines = ["root:x:0:0::/root:/bin/sh"]
        self.add("alias", 7790, 2108, "/alias")
        self.add("joe", JOE, 100, self.joe)

    def home(self, name, uid):
        path = self.path / name
        path.mkdir()
        os.chown(path, uid, -1)
        return str(path)

    def add(self, name, uid, gid, home):
        self.lines.append(f"{name}:x:{uid}:{gid}::{home}:/bin/sh")

    def getpw(self, *arguments, prefix=()):
        """Exit code and output, `~` for NUL."""
        (self.path / "passwd").write_text("\n".join(self.lines) + "\n")
        (self.path / "nsswitch.conf").write_text("passwd: files\ngroup: files\n")
        done = subprocess.run(
            [*NAMESPACE, "sh", "-c", MOUNT, self.path, *prefix,
             lib.bin_dir() / "qmail-getpw", *arguments], capture_output=True,
            env={"QMAILHOME": str(self.path / "qmail"), "PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL, timeout=lib.TIMEOUT_S)
        return done.returncode, done.stdout.decode().replace("\0", "~")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return Site(tmp_path_factory.mktemp("site"))


TABLE = [
    ("joe", "", ""), ("JOE", "", ""), ("Joe-A-b", "-", "A-b"), ("joe-", "-", ""),
    ("joe--x", "-", "-x"),
    ("root", None, "root"), ("root-x", None, "root-x"), ("x", None, "x"), ("", None, ""),
    ("Some-Body", None, "Some-Body"), ("joe+x", None, "joe+x"),
]


@needs_namespace
@pytest.mark.parametrize("local, dash, ext", TABLE)
def test_getpw_table(site, local, dash, ext):
    want = f"joe~{JOE}~100~{site.joe}~{dash}~{ext}~" if dash is not None else \
        f"alias~7790~2108~/alias~-~{ext}~"
    assert site.getpw(local) == (0, want)


@needs_namespace
def test_getpw_of_a_virtual_address(site, tmp_path):
    assert site.getpw("alias-vd-us er") == (0, "alias~7790~2108~/alias~-~alias-vd-us er~")
    # an alias that owns its home is found by its name
    other = tmp_path / "other"
    other.mkdir()
    site = Site(other)
    home = site.home("alias", 7790) if IS_ROOT else "/usr"
    uid = 7790 if IS_ROOT else 65534
    site.lines[1] = f"alias:x:{uid}:2108::{home}:/bin/sh"
    assert site.getpw("alias-vd-us er") == (0, f"alias~{uid}~2108~{home}~-~vd-us er~")


@needs_namespace
def test_getpw_accounts_that_do_not_count(tmp_path):
    site = Site(tmp_path)
    (tmp_path / "toor").mkdir()  # in a user namespace, too, it is root's
    site.add("toor", 0, 0, str(tmp_path / "toor"))
    site.add("gone", JOE, 100, str(tmp_path / "gone"))
    site.add("joe-gone", JOE, 100, str(tmp_path / "gone"))
    site.add("other", JOE, 100, str(tmp_path / "qmail"))
    site.add("joe-other", JOE, 100, str(tmp_path / "qmail"))
    site.add("n" * 31, JOE, 100, site.joe)
    site.add("m" * 32, JOE, 100, site.joe)
    alias = "alias~7790~2108~/alias~-~%s~"
    for local in ("toor", "toor-x", "gone", "gone-x", "other", "other-x", "m" * 32):
        assert site.getpw(local) == (0, alias % local)
    for local, ext in (("joe-gone-x", "gone-x"), ("joe-other", "other")):
        assert site.getpw(local) == (0, f"joe~{JOE}~100~{site.joe}~-~{ext}~")
    assert site.getpw("n" * 31)[1].startswith("n" * 31 + "~")


@needs_namespace
def test_getpw_trouble(site, tmp_path):
    trouble = ["strace", "-f", "-o", tmp_path / "trace", "-e", "trace=%file"]
    assert site.getpw("joe", prefix=[*trouble, "-P", site.joe, "-e",
                                     "inject=%file:error=ESTALE"]) == (115, "")
    assert site.getpw("joe", prefix=[*trouble, "-P", "/etc/passwd", "-e",
                                     "inject=%file:error=EMFILE"]) == (118, "")
    lines, site.lines = site.lines, [x for x in site.lines if not x.startswith("alias:")]
    try:
        assert site.getpw("x") == (116, "")
        assert site.getpw("joe")[0] == 0
    finally:
        site.lines = lines


# ---- users/assign and users/cdb ----------------------------------------------------

RULES = [  # line, key, data; `~` for NUL
    ("=joe:joe:501:100:/home/joe:::", "!joe~", "joe~501~100~/home/joe~~"),
    ("=Joe-List:joe:501:100:/home/joe:-:list:", "!joe-list~",
     "joe~501~100~/home/joe~-~list"),
    ("+joe-:joe:501:100:/home/joe:-::", "!joe-", "joe~501~100~/home/joe~-~"),
    ("+joe-l-:joe:501:100:/home/joe:-:pre-:", "!joe-l-", "joe~501~100~/home/joe~-~pre-"),
    ("+jo:jj:502:100:/home/jo:-::", "!jo", "jj~502~100~/home/jo~-~"),
    ("+:alias:7790:2108:/alias:-::", "!", "alias~7790~2108~/alias~-~"),
    ("=joe:late:1:1:/late:::", "!joe~", "late~1~1~/late~~"),
]
LAST = ("", "-o")


@pytest.fixture
def users(tmp_path):
    (tmp_path / "users").mkdir()

    def newu(assign, *arguments, prefix=()):
        (tmp_path / "users/assign").write_bytes(assign)
        return subprocess.run(
            [*prefix, lib.bin_dir() / "qmail-newu", *arguments], capture_output=True,
            env={"QMAILHOME": str(tmp_path)}, timeout=lib.TIMEOUT_S, stdin=subprocess.DEVNULL)

    newu.cdb = tmp_path / "users/cdb"
    return newu


def good():
    return "".join(line + "\n" for line, _, _ in RULES).encode() + b".the end\nno rule"


def test_newu_writes_the_documented_file(users):
    done = users(good())
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    records = [(key, data) for _, key, data in RULES] + [LAST]
    assert users.cdb.read_bytes() == lib.cdb_bytes(
        [(k.replace("~", "\0").encode(), d.replace("~", "\0").encode()) for k, d in records])
    assert sorted(p.name for p in users.cdb.parent.iterdir()) == ["assign", "cdb"]


def test_newu_usage(users):
    assert users(good(), "x").returncode == 100


@pytest.mark.parametrize("what, assign", [
    ("nothing", b""), ("no end", b"=a:b:1:1:/:::\n"), ("no first field", b":b:1:1:/:::\n.\n"),
    ("an empty line", b"\n.\n"), ("a comment", b"# x\n.\n"),
    ("a field too few", b"=a:b:1:1:/::\n.\n"), ("a NUL", b"=a:b:1:1:/:\0::\n.\n"),
])
def test_newu_refuses(users, what, assign):
    assert users(good()).returncode == 0
    before = users.cdb.read_bytes()
    done = users(assign)
    assert done.returncode == 111 and b"users/assign" in done.stderr, what
    assert users.cdb.read_bytes() == before


def test_newu_syncs_before_it_renames(users, tmp_path):
    done = users(good(), prefix=["strace", "-y", "-o", tmp_path / "trace", "-e",
                                 "trace=open,openat,write,fsync,fdatasync,rename,renameat,"
                                 "renameat2"])
    assert done.returncode == 0
    trace = (tmp_path / "trace").read_text()
    order = [m.group(1) for m in re.finditer(
        r"(?m)^(write|fsync|fdatasync|rename)\w*\(.*users/cdb\.tmp", trace)]
    assert order[-2:] in (["fsync", "rename"], ["fdatasync", "rename"]), trace
    assert order.count("rename") == 1 and "write" in order
