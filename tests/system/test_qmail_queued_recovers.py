"""qmail-queued after kill -9, and with damaged files."""

import contextlib
import os
import random
import shutil
import threading

import pytest

from lib import TIMEOUT_S, wait_until
from queue_lab import (Control, Message, body_of, connect, counters, damaged, epochs, exchange,
                       failures, ids, path_of, states, submission, submit)


def crash(home):
    home.kill("queued")
    home.wait_gone("queued")
    home.wait_gone("qmail-clean")  # they finish what they have begun


class Load:
    """Submitters that go on whatever happens, and remember what was promised."""

    def __init__(self, home, threads=6, seed=1):
        self.home = home
        self.accepted = {}
        self.offered = set()
        self.running = True
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(random.Random(seed * 100 + i),))
                        for i in range(threads)]
        for t in self.threads:
            t.start()

    def run(self, rng):
        while self.running:
            size = rng.choice((50, 300, 3000, 20000, 100000))
            body = body_of(rng.getrandbits(60), size)
            recipients = [b"r%d@x" % i for i in range(rng.choice((1, 1, 3, 900)))]
            with self.lock:
                self.offered.add(body)
            try:
                verdict = exchange(self.home, submission(body, b"s@x", recipients))
            except OSError:
                continue
            if verdict[:1] == b"K":
                with self.lock:
                    assert int(verdict[1:]) not in self.accepted, "an id was given twice"
                    self.accepted[int(verdict[1:])] = (body, recipients)

    def stop(self):
        self.running = False
        for t in self.threads:
            t.join()


def check_accepted(home, load, retired=frozenset()):
    there = ids(home)
    assert there == ids(home, "mess")
    for ident, (body, recipients) in load.accepted.items():
        if ident in retired:
            continue
        assert ident in there, f"accepted message {ident} is lost"
        m = Message(home, ident)
        assert (m.body, m.recipients) == (body, recipients), f"message {ident} is another"
    for ident in there:
        assert Message(home, ident).body in load.offered


@pytest.mark.parametrize("seed", range(3))
def test_what_was_accepted_survives_kill_9(home, seed):
    rng = random.Random(seed)
    home.start_queued("-k", "256")
    load = Load(home, seed=seed)
    try:
        for _ in range(8):
            before = len(load.accepted)
            wait_until(lambda: len(load.accepted) > before + rng.randrange(1, 60),
                       what="some messages")
            crash(home)
            home.start_queued("-k", "256")
    finally:
        load.stop()
    assert home.daemons["queued"].is_running()
    check_accepted(home, load)
    assert damaged(home) == []
    assert os.listdir(home.home / "queue/tmp") == []


def test_marks_survive_kill_9(home):
    """What was acknowledged is there after a crash, and nothing is doubled."""
    rng = random.Random(5)
    home.start_queued("-k", "64")
    done, failed, retired, all_ids = set(), {}, set(), []
    for round_number in range(10):
        control = Control(home)
        asked = []
        for _ in range(20):
            all_ids.append(submit(home, body_of(round_number, 900), b"s", [b"a", b"b", b"c"]))
        for _ in range(30):
            ident = rng.choice(all_ids)
            if ident in retired:
                continue
            index = rng.randrange(3)
            what = rng.choice("DDFR")
            if what == "D":
                control.request(b"D", ident, index)
            elif what == "F":
                control.request(b"F", ident, index, b"text of %d.%d" % (ident, index))
            else:
                control.request(b"R", ident)
                retired.add(ident)
            asked.append((what, ident, index))
        control.settle()
        for what, ident, index in asked:
            if (ident, index) in done or (ident, index) in failed:
                continue
            if what == "D":
                done.add((ident, index))
            elif what == "F":
                failed[ident, index] = b"text of %d.%d" % (ident, index)
        crash(home)
        control.close()
        home.start_queued("-k", "64")
        assert ids(home) == set(all_ids) - retired
        for ident in ids(home):
            want = bytes(ord("D") if (ident, i) in done else
                         ord("F") if (ident, i) in failed else ord("T") for i in range(3))
            assert states(home, ident) in ((want,) if want != b"TTT" else (want, b""))
            assert sorted(failures(home, ident)) == sorted(
                (i, text) for (j, i), text in failed.items() if j == ident)


def crash_with(home, *bodies, args=()):
    home.start_queued(*args)
    made = [submit(home, b, b"s", [b"a", b"b"]) for b in bodies]
    crash(home)
    return made


