"""qmail-pw2u: lines of /etc/passwd become users/assign, byte for byte."""

import os

import pytest

import lib

A = "alias:7790:2108:/alias"
ALIAS = f"+:{A}:-::\n=alias:{A}:::\n+alias-:{A}:-::\n"
PASSWD = "alias:x:7790:2108::/alias:\n"
BOB = "bob:x:501:100:Bob,,:/home/bob:/bin/sh\n"
B = "bob:501:100:/home/bob"
BOB_LINES = f"=bob:{B}:::\n+bob-:{B}:-::\n"


@pytest.fixture(scope="module")
def place():
    """One home for all rows: they only read it, and files are per row."""
    instance = lib.Instance()
    yield instance
    instance.remove()


@pytest.fixture
def pw2u(place):
    written = []

    def run(*args, passwd=PASSWD + BOB, **files):
        for name, text in files.items():
            written.append(place.write(f"users/{name}", text))
        return place.run("qmail-pw2u", *args, input=passwd.encode())

    yield run
    for path in written:
        path.unlink()


def made(done):
    assert (done.returncode, done.stderr) == (0, b""), done
    text = done.stdout.decode()
    assert text.endswith(".\n")
    return text.removesuffix(".\n")


ROWS = [
    ("two accounts", ["-H"], {}, ALIAS + BOB_LINES),
    ("another name and a part of an account", ["-H"],
     {"mailnames": "bob:rob\n", "subusers": "sales:bob:sal:\n"},
     ALIAS + f"=rob:{B}:::\n+rob-:{B}:-::\n"
     f"=sales:{B}:-:sal:\n+sales-:{B}:-:sal-:\n"),
    ("several names, an empty one among them", ["-H"],
     {"mailnames": "# ours\nbob:rob::r.o.b: \n"},
     ALIAS + f"=rob:{B}:::\n+rob-:{B}:-::\n=r.o.b:{B}:::\n+r.o.b-:{B}:-::\n"),
    ("no name at all", ["-H"], {"mailnames": "bob:\n"}, ALIAS),
    ("directories", ["-H", "-/"], {"subusers": "sales:bob:sal:\n"},
     f"+:{A}:-/::\n=alias:{A}:::\n+alias-:{A}:-/::\n"
     f"=bob:{B}:::\n+bob-:{B}:-/::\n"
     f"=sales:{B}:-/:sal:\n+sales-:{B}:-/:sal-:\n"),
    ("another sign", ["-H", "-c+"], {"subusers": "sales:bob:sal:\n"},
     f"+:{A}:-::\n=alias:{A}:::\n+alias+:{A}:-::\n"
     f"=bob:{B}:::\n+bob+:{B}:-::\n"
     f"=sales:{B}:-:sal:\n+sales+:{B}:-:sal-:\n"),
    ("no extensions", ["-HC"], {"subusers": "sales:bob:sal:\n"},
     f"+:{A}:-::\n=alias:{A}:::\n=bob:{B}:::\n=sales:{B}:-:sal:\n"),
    ("an empty sign is none", ["-H", "-c", ""], {},
     f"+:{A}:-::\n=alias:{A}:::\n=bob:{B}:::\n"),
    ("a later sign brings them back", ["-H", "-C", "-c-"], {}, ALIAS + BOB_LINES),
    ("a later -C takes them away", ["-H", "-c-", "-C"], {},
     f"+:{A}:-::\n=alias:{A}:::\n=bob:{B}:::\n"),
    ("only those that are listed", ["-H"], {"include": "alias\n"}, ALIAS),
    ("not those that are listed", ["-H"], {"exclude": "#alias\nbob\n"}, ALIAS),
    ("lines as they are", ["-H"], {"append": "=x:y\n+z:"},
     ALIAS + BOB_LINES + "=x:y\n+z:\n"),
    ("an empty file includes nobody but it may be appended to", ["-H"],
     {"append": ""}, ALIAS + BOB_LINES),
]


@pytest.mark.parametrize("args,files,want", [r[1:] for r in ROWS],
                         ids=[r[0] for r in ROWS])
def test_rows(pw2u, args, files, want):
    assert made(pw2u(*args, **files)) == want


@pytest.mark.parametrize("line", [
    "root:x:0:0::/root:/bin/sh\n", "toor:x:0:0::/:\n", "+::::::\n", "+@x::::::\n",
    ":x:7:7::/:\n", "short:x:7:7\n", "n:x:seven:7::/:\n", "n:x:7:::/:\n",
    "n:x:7:99999999999999999999999::/:\n", "n\0:x:7:7::/:\n", "\n", "# a:b\n"])
