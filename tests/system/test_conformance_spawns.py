"""qmail-start and the spawns, as doc/interfaces/40-start.md and 41-spawns.md
state them."""

import resource
import subprocess

import pytest

import lib
import spawnlib
from spawnlib import CLASSIC
from test_qmail_start_parts import ALL, Parts


# ---- qmail-start -----------------------------------------------------------------

@pytest.fixture
def parts(monkeypatch):
    """Parts whose `elsewhere` is a directory of PATH."""
    made = Parts()
    made.elsewhere = made.home / "elsewhere"
    made.elsewhere.mkdir()
    monkeypatch.setenv("PATH", f"{made.elsewhere}:/usr/local/bin:/usr/bin:/bin")
    yield made
    made.close()


def test_programs_are_found_through_path(parts):
    for name in ALL:
        (parts.home / "bin" / name).rename(parts.elsewhere / name)
    parts.start()
    for name in ALL:
        parts.seen(name)
    parts.process.terminate()
    assert parts.wait() == 0


def test_logger_is_found_through_path(parts):
    (parts.home / "bin" / "logger").rename(parts.elsewhere / "our-logger")
    parts.start("./Mailbox", "our-logger", "an argument")
    assert parts.seen("our-logger")["argv"] == ["an argument"]
    for name in ALL:
        parts.seen(name)
    parts.process.terminate()
    assert parts.wait() == 0


def test_environment_and_limits_reach_programs(home):
    home.dotqmail("x", '|echo "$INHERITED" >seen; ulimit -n >>seen\n')
    home.start_queued()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (777, before[1]))
    try:
        home.start_send(env={"INHERITED": "by all of them"})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    home.send_smtp(to="test-x")
    home.wait_log(r"delivery 1: success")
    assert (home.user_home() / "seen").read_text() == "by all of them\n777\n"


# ---- the spawns ------------------------------------------------------------------

@pytest.mark.parametrize("program, arguments", [
    ("qmail-lspawn", []), ("qmail-lspawn", ["a", "b"]), ("qmail-rspawn", ["a"])])
def test_usage_of_the_spawns(program, arguments):
    done = subprocess.run([str(lib.bin_dir() / program), *arguments],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=lib.TIMEOUT_S)
    assert done.returncode == 100 and done.stderr


@pytest.mark.parametrize("files, limit", [(4000, 1000), (2048, 1000), (2046, 999),
                                          (148, 50)])
@pytest.mark.parametrize("program", ["qmail-lspawn", "qmail-rspawn"])
def test_how_many_deliveries_a_spawn_can_do(spawned, program, files, limit):
    """1000, or two descriptors for each and 48 for itself."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, before[1]))
    try:
        one = spawned(program, "UNUSED", "", *(["x"] if program == "qmail-lspawn" else []))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert one.limit == limit


@pytest.fixture
def spawned():
    made = []

    def make(program, variable, script, *arguments):
        one = spawnlib.Spawn(program, *arguments)
        made.append(one)
        one.real("qmail-getpw")
        one.script("theirs", script)
        one.env = {variable: str(one.home / "bin/theirs")}
        return one.start()

    yield make
    for one in made:
        one.remove()


NAMED = {0, 71, 74, 75, 100, 111, 112, 113, 115, 116, 117, 118, 119, 120, 121, 126}


def test_every_other_status_of_a_local_program_is_a_failure(spawned):
    """All statuses that the table does not name."""
    spawn = spawned("qmail-lspawn", "QMAILLOCAL",
                    '#!/bin/sh\necho "its words"\nexit "$4"\n', "./Mailbox")
    others = sorted(set(range(256)) - NAMED)
    for number in others:
        spawn.job(number, "", f"{number}@d")
        assert spawn.result() == (number, 0, "D", "its words\n")
    for number in (0, 71, 74, 75, 100, 111):
        spawn.job(number, "", f"{number}@d")
        assert spawn.result()[3] == "its words\n"


@pytest.mark.parametrize("last, local, home", [
    (b"-", "joe-x", "/by-rule"), (b"x-", "JOE-X", "/by-rule"), (b"x", "joe-x", "alias"),
    (b"", "joe-x", "alias"), (b"", "joe", "/exact")])
def test_only_prefixes_with_a_last_byte_of_the_set_are_tried(spawned, last, local, home):
    spawn = spawned("qmail-lspawn", "QMAILLOCAL", '#!/bin/sh\necho "$3"\n', "./Mailbox")
    who = lib.ordinary_user()
    entry = f"joe\0{who.pw_uid}\0{who.pw_gid}\0%s\0-\0"
    (spawn.home / "users/cdb").write_bytes(lib.cdb_bytes([
        (b"!joe\0", (entry % "/exact").encode()), (b"!joe-", (entry % "/by-rule").encode()),
        (b"", last)]))
    spawn.job(1, "", local + "@d")
    assert spawn.result()[3].strip().endswith(home)


@pytest.mark.parametrize("program, variable, worker", [
    ("qmail-lspawn", "QMAILLOCAL", "qmail-local"),
    ("qmail-rspawn", "QMAILREMOTE", "qmail-remote")])
@pytest.mark.parametrize("named", [True, False], ids=["named", "own"])
@pytest.mark.parametrize("mode", [None, 0o644, 0o755], ids=["missing", "mode", "format"])
def test_what_cannot_be_executed_is_a_deferral(spawned, program, variable, worker, named,
                                               mode):
    spawn = spawned(program, variable if named else "UNUSED", "#!/no/such/interpreter\n",
                    *(["./Mailbox"] if program == "qmail-lspawn" else []))
    path = (spawn.home / "bin/theirs").rename(
        spawn.home / "bin" / ("theirs" if named else worker))
    if mode is None:
        path.unlink()
    else:
        path.chmod(mode)
    spawn.job(1, "h", "a@h")
    number, index, letter, text = spawn.result()
    assert letter == "Z" and worker in text


def test_long_output_of_a_remote_program_is_read(spawned):
    spawn = spawned("qmail-rspawn", "QMAILREMOTE", CLASSIC + r'''
import sys
sys.stdout.buffer.write(b"-" + b"x" * 30000 + b"\n\0Kfine\n\0")
''')
    spawn.job(1, "h", "a@h")
    number, index, letter, text = spawn.result()
    # K by what stands behind the long record; of the text the log gets a part
    assert (letter, text) == ("K", "x" * 10000)