@pytest.mark.parametrize("what", ["gone", "empty", "cut", "other", "longer"])
@pytest.mark.parametrize("kind", ["mess", "env"])
def test_small_messages_are_written_again(home, kind, what):
    (ident,) = crash_with(home, b"precious\n")
    path = path_of(home, kind, ident)
    content = path.read_bytes()
    path.unlink()
    if what != "gone":
        path.write_bytes({"empty": b"", "cut": content[:-1], "other": content[:-3] + b"\0\0\0",
                          "longer": content + b"x"}[what])
        os.chown(path, home.user.pw_uid, home.user.pw_gid)
    home.start_queued()
    assert path.read_bytes() == content
    assert Message(home, ident).body == b"precious\n"


@pytest.mark.parametrize("recipients", [1, 20000])
def test_a_large_message_is_found_in_tmp(home, recipients):
    """The renames of its files were not on the disk yet, nor their first bytes."""
    home.start_queued()
    many = [b"r%d@x.example" % i for i in range(recipients)]
    ident = submit(home, b"y" * 300000, b"s", many)
    crash(home)
    mess, env = path_of(home, "mess", ident), path_of(home, "env", ident)
    content = mess.read_bytes(), env.read_bytes()
    mess.rename(home.home / "queue/tmp/1")
    with open(home.home / "queue/tmp/1", "r+b") as f:
        f.write(b"Received: (qmail ?")
    if recipients > 1:
        env.rename(home.home / "queue/tmp/1.env")
        with open(home.home / "queue/tmp/1.env", "r+b") as f:
            f.write(b"v1\0u????")
    else:
        env.unlink()
    home.start_queued()
    assert (mess.read_bytes(), env.read_bytes()) == content
    assert os.listdir(home.home / "queue/tmp") == []


def test_a_damaged_large_message_is_set_aside(home):
    good, bad = crash_with(home, b"g" * 300000, b"b" * 300000)
    with open(path_of(home, "mess", bad), "r+b") as f:
        f.seek(200000)
        f.write(b"?")
    home.start_queued()
    assert Message(home, good).body == b"g" * 300000
    assert ids(home) == ids(home, "mess") == {good}
    assert damaged(home) == ["env.%d.%d" % (bad % 32, bad), "mess.%d.%d" % (bad % 32, bad)]
    assert "message %d cannot be restored" % bad in home.log("queued")
    assert "queue/mess/%d/%d is damaged" % (bad % 32, bad) in home.log("queued")
    home.restart("queued", 9)
    assert submit(home, b"next\n") > bad


def test_half_a_message_that_the_journal_does_not_know(home):
    first, second, third = crash_with(home, b"1\n", b"2\n", b"3\n")
    home.start_queued()   # from here on the journal knows none of them
    home.daemons["queued"].end()
    path_of(home, "env", first).unlink()
    path_of(home, "mess", second).unlink()
    home.start_queued()
    assert ids(home) == ids(home, "mess") == {third}
    assert damaged(home) == ["env.%d.%d" % (second % 32, second),
                             "mess.%d.%d" % (first % 32, first)]


def test_files_that_nobody_was_told_of_are_removed(home):
    (ident,) = crash_with(home, b"x\n")
    for kind in ("mess", "env", "done", "bounce"):
        path_of(home, kind, ident + 5).write_bytes(b"leftover")
    (home.home / "queue/tmp/77").write_bytes(b"leftover")
    home.start_queued()
    assert ids(home) == ids(home, "mess") == {ident}
    assert ids(home, "done") == ids(home, "bounce") == set()
    assert os.listdir(home.home / "queue/tmp") == []
    assert damaged(home) == []
    assert submit(home, b"y\n") > ident + 5


def test_a_torn_bounce_file_is_mended(home):
    home.start_queued()
    ident = submit(home, b"x\n", b"s", [b"a", b"b", b"c"])
    control = Control(home)
    for i in range(3):
        control.request(b"F", ident, i, b"text %d" % i)
    control.settle()
    want = failures(home, ident)
    path = path_of(home, "bounce", ident)
    content = path.read_bytes()
    for cut in (0, 1, 16, 21, 22, 23, 50, len(content) - 1):
        crash(home)
        path.write_bytes(content[:cut])
        # recovery gives the journal up: put it back for the next round
        keep = home.home / "journal"
        shutil.copytree(home.home / "queue/journal", keep, copy_function=shutil.copy)
        home.start_queued()
        assert failures(home, ident) == want, cut
        crash(home)
        for file in keep.iterdir():
            (home.home / "queue/journal" / file.name).write_bytes(file.read_bytes())
        shutil.rmtree(keep)
        home.start_queued()
        assert failures(home, ident) == want, cut
        # make the journal say it again
        path.unlink()
        path_of(home, "done", ident).unlink()
        control = Control(home)
        for i in range(3):
            control.request(b"F", ident, i, b"text %d" % i)
        control.settle()
        assert failures(home, ident) == want
        control.close()


