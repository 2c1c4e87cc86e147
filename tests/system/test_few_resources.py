"""Daemons with few descriptors or little memory: mail comes late, or is refused for now, and is not lost."""

import re
import threading

import pytest

import lib

SENDERS, EACH = 12, 3


def limited(option, value):
    """The start of a command that runs the rest of it under a limit of the shell."""
    return ["sh", "-c", f'ulimit -{option} {value} && exec "$@"', "sh"]


def send_many(instance, size=2000):
    """Many at once; the bodies that were accepted. All others were refused for now."""
    accepted, wrong, lock = set(), [], threading.Lock()

    def run(number):
        for i in range(EACH):
            body = b"number %d-%d\n" % (number, i) + b"x" * size + b"\n"
            done = instance.queue(b"Subject: x\n\n" + body, "s@elsewhere.example",
                                  [f"test@{instance.host}"])
            with lock:
                if done.returncode == 0:
                    accepted.add(body)
                elif not 51 <= done.returncode <= 99:
                    wrong.append(done.returncode)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(SENDERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, wrong
    return accepted


def arrived(instance):
    return {p.read_bytes().partition(b"Subject: x\n\n")[2] for p in instance.maildir()}


def check(instance, accepted):
    lib.wait_until(lambda: arrived(instance) >= accepted, what="all that was accepted")
    assert instance.queue(b"Subject: x\n\nlast\n", "s@elsewhere.example",
                          [f"test@{instance.host}"]).returncode == 0
    lib.wait_until(lambda: b"last\n" in arrived(instance), what="the last one")
    instance.check_running("queued")
    instance.check_running("send")


@pytest.mark.parametrize("files", [72, 80, 100])
def test_qmail_queued_with_few_descriptors(home, files):
    home.start_queued(prefix=limited("n", files))
    home.start_send()
    accepted = send_many(home)
    assert accepted
    check(home, accepted)


@pytest.mark.parametrize("files", [24, 32, 48])
def test_qmail_start_and_its_children_with_few_descriptors(home, files):
    home.start_queued()
    accepted = send_many(home)
    home.start_send(prefix=limited("n", files))
    accepted |= send_many(home, 3000)
    assert len(accepted) == 2 * SENDERS * EACH
    check(home, accepted)


def peak_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmPeak:\s*(\d+)", f.read())[1])


def huge(instance, count):
    """Hands in a message with more recipients than there is memory for; the exit code."""
    many = [f"test-{i}-{'x' * 40}@{instance.host}" for i in range(count)]
    return instance.queue(b"Subject: x\n\nhuge\n", "s@elsewhere.example", many).returncode


def test_qmail_queued_with_little_memory(home):
    """A message that does not fit is refused for now; those beside it are not harmed."""
    home.start_queued("-k", "1024")
    limit = peak_kib(home.daemons["queued"].pid) + 4096
    home.daemons["queued"].end()
    home.start_queued("-k", "1024", prefix=limited("v", limit))
    accepted = send_many(home)
    assert 51 <= huge(home, 100000) <= 99
    if not home.daemons["queued"].is_running():  # supervise would start it again
        assert home.daemons["queued"].process.returncode == 111
        home.start_queued("-k", "1024")
    accepted |= send_many(home, 3000)
    home.start_send()
    check(home, accepted)
    assert b"huge\n" not in arrived(home)


def test_qmail_send_with_little_memory(home):
    """It ends rather than lose anything, and delivers all with more."""
    home.start()
    limit = peak_kib(home.pids("qmail-send")[0]) + 2048
    home.daemons["send"].end()
    accepted = send_many(home)
    assert huge(home, 30000) == 0
    home.dotqmail("default", "#\n")
    daemon = home.spawn("send", *limited("v", limit), home.bin / "qmail-start", "./Maildir/")
    lib.wait_until(lambda: not daemon.is_running() or arrived(home) >= accepted,
                   what="its end, or all mail that fits")
    home.daemons["send"].end()
    home.wait_gone("qmail-send")
    home.write_control("concurrencylocal", "100\n")
    home.start_send()
    check(home, accepted)
