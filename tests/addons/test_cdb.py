"""Our constant databases read by tinycdb's `cdb`, and tinycdb's read by our programs."""

import contextlib
import random
import re
import string

import addonlib
import lib
import pytest


def cdb(home, *args, input=b""):
    return addonlib.run(home, [addonlib.program("tinycdb", "usr/bin/cdb"), *args], input=input)


def dump(home, path):
    """The records of a database as tinycdb lists them, in their order."""
    text, found = addonlib.expect_ok(cdb(home, "-d", path)), []
    while head := re.match(rb"\+(\d+),(\d+):", text):
        size, more = int(head.group(1)), int(head.group(2))
        text = text[head.end():]
        assert text[size:size + 2] == b"->" and text[size + 2 + more:][:1] == b"\n"
        found.append((text[:size], text[size + 2:size + 2 + more]))
        text = text[size + 3 + more:]
    assert text == b"\n"
    return found


def build(home, path, records):
    """A database made by tinycdb."""
    text = b"".join(b"+%d,%d:%s->%s\n" % (len(k), len(d), k, d) for k, d in records) + b"\n"
    addonlib.expect_ok(cdb(home, "-c", "-t", f"{path}.tmp", path, input=text))
    lib.give(path)


def random_name(chosen, letters=string.ascii_letters + string.digits + "-_.=", size=24):
    return "".join(chosen.choice(letters) for _ in range(chosen.randrange(1, size)))


@pytest.mark.parametrize("seed, count", [(1, 0), (2, 1), (3, 40), (4, 2000)])
def test_tinycdb_reads_what_newmrh_writes(home, seed, count):
    chosen = random.Random(seed)
    names = [chosen.choice(["", "."]) + random_name(chosen, string.ascii_letters + "-") +
             ".example" for _ in range(count)]
    names += names[:5]  # twice is allowed
    home.write_control("morercpthosts", "# ours\n\n" + "".join(
        n + chosen.choice(["\n", " \n", "\t\n"]) for n in names))
    done = home.run("qmail-newmrh")
    assert done.returncode == 0, done.stderr
    path = home.home / "control/morercpthosts.cdb"
    records = dump(home, path)
    assert {k for k, _ in records} == {n.lower().encode() for n in names}
    assert {d for _, d in records} <= {b""}
    for name in names[:20]:
        addonlib.expect_ok(cdb(home, "-q", path, name.lower()))
    assert cdb(home, "-q", path, "not.there.example").returncode == 100


@pytest.mark.parametrize("seed", [1, 2])
def test_tinycdb_reads_what_newu_writes(home, seed):
    chosen = random.Random(seed)
    want, lines = {}, []
    for number in range(300):
        name = random_name(chosen).replace(":", "")
        fields = [f"user{number}", str(chosen.randrange(1, 60000)), str(number), f"/home/{name}",
                  chosen.choice(["", "-"]), random_name(chosen, string.ascii_letters)]
        exact = chosen.random() < 0.5
        key = b"!" + name.lower().encode() + (b"\0" if exact else b"")
        lines.append(":".join(["=" + name if exact else "+" + name, *fields]) + ":\n")
        want.setdefault(key, "\0".join(fields).encode())
    home.write("users/assign", "".join(lines) + ".\n")
    done = home.run("qmail-newu")
    assert done.returncode == 0, done.stderr
    records = dump(home, home.home / "users/cdb")
    first = {}
    for key, data in records:
        first.setdefault(key, data)
    wild = first.pop(b"")
    assert first == want
    last = {bytes([key[-1]]) for key in want if not key.endswith(b"\0") and len(key) > 1}
    assert {bytes([c]) for c in wild} == last
    # and each is found by its key
    for key in random.Random(0).sample([k for k in want if not k.endswith(b"\0")], 20):
        assert addonlib.expect_ok(cdb(home, "-q", home.home / "users/cdb", key)) == want[key]


def test_smtpd_reads_a_morercpthosts_of_tinycdb(home):
    chosen = random.Random(7)
    names = {random_name(chosen, string.ascii_lowercase) + ".example" for _ in range(400)}
    inside, outside = sorted(names)[::2], sorted(names)[1::2]
    records = [(n.encode(), b"") for n in inside]
    records += [(b"." + outside[0].encode(), b""), (b"", b"empty key"), (b"x" * 300, b"long")]
    records += [(inside[0].encode(), b"twice"), (bytes(range(128, 200)), b"\0\n")]
    home.write_control("morercpthosts", "tinycdb\n")
    build(home, home.home / "control/morercpthosts.cdb", records)
    with contextlib.closing(home.smtp()) as client:
        client.ehlo()
        client.mail("s@x.example")
        for name in inside:
            assert client.rcpt("a@" + name.upper())[0] == 250, name
        for name in outside:
            assert client.rcpt("a@" + name)[0] == 553, name
            client.rset()
            client.mail("s@x.example")
        assert client.rcpt("a@sub." + outside[0])[0] == 250


def test_lspawn_reads_a_users_cdb_of_tinycdb(instance):
    """Of two records with a key the first counts; a longer wildcard wins."""
    chosen = random.Random(9)
    uid, gid = instance.user.pw_uid, instance.user.pw_gid
    at = instance.user_home()

    def data(extension):
        return f"test\0{uid}\0{gid}\0{at}\0-\0{extension}".encode()
    names = sorted({"u" + random_name(chosen, string.ascii_lowercase) for _ in range(25)})
    records = [(b"!" + n.encode() + b"\0", data("exact-" + n)) for n in names]
    records += [(b"!" + names[0].encode() + b"\0", data("second"))]
    records += [(b"!list-", data("list-")), (b"!list-big-", data("big-")), (b"", b"-")]
    build(instance, instance.home / "users/cdb", records)
    instance.dotqmail("default", "|printf '%s %s\\n' \"$LOCAL\" \"$EXT\" >>seen\n")
    asked = {n: "exact-" + n for n in names}
    asked.update({"list-a": "list-a", "LIST-b": "list-b", "list-big-c": "big-c",
                  "list-big": "list-big"})
    for name in asked:
        done = instance.queue(b"Subject: x\n\n", "s@x.example", [f"{name}@{lib.HOST}"])
        assert done.returncode == 0
    instance.wait_empty()
    seen = dict(line.split(" ") for line in (at / "seen").read_text().splitlines())
    assert {n.lower(): e for n, e in seen.items()} == {n.lower(): e for n, e in asked.items()}


def test_tinycdb_reads_what_it_wrote_as_python_does(home):
    """The format that the tests write themselves is tinycdb's to the byte."""
    chosen = random.Random(11)
    records = [(random_name(chosen).encode(), random_name(chosen).encode()) for _ in range(200)]
    path = home.home / "own.cdb"
    path.write_bytes(lib.cdb_bytes(records))
    assert dump(home, path) == records
