"""What is run on the recorded disk, what was promised meanwhile, and whether a disk
that was found after a cut keeps that.

Clients hand in mail beside deliveries, qmail-queued is killed in between, and
qmail-local is run by hand. Each promise is noted with the position of the log at
which it had been heard; so a cut behind that position must find it kept.
"""
import functools
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading

import crashlib
import lib

# pure python, and the same messages are met on each disk
crashlib.crc32c = functools.lru_cache(maxsize=8192)(crashlib.crc32c)

QUEUED = ("-k", "64")  # KiB a segment: they are used again all the time
THREADS = 4
SIZES = (300, 2500, 14000, 300, 20000, 700, 60000)
RECIPIENTS = (("joe",), ("joe", "box"), ("joe", "later"), ("box",), ("sam", "joe"), ("gone",))
KNOWN = ("joe", "box", "later", "sam")
HAND = b"Return-Path: <s@x.example>\nDelivered-To: %s@test.example\n"


def make_home():
    """An instance with some users: an mbox, one whose mail is always deferred."""
    one = lib.Instance()
    for user in (*KNOWN, "hand", "handbox"):
        one.add_user(user)
    one.dotqmail("", "./Mailbox\n", "box")
    one.dotqmail("", "|exit 111\n", "later")
    return one


class Letter:
    def __init__(self, number):
        self.token = b"token-%d." % number
        self.recipients = RECIPIENTS[number % len(RECIPIENTS)]
        self.body = crashlib.body_of(self.token, SIZES[number % len(SIZES)])
        self.ident = self.told = None