def test_a_done_file_is_made_again_from_its_first_record(home):
    home.start_queued()
    ident = submit(home, b"x\n", b"s", [b"a", b"b", b"c"])
    control = Control(home)
    control.request(b"D", ident, 1)
    control.request(b"F", ident, 2, b"text")
    control.settle()
    crash(home)
    path_of(home, "done", ident).write_bytes(b"\0\0")
    path_of(home, "bounce", ident).unlink()
    home.start_queued()
    assert states(home, ident) == b"TDF"
    assert failures(home, ident) == [(2, b"text")]


# ---- the journal itself ------------------------------------------------------

def segments(home):
    return sorted(p for p in (home.home / "queue/journal").iterdir() if p.name.isdigit())


def newest(home):
    return max(segments(home), key=lambda p: p.read_bytes()[16:24][::-1])


def test_a_damaged_batch_in_the_middle_costs_only_itself(home):
    home.start_queued()
    made = [submit(home, body_of(i)) for i in range(5)]
    crash(home)
    path = newest(home)
    data = bytearray(path.read_bytes())
    at = data.index(b"Subject: 2\n")
    data[at] ^= 1
    path.write_bytes(data)
    before = {i: path_of(home, "mess", i).read_bytes() for i in made}
    for ident in made:
        path_of(home, "mess", ident).unlink()
    home.start_queued()
    assert "is damaged in 1 places" in home.log("queued")
    assert ids(home, "mess") == set(made) - {made[2]}
    for ident in ids(home, "mess"):
        assert path_of(home, "mess", ident).read_bytes() == before[ident]


@pytest.mark.parametrize("place", ["batch", "header"])
def test_a_message_whose_record_is_damaged_is_kept_if_it_is_whole(home, place):
    """Its plain files are there: rather than as never accepted, it counts as
    accepted. What is not whole is set aside, not removed."""
    home.start_queued()
    made = [submit(home, body_of(i)) for i in range(4)]
    crash(home)
    path = newest(home)
    data = bytearray(path.read_bytes())
    for what in (b"Subject: 1\n", b"Subject: 2\n") if place == "batch" else (b"CQJRNL01",):
        data[data.index(what)] ^= 1
    path.write_bytes(data)
    torn = path_of(home, "mess", made[2])
    torn.write_bytes(torn.read_bytes()[:-1])
    home.start_queued()
    assert ids(home) == ids(home, "mess") == set(made) - {made[2]}
    assert f"message {made[1]} is not in the journal" in home.log("queued")
    assert {f"{k}.{made[2] % 32}.{made[2]}" for k in ("env", "mess")} <= set(damaged(home))
    home.restart("queued")
    assert ids(home) == set(made) - {made[2]}


def test_a_torn_last_batch_is_nobodys(home):
    home.start_queued()
    made = [submit(home, body_of(i)) for i in range(3)]
    crash(home)
    path = newest(home)
    data = bytearray(path.read_bytes())
    at = data.index(b"Subject: 2\n")
    data[at:at + 40] = bytes(40)
    path.write_bytes(data)
    home.start_queued()
    assert "damaged" not in home.log("queued")
    assert ids(home) == ids(home, "mess") == set(made[:2])


def test_a_header_that_makes_no_sense_is_set_aside(home):
    crash_with(home, b"x\n")
    home.start_queued()
    home.daemons["queued"].end()
    old = [p for p in segments(home) if p != newest(home)][0]
    data = bytearray(old.read_bytes())
    data[0:4] = b"????"
    old.write_bytes(data)
    home.start_queued()
    assert damaged(home) == ["journal." + old.name]
    assert "queue/journal/%s is damaged" % old.name in home.log("queued")
    submit(home, b"y\n")


@pytest.mark.parametrize("how", ["version", "magic"])
def test_a_later_version_is_refused_and_untouched(home, how):
    from queue_lab import crc32c
    (ident,) = crash_with(home, b"x\n")
    path = newest(home)
    data = bytearray(path.read_bytes())
    if how == "version":
        data[8] = 2
        data[508:512] = crc32c(bytes(data[:508])).to_bytes(4, "little")
    else:
        data[7:8] = b"2"
    path.write_bytes(data)
    path_of(home, "mess", ident).unlink()
    (home.home / "queue/tmp/3").write_bytes(b"x")
    before = {p: p.read_bytes() for p in (home.home / "queue").rglob("*") if p.is_file()}
    ended = home.run("qmail-queued")
    assert ended.returncode == 111
    assert b"later version" in ended.stderr
    assert {p: p.read_bytes() for p in (home.home / "queue").rglob("*") if p.is_file()} == before


