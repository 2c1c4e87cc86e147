"""Power cuts: runs are recorded, the states that they may leave are recovered
from, and what comes of it is compared with what was promised until then.

record.c writes the log, recover_states.c builds the states and runs the recovery;
what was promised is worked out here, from what the daemon said to its clients.
"""
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

import crashlib
from crashlib import TOP, Control, Home, body_of, crc32c, netstring, parse_failures, stop

RECORD = os.environ.get("CQMAIL_RECORD", os.path.join(crashlib.BIN, "../record.so"))
DRIVER = os.environ.get("CQMAIL_RECOVER", os.path.join(crashlib.BIN, "../recover_states"))
LOG_BYTES = 256 * 1024 * 1024
# States of all runs together; each has its share.
STATES = int(os.environ.get("CRASH_STATES", "36000"))
SEED = os.environ.get("CRASH_SEED", "1")
HEAD = struct.Struct("<8sIIQQ")
OP = struct.Struct("<IIIIIIQQ")
WRITE, SAY, HEAR, EXIT = 4, 10, 11, 12


class RecordedHome(Home):
    """What is done under root, which is in it, is recorded."""

    def __init__(self, path, root="queue", programs=None):
        super().__init__(path)
        self.root = os.path.join(self.path, root)
        self.oplog = os.path.join(self.path, "oplog")
        self.programs = programs or crashlib.BIN
        self.kill = None
        with open(self.oplog, "wb") as f:
            f.write(b"CQOPLOG1")
            f.truncate(LOG_BYTES)

    def env(self, fault=None):
        env = super().env(fault)
        env["LD_PRELOAD"] = RECORD + (":" + env["LD_PRELOAD"] if fault else "")
        env["RECORD_LOG"] = self.oplog
        env["RECORD_ROOT"] = self.root
        env["PATH"] = self.programs + ":" + env["PATH"]
        if self.kill:
            env["RECORD_KILL"] = self.kill
        return env

    def queued(self):
        """Starts qmail-queued; it has been ready, or has ended, when this is back."""
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                [os.path.join(self.programs, "qmail-queued"), "-k", "64"], env=self.env(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        sock = self.connect("submit.sock", socket.SOCK_STREAM, process)
        if sock is not None:
            sock.close()
        return process


def shut_down(home, process):
    """Ends qmail-queued, and waits until its qmail-cleans, who hold the lock, have ended."""
    code = stop(process)
    deadline = time.monotonic() + 60
    with open(os.path.join(home.path, "queue/lock"), "rb") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return code
            except BlockingIOError:
                assert time.monotonic() < deadline, "a qmail-clean does not end"
                time.sleep(0.002)


def read_events(path):
    """[(number of operations before and with it, type, pid, socket, data)] and the count."""
    events, number = [], 0
    with open(path, "rb") as f:
        _, _, _, used, count = HEAD.unpack(f.read(HEAD.size))
        end = HEAD.size + used
        at = HEAD.size
        while at < end:
            f.seek(at)
            size, kind, pid, path_len, path2_len, data_len, _, off = OP.unpack(f.read(OP.size))
            number += 1
            if kind in (SAY, HEAR, EXIT):
                f.seek(path_len + path2_len, 1)
                events.append((number, kind, pid, off, f.read(data_len)))
            at += size
    assert number == count
    return events


def fields_of(packet):
    fields = []
    while packet:
        size, rest = packet.split(b":", 1)
        fields.append(rest[:int(size)])
        packet = rest[int(size) + 1:]
    return fields


class Orders:
    """Those that stand, those that were taken back, and those that may be either."""

    def __init__(self):
        self.there, self.gone, self.either = set(), set(), set()

    def ask(self, request):
        for order in request[1:]:
            self.either.add(order)
            self.there.discard(order)
            self.gone.discard(order)

    def answer(self, request):
        for order in request[1:]:
            self.either.discard(order)
            (self.there if request[0] == b"O" else self.gone).add(order)

    def judge(self, data):
        body, _, crc = (data or b"").rpartition(b"end ")
        if data is not None and crc != b"%08x\n" % crc32c(body):
            return ["the file of orders is not whole"]
        found = {line.split(b" ", 1)[1] for line in body.splitlines()}
        return (["order %r is lost" % o for o in self.there - found]
                + ["order %r is back" % o for o in self.gone & found]
                + ["nobody has given order %r" % o
                   for o in found - self.there - self.gone - self.either])


class Promises:
    """What the daemon had said, and was asked, before a cut."""

    def __init__(self, events):
        self.timeline = []  # (at, what, details)
        self.orders = Orders()
        heard, acknowledged, orders = {}, {}, {}
        for at, kind, pid, sock, data in events:
            if kind == EXIT:
                continue
            fields = fields_of(data)
            letter = fields[0][:1]
            if kind == SAY and len(fields) == 1 and re.fullmatch(rb"K[1-9]\d*", fields[0]):
                self.timeline.append((at, "told", int(fields[0][1:])))
            elif kind == HEAR and fields[0] == b"S":
                heard[pid, sock], acknowledged[pid, sock] = [], 0
            elif kind == HEAR and (pid, sock) in heard and letter in b"DFR":
                request = (letter, int(fields[1])) + tuple(fields[2:])
                heard[pid, sock].append(request)
                self.timeline.append((at, "asked", request))
            elif kind == HEAR and fields[0] in (b"O", b"U") and b" " in fields[-1]:
                # behind the letter, each has the uid or time that goes with it
                orders[pid, sock] = (fields[0], *(f.split(b" ", 1)[1] for f in fields[1:]))
                self.timeline.append((at, "ordered", orders[pid, sock]))
            elif kind == SAY and fields[0] == b"K" and (pid, sock) in orders:
                assert set(fields[1]) <= set(b"KSN"), fields
                self.timeline.append((at, "obeyed", orders.pop((pid, sock))))
            elif kind == SAY and fields[0] == b"A" and (pid, sock) in heard:
                count, before = int(fields[1]), acknowledged[pid, sock]
                for request in heard[pid, sock][before:count]:
                    self.timeline.append((at, "done", request))
                acknowledged[pid, sock] = count
        self.at, self.next = 0, 0
        self.told, self.asked, self.done = set(), set(), set()

    def advance(self, cut):
        assert cut >= self.at
        self.at = cut
        while self.next < len(self.timeline) and self.timeline[self.next][0] <= cut:
            _, what, detail = self.timeline[self.next]
            if what == "ordered":
                self.orders.ask(detail)
            elif what == "obeyed":
                self.orders.answer(detail)
            else:
                getattr(self, what).add(detail)
            self.next += 1


class Letters:
    """What was handed in: by its content, since a cut hides what it would be called."""

    def __init__(self):
        self.by_content = {}
        self.by_id = {}

    def add(self, sender, recipients, body):
        key = (sender, tuple(recipients), len(body), crc32c(body))
        assert key not in self.by_content
        self.by_content[key] = body
        return key

    def accepted(self, ident, key):
        if ident is not None:
            assert ident not in self.by_id
            self.by_id[ident] = key


# ---- what came of a state ----------------------------------------------------


class Found:
    """A queue after recovery, from the lines that the driver printed."""

    def __init__(self, text):
        self.next_id, self.wrong, self.files, self.orders = None, [], {}, None
        for line in text.splitlines():
            word, rest = line.split(" ", 1)
            if word == "next":
                self.next_id = int(rest)
            elif word == "file":
                path, size, whole, body, data = rest.split(" ")
                self.add_file(path, int(size), int(whole, 16), int(body, 16), data)
            elif word != "said" or "damaged" in rest or "cannot" in rest:
                self.wrong.append(line)
        if self.next_id is None:
            self.wrong.append("recovery did not end")
        self.messages = {}
        for ident, files in sorted(self.files.items()):
            try:
                self.messages[ident] = self.read_message(ident, files)
            except (AssertionError, KeyError, ValueError) as error:
                self.wrong.append("message %d is not whole: %r" % (ident, error))

    def add_file(self, path, size, whole, body, data):
        match = re.fullmatch(r"(mess|env|done|bounce)/(\d+)/(\d+)", path)
        if path == "orders":
            self.orders = bytes.fromhex(data)
        elif match is None or int(match[3]) % 32 != int(match[2]):
            self.wrong.append("there is %s" % path)
        else:
            self.files.setdefault(int(match[3]), {})[match[1]] = (
                (size, whole, body) if match[1] == "mess" else bytes.fromhex(data))

    def read_message(self, ident, files):
        env = files["env"]
        size, whole, body = files["mess"]
        cut = env.rindex(b"C", 0, len(env))
        assert env.endswith(b"\0") and len(env) - cut == 10, "no end of env"
        assert env[cut + 1:-1] == b"%08x" % crc32c(env[:cut]), "checksum of env"
        fields = env[:cut].split(b"\0")[:-1]
        values = {f[:1]: f[1:] for f in fields if f[:1] != b"T"}
        assert values[b"s"] == b"%d" % size, "size of mess"
        assert values[b"c"] == b"%08x" % whole, "checksum of mess"
        recipients = tuple(f[1:] for f in fields if f[:1] == b"T")
        states = files.get("done", b"")
        assert len(states) in (0, len(recipients)), "size of done"
        states = states.decode("latin-1") or "T" * len(recipients)
        assert set(states) <= set("TDF"), "states %r" % states
        return values[b"F"], recipients, body, states, parse_failures(
            ident, files.get("bounce", b"")), size


def judge(found, promises, letters):
    """What is wrong with it."""
    wrong = found.wrong + promises.orders.judge(found.orders)
    retired = {r[1] for r in promises.done if r[0] == b"R"}
    retiring = {r[1] for r in promises.asked if r[0] == b"R"}
    for ident in promises.told:
        if ident in retired and ident in found.files:
            wrong.append("message %d was retired and is back: %s" % (
                ident, sorted(found.files[ident])))
        if ident not in retiring and ident not in found.messages:
            wrong.append("message %d was accepted and is lost" % ident)
        if found.next_id is not None and ident >= found.next_id:
            wrong.append("the number %d would be given again" % ident)
    seen = set()
    for ident, (sender, recipients, body, states, failures, size) in found.messages.items():
        key = next((k for k in letters.by_content
                    if k[0] == sender and k[1] == recipients and k[3] == body), None)
        if key is None:
            wrong.append("message %d is none that was handed in" % ident)
            continue
        if key in seen or letters.by_id.get(ident, key) != key:
            wrong.append("message %d is another one" % ident)
        seen.add(key)
        wrong += judge_recipients(ident, states, failures, promises)
    return wrong


def judge_recipients(ident, states, failures, promises):
    wrong = []
    texts = dict(failures)
    if len(texts) != len(failures):
        wrong.append("message %d: a failure is told twice" % ident)
    asked, done = {}, {}
    for table, requests in ((asked, promises.asked), (done, promises.done)):
        for request in requests:
            if request[1] == ident and request[0] in (b"D", b"F"):
                table.setdefault(int(request[2]), set()).add(request)
    for index, state in enumerate(states):
        name = "message %d recipient %d" % (ident, index)
        letters = {r[0].decode() for r in asked.get(index, ())}
        if index in done and state == "T":
            wrong.append(name + ": done was acknowledged, and it is to be tried again")
        if state != "T" and state not in letters:
            wrong.append(name + ": it is %s, which nobody said" % state)
        if (state == "F") != (index in texts):
            wrong.append(name + ": state %s, text %r" % (state, texts.get(index)))
        if index in texts and not any(r[0] == b"F" and r[3] == texts[index]
                                      for r in asked.get(index, ())):
            wrong.append(name + ": the text is another one")
    return wrong


# ---- the driver ------------------------------------------------------------------


class Outcome:
    def __init__(self):
        self.wrong = []
        self.built = self.different = self.cuts = self.complete = self.second = 0

    def line(self, name):
        return ("%s: %d cuts (%d of them with all choices), %d states built, %d different "
                "recovered, %d of them cut recoveries" % (
                    name, self.cuts, self.complete, self.built, self.different, self.second))


def run_driver(home, driver, states, options=(), seed=SEED):
    """Yields ("result", number, text) and ("state", cut, number, spec), at last ("total", ...)."""
    command = [driver, "-t", str(states), "-s", seed, "-v", home.root, *options, home.oplog]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        finished = False
        for line in process.stdout:
            words = line.decode().split()
            if words[0] == "result":
                yield "result", int(words[1]), process.stdout.read(int(words[2])).decode("latin-1")
            elif words[0] == "state":
                yield "state", int(words[1]), int(words[2]), words[3]
            elif words[0] == "total":
                finished = True
                yield ("total", *map(int, words[1:]))
            else:
                raise AssertionError(line)
        code = process.wait()
        assert finished and code == 0, "the driver ended with %d" % code


def explore(home, letters, states, driver=DRIVER, options=(), enough=20, seed=SEED):
    """Recovers from the states of a recorded run; stops after so many wrong ones."""
    outcome = Outcome()
    promises = Promises(read_events(home.oplog))
    assert promises.timeline or not letters.by_id
    results = {}
    for row in run_driver(home, driver, states, options, seed):
        if row[0] == "result":
            results[row[1]] = Found(row[2])
        elif row[0] == "state":
            promises.advance(row[1])
            for text in judge(results[row[2]], promises, letters):
                outcome.wrong.append("%s [recover_states -s %s -r %s %s]" % (
                    text, seed, row[3], home.oplog))
        else:
            (outcome.built, outcome.different, outcome.cuts, outcome.complete,
             outcome.second) = row[1:]
        if len(outcome.wrong) >= enough:
            break
    return outcome


# ---- what is run ------------------------------------------------------------------


class Clients:
    """Submits several letters at a time, and notes which are whose."""

    def __init__(self, home, process, letters):
        self.home, self.process, self.letters = home, process, letters

    def submit(self, *rows):
        """Rows (token, recipients, size), all before the first answer. Their ids."""
        waiting = []
        for token, recipients, size in rows:
            body = body_of(token, size)
            sock = self.home.connect("submit.sock", socket.SOCK_STREAM, self.process)
            if sock is None:
                return [None] * len(rows)
            parts = [netstring(b"M" + body[i:i + 16384]) for i in range(0, len(body), 16384)]
            parts += [netstring(b"F" + b"s@x.example")]
            parts += [netstring(b"T" + r) for r in recipients] + [netstring(b".")]
            waiting.append((sock, self.letters.add(b"s@x.example", recipients, body)))
            try:
                sock.sendall(b"".join(parts))
            except OSError:
                pass
        return [self.answer(sock, key) for sock, key in waiting]

    def answer(self, sock, key):
        reply = b""
        with sock:
            try:
                while not reply.endswith(b","):
                    got = sock.recv(4096)
                    if not got:
                        return None
                    reply += got
            except OSError:
                return None
        match = re.fullmatch(rb"\d+:K(\d+),", reply)
        ident = int(match[1]) if match else None
        self.letters.accepted(ident, key)
        return ident


def small_run(home, letters):
    """One of each kind."""
    process = home.queued()
    clients = Clients(home, process, letters)
    (first,) = clients.submit((b"first", [b"a@x.example"], 300))
    control = Control(home, process)
    two, three = clients.submit((b"two", [b"b@x.example", b"c@x.example"], 1500),
                                (b"three", [b"r%d@x.example" % i for i in range(3)], 400))
    clients.submit((b"large", [b"big@x.example", b"big2@x.example"], 20000))
    control.request(b"D", b"%d" % two, b"0")
    control.settle()
    control.request(b"F", b"%d" % two, b"1", b"no such user\nsaid b\n")
    control.request(b"F", b"%d" % three, b"2", b"no\n" * 300)
    control.request(b"R", b"%d" % first)
    control.settle()
    clients.submit((b"many", [b"recipient-number-%d@x.example" % i for i in range(600)], 300))
    control.close()
    shut_down(home, process)


def one_message(home, letters):
    """Small enough for all choices at its cuts."""
    process = home.queued()
    (one,) = Clients(home, process, letters).submit((b"one", [b"a@x.example", b"b@x.example"], 200))
    control = Control(home, process)
    control.request(b"F", b"%d" % one, b"0", b"no\n")
    control.settle()
    control.request(b"D", b"%d" % one, b"1")
    control.settle()
    control.request(b"R", b"%d" % one)
    control.settle()
    control.close()
    shut_down(home, process)


def two_messages(home, letters):
    """The same, and another one beside it."""
    process = home.queued()
    clients = Clients(home, process, letters)
    (one,) = clients.submit((b"one", [b"a@x.example", b"b@x.example"], 200))
    control = Control(home, process)
    control.request(b"F", b"%d" % one, b"0", b"no\n")
    control.settle()
    control.request(b"D", b"%d" % one, b"1")
    control.settle()
    (two,) = clients.submit((b"two", [b"c@x.example"], 700))
    control.request(b"R", b"%d" % one)
    control.settle()
    control.close()
    shut_down(home, process)


def wrap_run(home, letters, count=60):
    """Fills all segments, so that they are checkpointed and used again."""
    process = home.queued()
    clients = Clients(home, process, letters)
    control = Control(home, process)
    alive = []
    for i in range(count):
        size = 3500 if i % 10 else 17000
        ids = clients.submit((b"m%d" % i, [b"a@x.example", b"b@x.example"], size))
        alive += [ident for ident in ids if ident is not None]
        if i % 3 == 0 and alive:
            control.request(b"D", b"%d" % alive[-1], b"1")
            if i % 2 == 0:
                control.request(b"F", b"%d" % alive[-1], b"0", b"reason %d\n" % i)
            control.settle()
        # some are old when they are retired: of these only the files are left
        if i % 5 == 4 and len(alive) > 8:
            control.request(b"R", b"%d" % alive.pop(0))
            control.request(b"R", b"%d" % alive.pop(-2))
            control.settle()
    control.close()
    shut_down(home, process)


def restart_run(home, letters):
    """Recoveries in the record: after an orderly end, and after a kill."""
    kills = [None, "qmail-queued 40", None, "qmail-clean 3", "qmail-queued 25", None]
    for start, kill in enumerate(kills):
        home.kill = kill
        process = home.queued()
        clients = Clients(home, process, letters)
        for i in range(4):
            ids = clients.submit(
                (b"s%d-%d" % (start, i), [b"a@x.example", b"b@x.example"], 3000 * i + 200),
                (b"t%d-%d" % (start, i), [b"c@x.example"], 250))
            if ids[0] is None or process.poll() is not None:
                break
            control = Control(home, process)
            control.request(b"D", b"%d" % ids[0], b"0")
            control.request(b"F", b"%d" % ids[0], b"1", b"no\n")
            if i % 2:
                control.request(b"R", b"%d" % ids[0])
            control.settle()
            control.close()
        shut_down(home, process)
    home.kill = None


def give(home, process, letter, *orders):
    """What an administrator says, and is answered."""
    with home.connect("control.sock", socket.SOCK_SEQPACKET, process) as sock:
        sock.send(netstring(letter) + b"".join(netstring(b"1 " + order) for order in orders))
        answer = sock.recv(131072)
    assert answer.startswith(b"1:K,"), answer


def orders_run(home, letters):
    """Orders beside the mail, and a restart with them."""
    process = home.queued()
    clients = Clients(home, process, letters)
    one, two = clients.submit((b"one", [b"a@x.example"], 300), (b"two", [b"b@x.example"], 400))
    give(home, process, b"O", b"hold domain a.example", b"hold channel local")
    give(home, process, b"O", b"hold message %d" % one)
    give(home, process, b"O", b"expire %d" % two)
    clients.submit((b"three", [b"c@x.example"], 500))
    give(home, process, b"U", b"hold channel local")
    shut_down(home, process)
    process = home.queued()
    give(home, process, b"O", b"hold domain .c.example")
    give(home, process, b"U", b"hold domain a.example")
    shut_down(home, process)


def killed_start(home, letters, kill="qmail-queued 100"):
    """The first start is killed there; then an ordinary small run."""
    home.kill = kill
    process = home.queued()
    if process.poll() is None:
        Clients(home, process, letters).submit((b"early", [b"a@x.example"], 300))
    shut_down(home, process)
    home.kill = None
    two_messages(home, letters)


def killed_behind_directories(home, letters):
    killed_start(home, letters, "qmail-queued @bounce/31")


def killed_behind_segment(home, letters):
    killed_start(home, letters, "qmail-queued @journal/0")


# ---- the program itself -------------------------------------------------------------


def files_of(queue):
    """The lines that the driver would print of these files."""
    lines = set()
    for kind in ("mess", "env", "done", "bounce", "tmp", "damaged"):
        for folder, _, names in os.walk(os.path.join(queue, kind)):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    data = f.read()
                body = data.split(b"\n", 1)[1] if b"\n" in data else b""
                lines.add("file %s %d %08x %08x %s" % (
                    os.path.relpath(path, queue), len(data), crc32c(data), crc32c(body),
                    "" if kind == "mess" else data.hex()))
    return lines


def compare_with_program(home, place, count):
    """The program itself recovers from some of the states as the driver says.
    Returns what is different, and how many states were compared."""
    results, rows, wrong = {}, {}, []
    for row in run_driver(home, DRIVER, 500, ("-n", "20")):
        if row[0] == "result":
            results[row[1]] = {line for line in row[2].splitlines() if line.startswith("file ")}
        elif row[0] == "state":
            rows[row[2]] = row[3]
    chosen = sorted(rows.items())[::max(1, len(rows) // count)]
    for number, spec in chosen:
        other = Home(os.path.join(place, "as-%d" % number))
        queue = os.path.join(other.path, "queue")
        subprocess.run([DRIVER, "-s", SEED, "-n", "0", "-r", spec, "-o", queue, home.oplog],
                       stdout=subprocess.DEVNULL, check=True)
        process = other.start(["qmail-queued", "-k", "64"])
        sock = other.connect("submit.sock", socket.SOCK_STREAM, process)
        if sock is not None:
            sock.close()
        if shut_down(other, process) != 0 or sock is None or files_of(queue) != results[number]:
            wrong.append("state %s comes out otherwise: %s" % (spec, other.log_text()[-300:]))
    return wrong, len(chosen)


# ---- deliveries -------------------------------------------------------------------

DELIVERED = b"Return-Path: <s@x.example>\nDelivered-To: joe@h.example\n"
OLD_MBOX = b"From a@b Thu Jan  1 00:00:00 1970\nSubject: old\n\nolder mail\n\n"


class Mailboxes(RecordedHome):
    """One user, to whom qmail-local delivers some messages, one after the other."""

    def __init__(self, path, instruction, old_mbox, programs=None):
        super().__init__(path, "joe", programs)
        os.mkdir(self.root)
        for sub in ("", "/tmp", "/new", "/cur"):
            os.mkdir(self.root + "/Maildir" + sub, 0o700)
        self.write("joe/.qmail", instruction)
        os.chmod(self.root, 0o755)
        if old_mbox:
            with open(os.path.join(self.root, "Mailbox"), "wb") as f:
                f.write(OLD_MBOX)
        self.before = os.path.join(self.path, "before")
        shutil.copytree(self.root, self.before)
        self.old, self.is_maildir = old_mbox, "Maildir" in instruction
        self.bodies, self.codes, self.sizes, self.killed = [], [], [], []

    def deliver(self, body, fault=None):
        source = os.path.join(self.path, "message")
        with open(source, "wb") as f:
            f.write(body)
        with open(source, "rb") as f:
            done = subprocess.run(
                [os.path.join(self.programs, "qmail-local"), "--", "joe", self.root, "joe", "", "",
                 "h.example", "s@x.example", "./Mailbox"], stdin=f, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, env=self.env(fault), timeout=300)
        if done.returncode == -signal.SIGKILL and self.kill:
            self.killed.append(body)
            return  # it told nobody anything
        assert done.returncode in (0, 111), done
        assert fault or done.returncode == 0, done
        self.bodies.append(body)
        self.codes.append(done.returncode)
        self.sizes.append(len(self.mbox()))

    def mbox(self):
        try:
            with open(os.path.join(self.root, "Mailbox"), "rb") as f:
                return f.read()
        except FileNotFoundError:
            return b""


def judge_mailboxes(text, ended, home, final_mbox):
    """ended: so many deliveries had ended before the cut."""
    wrong, new, mbox = [], [], b""
    for line in text.splitlines():
        _, path, _, _, _, data = line.split(" ")
        if path.startswith("Maildir/new/"):
            new.append(bytes.fromhex(data))
        elif path == "Mailbox":
            mbox = bytes.fromhex(data)
    whole = [DELIVERED + body for body in home.bodies]
    known = whole + [DELIVERED + body for body in home.killed]
    wrong += ["a part of a message is in new" for file in new if file not in known]
    said = [i for i in range(ended) if home.codes[i] == 0]
    if home.is_maildir:
        wrong += ["message %d was delivered and is lost" % i for i in said
                  if new.count(whole[i]) != 1]
    elif said and not mbox.startswith(final_mbox[:home.sizes[said[-1]]]):
        wrong.append("message %d was delivered and is lost" % said[-1])
    elif not mbox.startswith(OLD_MBOX if home.old else b""):
        wrong.append("older mail is lost")
    return wrong


def explore_mailboxes(home, states, enough=20):
    outcome, results, final = Outcome(), {}, home.mbox()
    ends = [event[0] for event in read_events(home.oplog) if event[1] == EXIT]
    extra = len(ends) - len(home.bodies)  # of one that was killed while it ended
    assert extra in (0, len(home.killed))
    ends = ends[extra:]
    for row in run_driver(home, DRIVER, states, ("-p", "-b", home.before)):
        if row[0] == "result":
            results[row[1]] = row[2]
        elif row[0] == "state":
            ended = sum(1 for end in ends if end <= row[1])
            for text in judge_mailboxes(results[row[2]], ended, home, final):
                outcome.wrong.append("%s [recover_states -p -b %s -s %s -r %s %s]" % (
                    text, home.before, SEED, row[3], home.oplog))
        else:
            (outcome.built, outcome.different, outcome.cuts, outcome.complete,
             outcome.second) = row[1:]
        if len(outcome.wrong) >= enough:
            break
    return outcome


CASES = {  # name: .qmail, is there an old mbox
    "maildir": ("./Maildir/\n", False),
    "new mbox": ("./Mailbox\n", False),
    "old mbox": ("./Mailbox\n", True),
}


def deliveries(path, case, programs=None, fault=None, kill=None):
    """Three of them; the second one meets the fault. With kill there is one before
    them, which is killed behind its operation of that number."""
    home = Mailboxes(path, *CASES[case], programs)
    if kill is not None:
        home.kill = "qmail-local %d" % kill
        home.deliver(body_of(b"killed", 300))
        home.kill = None
    home.deliver(body_of(b"one", 700))
    home.deliver(body_of(b"two", 9000), fault)
    home.deliver(body_of(b"three", 200))
    return home