class Run:
    def __init__(self, one, position):
        self.one, self.position = one, position
        self.letters, self.by_hand, self.problems = [], [], []
        self.sizes = []  # of the mbox of handbox: (position, bytes)
        self.end = None  # what it was at the end
        self.lock = threading.Lock()

    # -- the run --

    def record(self, letters, deliveries):
        self.one.start_queued(*QUEUED)
        self.one.start_send()
        self.together(letters // 2, deliveries // 2)
        self.one.kill("queued", signal.SIGKILL)  # with deliveries under way
        self.one.wait_gone("queued")
        self.one.wait_gone("qmail-clean")
        self.one.start_queued(*QUEUED)
        self.together(letters - letters // 2, deliveries - deliveries // 2)
        lib.wait_until(self.is_over, what="the end of the deliveries")
        self.end = self.mbox("handbox")
        left = self.one.stop()
        assert not left and not self.problems, (left, self.problems)

    def together(self, letters, deliveries):
        first = len(self.letters)
        self.letters += [Letter(i) for i in range(first, first + letters)]
        rows = [self.letters[first + i::THREADS] for i in range(THREADS)]
        threads = [threading.Thread(target=self.submit_all, args=(row,)) for row in rows]
        threads.append(threading.Thread(target=self.deliver, args=(deliveries,)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def submit_all(self, letters):
        try:
            for letter in letters:
                letter.ident = self.submit(letter)
                letter.told = self.position.now()
        except Exception as error:  # shown by record
            self.problems.append(repr(error))

    def submit(self, letter):
        net = crashlib.netstring
        parts = [net(b"M" + letter.body[i:i + 16384]) for i in range(0, len(letter.body), 16384)]
        parts.append(net(b"Fsam@test.example"))
        parts += [net(b"T%s@test.example" % r.encode()) for r in letter.recipients]
        parts.append(net(b"."))
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(lib.TIMEOUT_S)
            sock.connect(str(self.one.home / "run/submit.sock"))
            sock.sendall(b"".join(parts))
            reply = b""
            while not reply.endswith(b","):
                got = sock.recv(4096)
                assert got, "qmail-queued hung up"
                reply += got
        match = re.fullmatch(rb"\d+:K(\d+),", reply)
        assert match, reply
        return int(match[1])

    def deliver(self, count):
        """qmail-local by hand, to a Maildir and to an mbox."""
        try:
            for _ in range(count):
                number = len(self.by_hand)
                body = crashlib.body_of(b"hand-%d." % number, SIZES[number % len(SIZES)])
                for user, place in (("hand", "./Maildir/"), ("handbox", "./Mailbox")):
                    self.qmail_local(user, place, body)
                    if user == "hand":
                        self.by_hand.append((self.position.now(), HAND % b"hand" + body))
                    else:
                        self.sizes.append((self.position.now(), len(self.mbox(user))))
        except Exception as error:
            self.problems.append(repr(error))

    def qmail_local(self, user, place, body):
        with tempfile.TemporaryFile(dir="/tmp") as file:
            file.write(body)
            file.seek(0)
            done = subprocess.run(
                [str(self.one.bin / "qmail-local"), "--", user, str(self.one.user_home(user)),
                 user, "", "", "test.example", "s@x.example", place], stdin=file,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.one.env(), cwd="/",
                timeout=lib.TIMEOUT_S, **lib.as_user())
        assert done.returncode == 0, done

    def mbox(self, user):
        try:
            return (self.one.user_home(user) / "Mailbox").read_bytes()
        except FileNotFoundError:
            return b""

    # -- what is there --

    def queue(self):
        """As crashlib.read_queue says; raises if something is not whole."""
        return crashlib.read_queue(self.one_path())

    def one_path(self):
        return type("Home", (), {"path": str(self.one.home)})

    def new(self, user):
        folder = self.one.user_home(user) / "Maildir/new"
        return [(folder / name).read_bytes() for name in os.listdir(folder)]

    def is_over(self):
        """Only what is always deferred waits; what is retired or failed is gone."""
        for env in (self.one.home / "queue/env").glob("*/*"):
            try:
                recipients = [f[1:] for f in env.read_bytes().split(b"\0") if f[:1] == b"T"]
                states = (self.one.home / "queue/done" / env.parent.name / env.name).read_bytes()
            except FileNotFoundError:
                return False  # it goes, or nothing was tried yet
            left = [r for r, s in zip(recipients, states) if s not in b"DF"]
            if not left or not all(r.startswith(b"later@") for r in left):
                return False
        return True

    # -- after a cut --

    def judge_mailboxes(self, cut):
        """Before anything is started: what was delivered by hand."""
        wrong = []
        known = [text for _, text in self.by_hand]
        new = self.new("hand")
        wrong += ["a part of a message is in new" for text in new if text not in known]
        wrong += ["delivery %d to a Maildir had ended and is lost" % i
                  for i, (told, text) in enumerate(self.by_hand) if told <= cut and text not in new]
        told = [size for at, size in self.sizes if at <= cut]
        if told and self.mbox("handbox")[:told[-1]] != self.end[:told[-1]]:
            wrong.append("delivery %d to an mbox had ended and is lost" % (len(told) - 1))
        return wrong

    def promises(self, cut):
        """How many had been heard."""
        return (sum(1 for letter in self.letters if letter.told is not None and letter.told <= cut)
                + sum(1 for told, _ in self.by_hand + self.sizes if told <= cut))

    def judge(self, cut):
        """With qmail-queued at work on it. A recipient of an acknowledged message has it,
        or will have it, since the queue does."""
        wrong, found = [], self.queue()
        bodies = {letter.body: letter for letter in self.letters}
        for part in os.listdir(self.one.home / "queue/damaged") \
                if (self.one.home / "queue/damaged").exists() else ():
            wrong.append("there is damaged/%s" % part)
        boxes = {user: self.delivered(user, bodies, wrong) for user in ("joe", "sam")}
        boxes["box"] = self.mbox("box")
        here = {}
        for ident, (sender, recipients, body, states, failures) in found.items():
            letter = bodies.get(body)
            if letter is None and sender == b"":
                continue  # a bounce
            if letter is None or letter.ident not in (None, ident):
                wrong.append("message %d is none that was handed in" % ident)
                continue
            here[letter] = dict(zip((r.split(b"@")[0].decode() for r in recipients),
                                    states or ["T"] * len(recipients)))
            if sorted(here[letter]) != sorted(letter.recipients):
                wrong.append("message %d has recipients %s" % (ident, sorted(here[letter])))
        for letter in self.letters:
            if letter.told is not None and letter.told <= cut:
                wrong += self.judge_letter(letter, here.get(letter), boxes, found)
        return wrong

    def delivered(self, user, bodies, wrong):
        """The letters in a Maildir, and the bounces there."""
        letters, bounces = set(), []
        for text in self.new(user):
            head, _, rest = text.partition(b"\nReceived: (qmail ")
            body = rest.partition(b"\n")[2]
            if head == b"Return-Path: <sam@test.example>\nDelivered-To: %s@test.example" \
                    % user.encode() and body in bodies:
                letters.add(bodies[body])
            elif head.startswith(b"Return-Path: <>\n") and user == "sam":
                bounces.append(text)
            else:
                wrong.append("%s has mail that is not whole: %r" % (user, text[:300]))
        return letters, bounces

    def judge_letter(self, letter, states, boxes, found):
        wrong = []
        for recipient in letter.recipients:
            if states is not None and states[recipient] == "T":
                continue  # it is still to be tried
            name = "message %s for %s" % (letter.ident, recipient)
            if recipient == "later":
                wrong.append(name + " is lost")
            elif recipient == "gone":
                if states is None and not self.is_bounced(letter, boxes, found):
                    wrong.append(name + " failed, and there is no bounce")
            elif recipient == "box":
                if not has_whole(boxes["box"], letter.body):
                    wrong.append(name + " is lost")
            elif letter not in boxes[recipient][0]:
                wrong.append(name + " is lost")
        return wrong

    def is_bounced(self, letter, boxes, found):
        queued = [row[2] for row in found.values() if row[0] == b""]
        return any(letter.body in text for text in boxes["sam"][1] + queued)

    # -- deliveries after a cut --

    def deliver_all(self, cut):
        self.one.start_send()
        lib.wait_until(self.is_over, what="the end of the deliveries")
        wrong = self.judge(cut)
        for letter in self.letters:
            if letter.told is None or letter.told > cut or letter.recipients != ("gone",):
                continue
            if letter.ident in self.queue():
                wrong.append("message %d failed and is still there" % letter.ident)
        return wrong


def has_whole(mbox, body):
    """An mbox quotes lines that begin with From."""
    return b"\n".join(b">" + line if line.startswith(b"From ") else line
                      for line in body.split(b"\n")) in mbox
