"""qmail-rspawn: workers by host, QMAILREMOTE, trouble of all kinds."""

import os
import socket
import subprocess

import lib
import pytest
import spawnlib
from lib import wait_until
from spawnlib import CLASSIC, WORKER


@pytest.fixture
def spawn():
    one = spawnlib.Spawn("qmail-rspawn")
    one.script("qmail-remote", WORKER)
    one.control("remoteidle", "600\n")
    yield one
    one.remove()


def test_says_how_much_it_can_take(spawn):
    spawn.start()
    assert 1 <= spawn.limit <= 1000
    assert spawn.recipients == 100


def test_passes_job_and_message_to_a_worker(spawn):
    spawn.start()
    spawn.job(5, "Host.example", "a@host.example", "b@host.example", ident=77)
    assert spawn.results(2) == [(5, 0, "K", "ok a@host.example\n"),
                                (5, 1, "K", "ok b@host.example\n")]
    (start,) = spawn.seen("start")
    assert start["argv"][1:] == ["-w"]
    assert start["fds"] == []
    (job,) = spawn.seen("job")
    assert job["job"] == ["J", "5", "77", "Host.example", "s@x.example",
                          "a@host.example", "b@host.example"]
    assert job["message"] == "Subject: x\n\nbody\n"


def test_a_worker_is_used_again_for_its_host_only(spawn):
    spawn.start()
    for number, host in enumerate(["one.example", "ONE.example", "two.example",
                                   "one.example"]):
        spawn.job(number, host, "a@" + host)
        assert spawn.result()[2] == "K"
    pids = [j["pid"] for j in spawn.seen("job")]
    assert pids[0] == pids[1] == pids[3] != pids[2]
    assert len(spawn.seen("start")) == 2


def test_busy_worker_is_not_given_a_second_job(spawn):
    spawn.start()
    spawn.job(1, "h.example", "wait@h.example")
    wait_until(lambda: spawn.seen("job"))
    spawn.job(2, "h.example", "a@h.example")
    assert spawn.result()[0] == 2
    spawn.go()
    assert spawn.result() == (1, 0, "K", "waited\n")
    assert len({j["pid"] for j in spawn.seen("job")}) == 2


@pytest.mark.parametrize("recipient, text", [
    ("crash@h", "qmail-remote crashed.\n"),
    ("exit-111@h", "Unable to run qmail-remote.\n"),
    ("exit-100@h", "Unable to run qmail-remote.\n"),
    ("exit-0@h", "qmail-remote produced no output.\n"),
])
def test_a_worker_that_ends_makes_deferrals_of_what_is_left(
        spawn, recipient, text):
    spawn.start()
    spawn.job(9, "h", "a@h", recipient, "b@h")
    assert spawn.results(3) == [(9, 0, "K", "ok a@h\n"), (9, 1, "Z", text),
                                (9, 2, "Z", text)]
    spawn.job(10, "h", "b@h")
    assert spawn.result() == (10, 0, "K", "ok b@h\n")


@pytest.mark.parametrize("recipient", ["garbage@h", "wrong@h", "fd@h"])
def test_a_worker_that_talks_nonsense_is_killed(spawn, recipient):
    spawn.start()
    spawn.job(9, "h", recipient)
    number, index, letter, text = spawn.result()
    assert (number, index, letter) == (9, 0, "Z")
    assert "no sense" in text
    wait_until(lambda: not spawn.children())
    spawn.job(10, "h", "b@h")
    assert spawn.result() == (10, 0, "K", "ok b@h\n")


def test_a_second_result_for_one_recipient_is_nonsense(spawn):
    spawn.start()
    spawn.job(9, "h", "twice@h", "a@h")
    first, second = spawn.results(2)
    assert first == (9, 0, "K", "once")
    assert second[:3] == (9, 1, "Z")


def test_a_missing_qmail_remote_is_a_deferral(spawn):
    (spawn.home / "bin" / "qmail-remote").unlink()
    spawn.start()
    spawn.job(1, "h", "a@h")
    assert spawn.result() == (1, 0, "Z", "Unable to run qmail-remote.\n")


def test_idle_workers_are_closed(spawn):
    spawn.control("remoteidle", "0\n")
    spawn.start()
    for number in range(2):
        spawn.job(number, "h", "a@h")
        assert spawn.result()[2] == "K"
    wait_until(lambda: len(spawn.seen("end")) == 2)
    wait_until(lambda: not spawn.children())