def test_forged_batches_in_a_message_are_not_believed(home):
    """A message that holds batches of the future cannot retire others' mail: the
    bytes that a used segment still holds are no batches of its next use."""
    from queue_lab import crc32c
    home.start_queued("-k", "64", "-n", "3")
    control = Control(home)
    victim = submit(home, b"victim\n")
    # a RETIRED record, in a batch for each of the next uses of the segments
    record = (0).to_bytes(4, "little") + bytes([5, 0, 0, 0]) + victim.to_bytes(8, "little")

    def forged(epoch):
        rest = len(record).to_bytes(4, "little") + epoch.to_bytes(8, "little") + \
            (10**6).to_bytes(4, "little") + bytes(4) + record
        return (crc32c(rest, epoch).to_bytes(4, "little") + rest).ljust(512, b"\0")

    def send(shift):
        now = epochs(home)[-1]
        batches = b"".join(forged(now + i) for i in range(5)) * 4
        body = bytes(shift) + batches
        ident = submit(home, body.ljust(12000))
        control.request(b"R", ident)
        control.barrier()
        return ident

    # in a batch of its own a message starts behind two heads and its envelope:
    # make its batches start with sectors
    for _ in range(120):
        ident = submit(home, bytes(12000))
    head = path_of(home, "mess", ident).read_bytes().index(b"\n") + 1
    shift = -(24 + 16 + 4 + path_of(home, "env", ident).stat().st_size + head) % 512
    for _ in range(20):
        send(shift)
    for _ in range(4):
        crash(home)
        control.close()
        home.start_queued("-k", "64", "-n", "3")
        assert victim in ids(home)
        assert Message(home, victim).body == b"victim\n"
        control = Control(home)
        send(shift)
        submit(home, b"and more\n")


def test_another_size_of_segments_takes_over(home):
    made = crash_with(home, *[body_of(i, 2000) for i in range(100)], args=("-k", "128"))
    home.start_queued("-k", "64", "-n", "3")
    assert ids(home) == set(made)
    for i, ident in enumerate(made):
        assert Message(home, ident).body == body_of(i, 2000)
    made.append(submit(home, b"more\n"))

    def sizes():
        with contextlib.suppress(FileNotFoundError):  # one goes just now
            return {p.stat().st_size for p in segments(home)}
    wait_until(lambda: sizes() == {65536}, what="the new segments")
    home.restart("queued", 9)
    assert ids(home) == set(made)


def test_recovery_may_be_killed_too(home):
    home.start_queued("-k", "16384")
    load = Load(home, threads=3)
    wait_until(lambda: len(load.accepted) > 120, what="messages")
    home.kill("queued")
    load.stop()
    crash(home)
    for ident in list(load.accepted)[::3]:
        path_of(home, "mess", ident).write_bytes(b"torn") if len(
            load.accepted[ident][0]) < 90000 else None
    rng = random.Random(9)
    for _ in range(10):
        daemon = home.spawn("queued", home.bin / "qmail-queued", "-k", "16384")
        try:
            daemon.process.wait(rng.random() * 0.05)
        except Exception:
            pass
        crash(home)
    home.start_queued("-k", "16384")
    check_accepted(home, load)
    assert damaged(home) == []


def test_after_a_clean_end_nothing_is_restored(home):
    home.start_queued()
    ident = submit(home, b"x\n")
    home.daemons["queued"].end()
    home.start_queued()
    first = home.log("queued").count("recovered")
    home.restart("queued")
    assert home.log("queued").count("recovered") == first
    assert ids(home) == {ident}


def test_a_qmail_clean_that_dies_takes_the_daemon_along(home):
    home.start_queued()
    ident = submit(home, b"x\n")
    home.kill("qmail-clean")
    assert home.daemons["queued"].process.wait(TIMEOUT_S) == 111
    assert "lost qmail-clean" in home.log("queued")
    home.start_queued()
    assert ids(home) == {ident}


def test_the_counters(home):
    home.start_queued()
    assert counters(home)["messages"] == 0
    submit(home, b"x\n")
    after = counters(home)
    assert after["messages"] == 1 and after["records"] >= 1 and after["syncs"] >= 1
    with connect(home) as sock:
        assert sock.fileno() >= 0
