"""Whole instances under load, and under kill -9 at random moments.

What counts is the word of the server: a message that got its 250 must arrive,
whole, at least once; nothing that arrives may be anything but a message sent.
"""

import contextlib
import os
import random
import re
import signal
import smtplib
import threading
import time

import lib

SEED = int(os.environ.get("STORM_SEED", "0")) or random.randrange(1, 1 << 30)
PROGRAMS = ["qmail-queued", "qmail-clean", "qmail-start", "qmail-send",
            "qmail-lspawn", "qmail-getpw", "qmail-rspawn", "qmail-local",
            "qmail-remote", "qmail-smtpd"]


def message(number, size):
    """Message number: an own token in each line, so that a mixture shows."""
    token = b"token-%06d" % number
    line = token + b" " + b"x" * 50 + b"\n"
    return b"Subject: " + token + b"\n\n" + line * ((size - 30) // len(line))


class Sender(threading.Thread):
    """One SMTP session after the other; what fails is tried again."""

    def __init__(self, port, numbers, size, to, lock, accepted, gate):
        super().__init__(daemon=True)
        self.gate = gate
        self.port, self.numbers, self.size, self.to = port, numbers, size, to
        self.lock, self.accepted, self.stopped = lock, accepted, False
        self.refusals = 0

    def run(self):
        client = None
        for number in self.numbers:
            data = message(number, self.size).replace(b"\n", b"\r\n")
            lib.wait_until(lambda: self.stopped or self.gate(number), 600, "the gate")
            while not self.stopped:
                try:
                    if client is None:
                        client = smtplib.SMTP("127.0.0.1", self.port, "c.example",
                                              timeout=60)
                        client.ehlo()
                    client.mail(f"s{number}@sender.example")
                    client.rcpt(self.to(number))
                    code, text = client.data(data)
                    if code == 250:
                        with self.lock:
                            self.accepted[number] = text.decode()
                        break
                    self.refusals += 1
                except (OSError, smtplib.SMTPException):
                    self.refusals += 1
                    if client is not None:
                        client.close()
                    client = None
                    time.sleep(0.01)
        if client is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                client.quit()


def send_all(port, count, sessions, size, to, gate=lambda number: True):
    lock, accepted = threading.Lock(), {}
    senders = [Sender(port, range(i, count, sessions), size, to, lock, accepted, gate)
               for i in range(sessions)]
    for sender in senders:
        sender.start()
    return senders, accepted


def number_of(text):
    found = re.search(rb"^Subject: token-(\d{6})\n", text, re.MULTILINE)
    return int(found.group(1)) if found else None


def check_arrived(texts, size, wanted):
    """Each text ends in its whole message; every wanted number is there."""
    seen = set()
    for text in texts:
        number = number_of(text)
        assert number is not None, text[:500]
        assert text.endswith(b"\n" + message(number, size)), f"message {number} is damaged"
        seen.add(number)
    lost = sorted(set(wanted) - seen)
    assert not lost, f"{len(lost)} accepted messages are lost: {lost[:10]} (seed {SEED})"


def maildir_texts(instance):
    for path in instance.maildir():
        yield path.read_bytes()


def test_twenty_sessions_five_thousand_messages(instance):
    """All there, byte-exact, no error; far fewer syncs than messages."""
    count, size = 5000, 4096
    senders, accepted = send_all(instance.smtp_port, count, 20, size,
                                 lambda n: f"test@{instance.host}")
    for sender in senders:
        sender.join(400)
        assert not sender.is_alive()
    assert sum(s.refusals for s in senders) == 0
    assert len(accepted) == count
    instance.wait_maildir("test", count, 400)
    instance.wait_empty()
    assert len(instance.maildir()) == count
    check_arrived(maildir_texts(instance), size, accepted)
    instance.kill("queued", signal.SIGUSR1)
    found = instance.wait_log(r"stats: messages (\d+) syncs (\d+)", name="queued")
    messages, syncs = int(found.group(1)), int(found.group(2))
    assert messages == count
    assert syncs < messages, (messages, syncs)


def test_kill_of_everything_at_once_loses_nothing(make_instance):
    instance = make_instance()
    count, size = 3000, 4096
    # the rest waits, since to find all processes takes a while
    senders, accepted = send_all(instance.smtp_port, count, 20, size,
                                 lambda n: f"test@{instance.host}",
                                 lambda n: n < count - 100)
    lib.wait_until(lambda: len(accepted) > count // 3, 300, "a third of the messages")
    for pid in instance.processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for sender in senders:
        sender.stopped = True
    for sender in senders:
        sender.join(100)
    promised = dict(accepted)
    assert len(promised) < count
    for daemon in instance.daemons.values():
        daemon.process.wait(lib.TIMEOUT_S)
    instance.start()
    instance.flush_empty()
    check_arrived(maildir_texts(instance), size, promised)


class Keeper(threading.Thread):
    """What supervise does: starts a daemon again when it has ended."""

    def __init__(self, instance):
        super().__init__(daemon=True)
        self.instance, self.stopped = instance, False
        self.lines = {n: instance.daemons[n].argv for n in ("queued", "send")}

    def run(self):
        while not self.stopped:
            for name, argv in self.lines.items():
                if not self.instance.daemons[name].is_running():
                    self.instance.spawn(name, *argv)
            time.sleep(0.02)


def test_kill_of_each_program_at_random_moments(make_instance):
    """2,000 messages, 200 kills, the mail no faster than the kills; half of
    the mail is local, half remote."""
    instance = make_instance(start=False)
    sink = lib.SmtpSink()
    instance.route_to(sink)
    instance.start()
    port = instance.smtpd(env={"RELAYCLIENT": ""})
    chance = random.Random(SEED)
    keeper = Keeper(instance)
    keeper.start()
    count, size, wanted = 2000, 3000, 200
    kills = dict.fromkeys(PROGRAMS, 0)
    senders, accepted = send_all(
        port, count, 8, size,
        lambda n: f"test@{instance.host}" if n % 2 else "far@remote.example",
        lambda n: n < (sum(kills.values()) + 5) * (count // wanted))
    deadline = time.monotonic() + 2000
    while sum(kills.values()) < wanted:
        assert time.monotonic() < deadline, f"only {kills} killed (seed {SEED})"
        pids = instance.pids(chance.choice(PROGRAMS))
        if pids:
            victim = chance.choice(pids)
            with contextlib.suppress(ProcessLookupError):
                name = instance.processes().get(victim)
                os.kill(victim, signal.SIGKILL)
                kills[name] = kills.get(name, 0) + 1
        time.sleep(chance.uniform(0, 0.05))
    for sender in senders:
        sender.join(600)
        assert not sender.is_alive(), f"a sender hangs (seed {SEED})"
    assert len(accepted) == count
    instance.flush_empty()
    keeper.stopped = True
    keeper.join(lib.TIMEOUT_S)
    arrived = list(maildir_texts(instance))
    arrived += [t.message for t in list(sink.transactions)]
    check_arrived(arrived, size, accepted)
    sink.close()