def test_idle_seconds_pass(spawn):
    spawn.control("remoteidle", "1\n")
    spawn.start()
    spawn.job(1, "h", "a@h")
    assert spawn.result()[2] == "K"
    wait_until(lambda: spawn.seen("end"))


def test_a_worker_has_a_last_job(spawn):
    spawn.control("remotemessages", "2\n")
    spawn.start()
    for number in range(5):
        spawn.job(number, "h", "a@h")
        assert spawn.result()[2] == "K"
    pids = [j["pid"] for j in spawn.seen("job")]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]


def test_running_jobs_end_before_it_does(spawn):
    spawn.start()
    spawn.job(1, "h", "wait@h")
    spawn.job(2, "i", "a@i")
    assert spawn.result()[0] == 2
    wait_until(lambda: len(spawn.seen("job")) == 2)
    # no more jobs, but results are still heard
    spawn.sock.shutdown(socket.SHUT_WR)
    wait_until(lambda: spawn.seen("end"))  # the idle one goes at once
    assert spawn.process.poll() is None
    spawn.go()
    assert spawn.result() == (1, 0, "K", "waited\n")
    assert spawn.process.wait(60) == 0


def test_it_ends_when_nobody_hears_it(spawn):
    spawn.start()
    spawn.job(1, "h", "wait@h")
    wait_until(lambda: spawn.seen("job"))
    spawn.sock.close()
    spawn.go()
    assert spawn.process.wait(60) == 0


def test_many_jobs_while_nobody_reads_the_results(spawn):
    spawn.start()
    count = min(spawn.limit, 60)
    for number in range(count):
        spawn.job(number, f"h{number % 3}", *["big@h"] * 10)
    got = spawn.results(count * 10)
    assert [g[:2] for g in got] == [
        (n, i) for n in range(count) for i in range(10)]
    assert all(g[2] == "Z" and len(g[3]) == 10000 for g in got)


def test_idle_workers_make_room_for_other_hosts(spawn):
    import resource

    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (54, 54))
    import subprocess
    real = subprocess.Popen
    try:
        subprocess.Popen = lambda *a, **k: real(*a, preexec_fn=few, **k)
        spawn.start()
    finally:
        subprocess.Popen = real
    assert spawn.limit == 3
    for number in range(8):
        spawn.job(number, f"h{number}", "a@h")
        assert spawn.result() == (number, 0, "K", "ok a@h\n")
    wait_until(lambda: len(spawn.seen("end")) == 5)
    # the oldest went first: the last three are there
    spawn.job(8, "h7", "a@h")
    assert spawn.result()[2] == "K"
    assert len(spawn.seen("start")) == 8


def test_an_address_without_a_host_fails(spawn):
    spawn.start()
    spawn.job(1, "h", "nobody")
    number, index, letter, text = spawn.result()
    assert (number, index, letter) == (1, 0, "D")
    assert "5.1.3" in text
    spawn.job(2, "h", "a@h", "nobody", "b@h")
    assert [r[2] for r in spawn.results(3)] == ["Z", "D", "Z"]
    spawn.job(3, "h", b"a\0b@h")
    assert spawn.result()[2] == "D"
    assert spawn.seen("job") == []


def test_the_message_must_be_a_file_that_is_only_read(spawn):
    spawn.start()
    r, w = os.pipe()
    spawn.job(1, "h", "a@h", fd=r)
    os.close(w)
    assert spawn.result()[:3] == (1, 0, "Z")
    spawn.job(2, "h", "a@h", fd=os.open(spawn.message, os.O_RDWR))
    assert spawn.result()[:3] == (2, 0, "Z")
    spawn.sock.send(spawnlib.pack("J", 3, 7, "h", "s@x", "a@h"))
    assert spawn.result()[:3] == (3, 0, "Z")
    assert spawn.seen("job") == []


def test_nonsense_from_above_does_not_end_it(spawn):
    spawn.start()
    spawn.sock.send(b"nonsense")
    spawn.sock.send(spawnlib.pack("J", 3, 7, "h"))
    assert spawn.result()[:3] == (3, 0, "Z")
    spawn.job(4, "h", "a@h")
    assert spawn.result() == (4, 0, "K", "ok a@h\n")


def test_tcpto_is_cleared(spawn):
    (spawn.home / "run" / "tcpto").write_bytes(b"x" * 2000)
    (spawn.home / "run" / "tcpto").chmod(0o666)
    spawn.start()
    assert (spawn.home / "run" / "tcpto").read_bytes() == bytes(1024)


