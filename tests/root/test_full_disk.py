"""qmail-queued on a disk that runs full: a small file system of its own."""

import os
import subprocess
import threading

import pytest

import lib
from queue_lab import Control, connect, exchange, ids, netstring, submission, submit

SMALL = ("-n", "3", "-k", "1024")


@pytest.fixture
def small(request):
    """An instance whose queue has 40 MB, or what a parameter adds."""
    one = lib.Instance()
    queue = one.home / "queue"
    options = "size=40m,mode=0750" + getattr(request, "param", "")
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", queue], check=True)
    lib.give(queue)
    try:
        one.start_queued(*SMALL)
        yield one
    finally:
        left = one.stop()
        subprocess.run(["umount", queue], check=True)
        one.remove()
    assert not left, left


def free_bytes(one):
    fs = os.statvfs(one.home / "queue")
    return fs.f_bavail * fs.f_frsize


def test_a_large_message_leaves_room_for_deliveries(small):
    ident = submit(small, b"x\n", b"s@x", [b"a@b", b"c@d"])
    control = Control(small)
    with connect(small) as big:
        lowest = free_bytes(small)
        for _ in range(1000):  # 64 MB, into 40
            big.sendall(netstring(b"M" + b"x" * 65000))
            lowest = min(lowest, free_bytes(small))
        assert lowest > 4 * 1024 * 1024, "what is kept for deliveries was used up"
        control.request(b"F", ident, 0, b"sorry\n")
        control.settle()
        big.sendall(netstring(b"Fs@x") + netstring(b"Tr@y") + netstring(b"."))
        assert big.recv(100) == netstring(b"E53")
    small.check_running("queued")
    lib.wait_until(lambda: exchange(small, submission(b"small\n"))[:1] == b"K",
                   what="room for mail again")


def test_recovery_makes_room_before_it_needs_some(small):
    ident = submit(small, b"x\n", b"s@x", [b"a@b", b"c@d"])
    control = Control(small)
    control.request(b"F", ident, 0, b"sorry\n")
    control.settle()
    small.kill("queued")
    small.wait_gone("queued")
    small.wait_gone("qmail-clean")
    # the crash lost what was not synced, and left half of a large message
    for kind in ("done", "bounce"):
        (small.home / "queue" / kind / str(ident % 32) / str(ident)).unlink()
    with open(small.home / "queue/tmp/7", "wb") as left:
        with pytest.raises(OSError):
            while True:
                os.write(left.fileno(), bytes(4096))
    assert free_bytes(small) == 0
    small.start_queued(*SMALL)
    assert ids(small, "done") == ids(small, "bounce") == {ident}
    assert not list((small.home / "queue/tmp").iterdir())


@pytest.mark.parametrize("small, size", [("", 60000), (",nr_inodes=900", 500)], indirect=["small"],
                         ids=["no room", "no inodes"])
def test_many_sessions_fill_it(small, size):
    """Each is told to come later, and when mail has left the queue its mail is taken."""
    accepted, wrong, lock = set(), [], threading.Lock()
    port = small.smtpd(env={"RELAYCLIENT": ""})
    all_full = threading.Barrier(21, timeout=lib.TIMEOUT_S)

    def offer(client, body):
        code, text = client.mail("s@elsewhere.example")
        if code == 250:
            code, text = client.rcpt(f"test@{small.host}")
        if code == 250:
            code, text = client.data(b"Subject: x\r\n\r\n" + body.replace(b"\n", b"\r\n"))
        with lock:
            if code == 250:
                accepted.add(body)
            elif not 400 <= code <= 499:
                wrong.append((code, text))
        client.rset()
        return code == 250

    def session(number):
        with small.smtp(port) as client:
            client.ehlo()
            count = 0
            while offer(client, b"%d-%d\n" % (number, count) + b"x" * size + b"\n") and count < 1000:
                count += 1
            all_full.wait()
            lib.wait_until(lambda: offer(client, b"%d-last\n" % number), what="room for mail again")

    threads = [threading.Thread(target=session, args=(n,)) for n in range(20)]
    for t in threads:
        t.start()
    all_full.wait()
    assert 20 < len(accepted) < 20000 and not wrong
    small.start_send()
    for t in threads:
        t.join()
    small.wait_empty()
    assert not wrong
    got = {p.read_bytes().partition(b"Subject: x\n\n")[2] for p in small.maildir()}
    assert got == accepted and sum(b"-last\n" in body for body in got) == 20
    small.check_running("queued")