def test_lines_that_are_no_accounts(pw2u, line):
    assert made(pw2u("-H", passwd=line + PASSWD + line)) == ALIAS


def test_a_last_line_without_its_end(pw2u):
    assert made(pw2u("-H", passwd=(PASSWD + BOB).rstrip("\n"))) == ALIAS + BOB_LINES


def test_capital_letters(pw2u):
    passwd = PASSWD + "Ann:x:5:5::/a:\n"
    lines = "=Ann:Ann:5:5:/a:::\n+Ann-:Ann:5:5:/a:-::\n"
    assert made(pw2u("-H", passwd=passwd)) == ALIAS
    assert made(pw2u("-Hu", passwd=passwd)) == ALIAS + lines
    assert made(pw2u("-HuU", passwd=passwd)) == ALIAS
    assert made(pw2u("-HUu", passwd=passwd)) == ALIAS + lines


def test_homes(pw2u, place):
    uid = 4242 if os.getuid() == 0 else os.getuid()
    own = place.base / "own"
    own.mkdir(exist_ok=True)
    lib.give(own, uid, uid)
    base = f"alias:x:{uid}:7::{own}:\n"
    first = (f"+:alias:{uid}:7:{own}:-::\n=alias:alias:{uid}:7:{own}:::\n"
             f"+alias-:alias:{uid}:7:{own}:-::\n")
    missing = f"m:x:{uid}:7::{own}/no:\n"
    foreign = f"f:x:{uid + 1}:7::{own}:\n"
    m = f"=m:m:{uid}:7:{own}/no:::\n+m-:m:{uid}:7:{own}/no:-::\n"
    f = f"=f:f:{uid + 1}:7:{own}:::\n+f-:f:{uid + 1}:7:{own}:-::\n"
    everybody = base + missing + foreign
    for args in ([], ["-o"], ["-H", "-o"], ["-ho"]):
        assert made(pw2u(*args, passwd=everybody)) == first
    assert made(pw2u("-H", passwd=everybody)) == first + m + f
    assert made(pw2u("-h", passwd=base + foreign)) == first
    done = pw2u("-h", passwd=everybody)
    assert (done.returncode, done.stdout) == (111, b"") and b"home of m" in done.stderr


@pytest.mark.parametrize("args,files,passwd", [
    ([], {}, BOB), (["-H"], {}, ""), (["-H"], {"include": "bob\n"}, PASSWD + BOB),
    (["-H"], {"exclude": "alias\n"}, PASSWD + BOB),
    (["-H"], {"include": ""}, PASSWD), ([], {}, "alias:x:7:7::/nonexistent/x:\n")])
def test_without_alias(pw2u, args, files, passwd):
    done = pw2u(*args, passwd=passwd, **files)
    assert (done.returncode, done.stdout) == (111, b"") and b"alias" in done.stderr


def test_a_part_of_nobody(pw2u):
    done = pw2u("-H", subusers="sales:ann:sal:\n:bob:x:\nlast:bob:\n")
    assert done.returncode == 0 and b"sales" in done.stderr
    assert done.stdout.decode() == (
        ALIAS + BOB_LINES + f"=last:{B}:::\n+last-:{B}:-::\n.\n")


@pytest.mark.parametrize("name", ["include", "exclude", "mailnames", "subusers",
                                  "append"])
def test_a_file_that_cannot_be_read(pw2u, place, name):
    (place.home / "users" / name).mkdir()
    try:
        done = pw2u("-H")
    finally:
        (place.home / "users" / name).rmdir()
    assert (done.returncode, done.stdout) == (111, b"")
    assert f"users/{name}".encode() in done.stderr


@pytest.mark.parametrize("args", [["-x"], ["-c"], ["-c", "::"], ["-c:"], ["x"],
                                  ["-H", "--", "x"]])
def test_usage(pw2u, args):
    done = pw2u(*args)
    assert (done.returncode, done.stdout) == (100, b"") and b"usage" in done.stderr


def test_trouble_with_the_output(place):
    with open("/dev/full", "wb") as full:
        done = place.run("qmail-pw2u", "-H", input=PASSWD.encode(), stdout=full)
    assert done.returncode == 111


def test_no_home_directory(place):
    assert place.run("qmail-pw2u", env={"QMAILHOME": "/nonexistent"}).returncode == 111


def test_newu_takes_it(pw2u, place):
    text = pw2u("-H", subusers="sales:bob:sal:\n").stdout
    old = (place.home / "users/assign").read_bytes()
    place.write("users/assign", text)
    try:
        assert place.run("qmail-newu").returncode == 0
        assert (place.home / "users/cdb").read_bytes() == lib.users_cdb_bytes(text.decode())
    finally:
        place.write_assign(old.decode())
