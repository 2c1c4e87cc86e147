"""A soak: many messages through all paths of one instance, each followed to where
it must arrive, whole and once, while the memory of the daemons is watched.

In: SMTP (sessions of many messages), QMTP, QMQP, sendmail. Out: Maildir, mbox, a
program, a list, a forward, a remote host, bounces of local and remote refusals.
POP3 empties the Maildir meanwhile. There are never more than BACKLOG messages on
their way.
"""

import contextlib
import os
import random
import re
import threading
import time
from pathlib import Path

import lib
from framing import qmqp, qmtp
from loadlib import DAEMONS, SEGMENT_KIB, connect, pss_kib, start_servers

BACKLOG = 500
TOKEN = re.compile(rb"^Subject: soak (\d+)$", re.MULTILINE)
LOCAL, REMOTE, MBOX = "Maildir", "remote", "mbox"
HOST = "test.example"


def kind_of(number):
    """Sender, recipients, and where it must arrive (a place for each copy)."""
    me, far = f"test@{HOST}", "r@far.example"
    kinds = {
        0: (me, [f"test-list@{HOST}"], [LOCAL] * 3),
        1: (f"test-m1@{HOST}", [f"test-nobody@{HOST}"], [LOCAL]),
        2: (f"test-m2@{HOST}", ["no@far.example"], [LOCAL]),
        3: (me, [f"test-forward@{HOST}"], [REMOTE]),
        4: (me, [f"test-program@{HOST}"], [LOCAL]),
        5: (me, [f"test-mbox@{HOST}"], [MBOX]),
        6: (me, [far, me], [REMOTE, LOCAL]),
    }
    return kinds.get(number % 20) or (
        (me, [far], [REMOTE]) if number % 20 < 10 else (me, [me], [LOCAL]))