def test_tcpto_that_cannot_be_made_is_a_warning(spawn):
    (spawn.home / "run").rmdir()
    spawn.start()
    spawn.job(4, "h", "a@h")
    assert spawn.result()[2] == "K"
    assert "tcpto" in spawn.log()


# ---- QMAILREMOTE -------------------------------------------------------------

@pytest.fixture
def classic(spawn):
    spawn.script("their-remote", CLASSIC + r'''
import sys
what = sys.argv[3].split("@")[0]
if what == "crash":
    os.kill(os.getpid(), signal.SIGKILL)
if what.startswith("exit-"):
    sys.exit(int(what[5:]))
if what == "long":
    sys.stdout.buffer.write(b"r\0K" + b"y" * 200000 + b"\0")
elif what != "silent":
    os.write(2, b"r\0K")
    os.write(1, b"their text\n\0")
''')
    spawn.env = {"QMAILREMOTE": "their-remote",
                 "PATH": f"{spawn.home}/bin:{os.environ['PATH']}"}
    return spawn.start()


def test_their_program_is_run_for_one_recipient(classic):
    assert classic.recipients == 1
    classic.job(1, "h.example", "a@h.example", sender="")
    assert classic.result() == (1, 0, "K", "their text\n")
    (run,) = classic.seen("run")
    assert run["argv"] == ["h.example", "", "a@h.example"]
    assert run["message"] == "Subject: x\n\nbody\n"
    assert run["fds"] == [] and run["same"]


@pytest.mark.parametrize("recipient, letter, text", [
    ("crash@h", "Z", "qmail-remote crashed.\n"),
    ("exit-111@h", "Z", "Unable to run qmail-remote.\n"),
    ("exit-1@h", "D", "Unable to run qmail-remote.\n"),
    ("silent@h", "Z", "qmail-remote produced no output.\n"),
    ("long@h", "Z", ""),  # the verdict is not within what is kept
])
def test_their_program_fails(classic, recipient, letter, text):
    classic.job(1, "h", recipient)
    got = classic.result()
    assert got[2] == letter and got[3][:100] == text[:100]


def test_their_program_is_missing(spawn):
    spawn.env = {"QMAILREMOTE": "no-such-program"}
    spawn.start()
    spawn.job(1, "h", "a@h")
    assert spawn.result() == (1, 0, "Z", "Unable to run qmail-remote.\n")


def test_memory_and_descriptors_stay_flat(spawn):
    spawn.control("remotemessages", "200\n")
    # under the sanitizer, freed memory is to be used again, too
    spawn.env = {"ASAN_OPTIONS": "quarantine_size_mb=0:"
                                 "thread_local_quarantine_size_kb=0"}
    spawn.start()

    def state():
        status = (lib.Path("/proc", str(spawn.process.pid)) / "status")
        (rss,) = [int(line.split()[1]) for line in
                  status.read_text().splitlines() if line.startswith("VmRSS")]
        return rss, len(os.listdir(f"/proc/{spawn.process.pid}/fd"))

    def work(count):
        for number in range(count):
            spawn.job(number, f"h{number % 3}", "a@h", "b@h")
            assert [r[2] for r in spawn.results(2)] == ["K", "K"]

    work(600)
    rss, fds = state()
    work(1800)
    later_rss, later_fds = state()
    assert later_fds <= fds + 2
    assert later_rss < rss + 512  # KiB; a leak of one job each would be more


def limit_files(pid, soft):
    """Sets the limit of a running process, as its own user may."""
    code = ("import resource as r, sys\n"
            "pid, soft = map(int, sys.argv[1:])\n"
            "old = r.prlimit(pid, r.RLIMIT_NOFILE)\n"
            "r.prlimit(pid, r.RLIMIT_NOFILE, (soft, old[1]))\n"
            "print(old[0])\n")
    done = subprocess.run(["/usr/bin/python3", "-c", code, str(pid), str(soft)], check=True,
                          stdout=subprocess.PIPE, cwd="/", **lib.as_user())
    return int(done.stdout)


def test_out_of_descriptors_is_a_deferral(spawn):
    """No job may be lost: qmail-send would wait for its results for ever."""
    spawn.start()
    pid = spawn.process.pid
    before = limit_files(pid, len(os.listdir(f"/proc/{pid}/fd")))
    spawn.job(5, "host.example", "a@host.example", "b@host.example")
    assert [r[:3] for r in spawn.results(2)] == [(5, 0, "Z"), (5, 1, "Z")]
    limit_files(pid, before)
    spawn.job(6, "host.example", "a@host.example")
    assert spawn.result() == (6, 0, "K", "ok a@host.example\n")