def text_of(number):
    """The message: some small, some large enough for a file of their own."""
    dice = random.Random(number)
    size = 200000 if number % 500 == 17 else dice.randrange(8000)
    line = b"%08d %s\n" % (number, bytes(dice.choices(range(33, 127), k=60)))
    return b"Subject: soak %d\n\n" % number + line * (1 + size // len(line))


class Soak:
    def __init__(self, instance, count, senders):
        self.instance, self.count = instance, count
        self.senders = senders  # {"smtp": threads, ...}
        self.lock = threading.Lock()
        self.next = self.limit = 0
        self.left = {}      # number: places where copies are still to come
        self.daemons, self.errors = {}, []
        self.remote = lib.SmtpSink({
            "RCPT": lambda to: "550 no" if to.startswith(b"TO:<no@") else None})
        self.stopped = threading.Event()
        instance.route_to(self.remote, "far.example")
        instance.write_control("rcpthosts", f"{HOST}\nfar.example\n")
        members = "".join(f"&test-m{n}@{HOST}\n" for n in (1, 2, 3))
        for name, text in {
                "list": members, "m1": "./Maildir/\n", "m2": "./Maildir/\n",
                "m3": "./Maildir/\n", "mbox": "./Mbox\n",
                "forward": "&r@far.example\n",
                "program": f"|forward test-m1@{HOST}\n"}.items():
            instance.dotqmail(name, text)

    # -- in --

    def take(self):
        """The next number, or None when all of this round have gone."""
        while not self.errors:
            with self.lock:
                if self.next == self.limit:
                    return None
                if len(self.left) < BACKLOG:
                    number, self.next = self.next, self.next + 1
                    self.left[number] = list(kind_of(number)[2])
                    return number
            time.sleep(0.005)  # between two looks at the backlog
        return None

    def by_smtp(self):
        number = self.take()
        while number is not None:
            client = self.instance.smtp(self.ports["smtp"])
            client.ehlo()
            for _ in range(50):
                sender, to, _ = kind_of(number)
                client.mail(sender)
                for recipient in to:
                    assert client.rcpt(recipient)[0] == 250
                text = text_of(number).replace(b"\n", b"\r\n")
                assert client.data(text)[0] == 250
                number = self.take()
                if number is None:
                    break
            client.quit()

    def by_qmtp(self):
        number = self.take()
        while number is not None:
            with connect(self.ports["qmtp"]) as one:
                for _ in range(20):
                    sender, to, _ = kind_of(number)
                    one.sendall(qmtp(text_of(number), sender, to))
                    answer = b""
                    while answer.count(b":Kok ") < len(to):
                        got = one.recv(1000)
                        assert got, answer
                        answer += got
                    number = self.take()
                    if number is None:
                        break

    def by_qmqp(self):
        while (number := self.take()) is not None:
            sender, to, _ = kind_of(number)
            with connect(self.ports["qmqp"]) as one:
                one.sendall(qmqp(text_of(number), sender, to))
                assert b":Kok " in one.recv(1000)

    def by_sendmail(self):
        while (number := self.take()) is not None:
            sender, to, _ = kind_of(number)
            done = self.instance.sendmail("-f", sender, *to, input=text_of(number))
            assert done.returncode == 0, done.stderr

    # -- out --

    def arrived(self, place, text):
        """A copy: the right one, whole, and not one too many."""
        numbers = {int(n) for n in TOKEN.findall(text)}
        assert len(numbers) == 1, text[:2000]
        (number,) = numbers
        assert text.rstrip(b"\n").endswith(text_of(number).rstrip(b"\n")), (
            place, number, text[:2000])
        is_bounce = b"\n--- Below this line is a copy of the message." in text
        assert is_bounce == (number % 20 in (1, 2)), text[:2000]
        with self.lock:
            assert place in self.left.get(number, ()), f"{number} again in {place}"
            self.left[number].remove(place)
            if not self.left[number]:
                del self.left[number]

    def read_remote(self):
        while not self.stopped.wait(0.02):
            while self.remote.transactions:
                one = self.remote.transactions.pop(0)
                for _ in one.recipients:
                    self.arrived(REMOTE, one.message)
            with self.remote.lock:  # what it keeps for other tests
                del self.remote.commands[:-100]

    def read_pop3(self):
        """As a user does: list, fetch, delete, again."""
        while not self.stopped.wait(0.05):
            box = self.instance.pop3()
            with contextlib.closing(box):
                for number in range(1, min(box.stat()[0], 1000) + 1):
                    _, found, _ = box.retr(number)
                    self.arrived(LOCAL, b"\n".join(found) + b"\n")
                    box.dele(number)
                box.quit()

    def read_mbox(self):
        """What has been added since the last look, up to the last whole message."""
        path, at = self.instance.user_home() / "Mbox", 0
        while not self.stopped.wait(0.05):
            if not path.exists():
                continue
            with open(path, "rb") as file:
                file.seek(at)
                added = file.read()
            end = added.rfind(b"\n\n") + 2  # a message, but maybe only its header
            found = re.split(rb"(?m)^From (?=\S+ \S+ \S+ +\d)", added[:end])[1:]
            for text in found:
                number = TOKEN.search(text)
                if not number or not text.rstrip(b"\n").endswith(
                        text_of(int(number[1])).rstrip(b"\n")):
                    break  # the last one: not yet whole
                self.arrived(MBOX, text)
                at += len(b"From ") + len(text)

    # -- watching --

    def find_daemons(self):
        """{program: pids} of what lives long, when nothing else is there."""
        found = {}
        for pid, name in self.instance.processes().items():
            if name in DAEMONS:
                found.setdefault(name, set()).add(pid)
        found["tcpserver"] = {d.pid for d in self.instance.daemons.values()
                              if Path(d.argv[0]).name == "tcpserver"}
        return found

    def sample(self):
        """{program: (PSS in KiB, descriptors)}, sums over its processes."""
        return {name: (sum(map(pss_kib, pids)), sum(
            len(os.listdir(f"/proc/{pid}/fd")) for pid in pids))
            for name, pids in self.daemons.items()}

    def quiet(self, timeout):
        """When all has arrived and every worker has gone."""
        lib.wait_until(lambda: self.errors or not self.left, timeout,
                       "the last of the messages")
        self.check()
        self.instance.wait_empty(timeout)
        for program in ("qmail-local", "qmail-remote", "qmail-smtpd", "qmail-qmtpd",
                        "qmail-qmqpd"):
            lib.wait_until(lambda p=program: not self.instance.pids(p), timeout,
                           f"the end of {program}")

    def check(self):
        if self.errors:
            raise AssertionError(self.errors[0]) from self.errors[0]

    def guarded(self, what):
        def run():
            try:
                what()
            except Exception as error:
                self.errors.append(error)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def start(self):
        self.ports = start_servers(self.instance, limit=40)
        return [self.guarded(f) for f in (
            self.read_remote, self.read_pop3, self.read_mbox)]

    def send(self, upto, timeout):
        """Sends up to that number, waits for all of it, and returns the most
        memory and descriptors that each program had meanwhile."""
        self.limit, most = upto, self.sample()
        threads = [self.guarded(getattr(self, "by_" + way))
                   for way, number in self.senders.items() for _ in range(number)]
        deadline = time.monotonic() + timeout
        while any(t.is_alive() for t in threads):
            assert time.monotonic() < deadline, f"{self.next} sent in {timeout} s"
            self.check()
            for name, now in self.sample().items():
                most[name] = tuple(map(max, now, most[name]))
            time.sleep(0.2)  # between two looks
        self.check()
        self.quiet(timeout)
        return most

    def stop(self, readers):
        self.stopped.set()
        for reader in readers:
            reader.join(lib.TIMEOUT_S)
        self.remote.close()
        self.check()


# ---- the whole run ---------------------------------------------------------------------

GROWTH_KIB, SWING_KIB = 512, 8192
SEGMENTS = 2  # of the journal, that qmail-queued opens when it needs them


def run(instance, count, senders, timeout, parts=5, say=lambda text: None):
    """Starts the instance and soaks it. Returns the samples: when a twentieth had
    passed and all was quiet, the most in each part, and at the end, quiet again."""
    soak = Soak(instance, count, senders)
    instance.start()
    readers = soak.start()
    try:
        warm = max(count // 20, 100)
        soak.send(warm, timeout)
        soak.daemons = soak.find_daemons()
        samples = [soak.sample()]
        for part in range(1, parts + 1):
            samples.append(soak.send(warm + (count - warm) * part // parts, timeout))
            say(f"{soak.next:,} of {count:,} messages")
        samples.append(soak.sample())
        assert soak.find_daemons() == soak.daemons, "a daemon has ended"
    finally:
        soak.stop(readers)
    return samples


def table(samples):
    """Markdown: PSS in KiB and descriptors, a row a program."""
    parts = len(samples) - 2
    heads = ["quiet", *(f"{n}/{parts}" for n in range(1, parts + 1)), "quiet"]
    rows = ["| program | " + " | ".join(heads) + " |",
            "| --- |" + " --- |" * len(heads)]
    for name in samples[0]:
        rows.append(f"| {name} | " + " | ".join(
            "%d KiB, %d fd" % one[name] for one in samples) + " |")
    return "\n".join(rows)


def faults(samples, growth_kib=GROWTH_KIB):
    """What is not flat."""
    found, (first, *between, last) = [], samples
    for name, (pss, fds) in first.items():
        grown = last[name][0] - pss
        if grown > growth_kib:
            found.append(f"{name} has {grown} KiB more at the end")
        more = last[name][1] - fds
        if more > (SEGMENTS if name == "qmail-queued" else 0):
            found.append(f"{name} has {more} descriptors more at the end")
        swing = max(one[name][0] for one in between) - pss
        if swing > (4 * SEGMENT_KIB if name == "qmail-clean" else SWING_KIB):
            found.append(f"{name} had {swing} KiB more meanwhile")
    return found
