"""The works: each puts one load on one fresh peer and returns what came of it,
{metric: number}. `size` scales the counts."""

import contextlib
import os
import subprocess
import tempfile
import threading
import time

import cell
import measure
import peers
from calls import count_calls

SENDER = "sender@elsewhere.example"
BODY_BYTES = 4096
SESSIONS = 20
DEAD, FAR = "dead.example", "far.example"
FAST_HOSTS = 20
SLOW_MS = 1000
DRAIN_S = 40         # who has not drained by then is judged by what he has
FLUSH_AGAIN_S = 10
QUIET_S = 40         # so long may first tries take beyond the accepting
SLOW_S = 60          # who has not delivered the rest by then, likewise


class Work:
    """name, what it is, its metrics {name: (unit, is more better)}, the main one
    first; peers: of which it makes sense. once: servers for which one round has
    to do, because they take minutes or hardly differ from round to round."""

    name = what = ""
    metrics = {}
    peers = ("cqmail", "postfix", "opensmtpd")
    once = ()
    limit_s = 900

    def __init__(self, bench):
        self.bench = bench

    def size(self, count, least=1):
        return max(least, count // self.bench.divide)

    def run(self, name):
        """One measurement; the peer is made and removed here."""
        raise NotImplementedError

    @contextlib.contextmanager
    def peer(self, name, routes=None, **start):
        it = peers.PEERS[name](self.bench, routes)
        try:
            it.start(**start)
            os.sync()  # what the last one left must not be on our account
            yield it
        finally:
            it.remove()

    def source_argv(self, port, recipient, count, sessions=SESSIONS, reuse=False):
        return [self.bench.smtp_source, *(["-d"] if reuse else []),
                "-s", str(min(sessions, count)), "-m", str(count), "-l", str(BODY_BYTES),
                "-f", SENDER, "-t", recipient, f"127.0.0.1:{port}"]

    def source(self, *args, **more):
        """Sends to the end; returns the seconds that it took."""
        start = time.monotonic()
        subprocess.run(self.source_argv(*args, **more), check=True, timeout=self.limit_s,
                       env=self.bench.source_env, stdout=subprocess.DEVNULL)
        return time.monotonic() - start

    def warm(self, it):
        """Its processes exist and its caches are filled."""
        count = self.size(100, 5)
        self.source(it.port, it.recipient(), count, sessions=4, reuse=True)
        self.wait_files(it, count)
        it.clean_maildir()

    def rates(self, start, took, count, arrived):
        """Until all are there; SLOW_S after the last was accepted it is over."""
        end = start + took + SLOW_S
        while arrived() < count and time.monotonic() < end:
            time.sleep(0.01)
        there = min(count, arrived())
        result = {"accepted_per_s": count / took,
                  "delivered_per_s": there / (time.monotonic() - start)}
        if there < count:
            result["not_delivered"] = count - there
        return result

    def wait_files(self, it, count):
        return measure.wait_until(lambda: it.delivered() >= count, self.limit_s,
                                  f"{count} messages in the Maildir")


# ---- messages in, messages out ------------------------------------------------

RATES = {"delivered_per_s": ("/s", True), "accepted_per_s": ("/s", True),
         "cpu_ms": ("ms", False)}


class Smtp(Work):
    name = "smtp"
    what = "5,000 messages of 4 KiB over SMTP to one Maildir, a connection each, 20 at a time"
    metrics = RATES
    reuse = False
    count = 5000

    def run(self, name):
        with self.peer(name) as it:
            self.warm(it)
            count = self.size(self.count, 20)
            sessions = SESSIONS if self.reuse else it.accept_sessions
            meter = measure.Meter(it)
            took = self.source(it.port, it.recipient(), count, sessions, self.reuse)
            return {**self.rates(meter.start, took, count, it.delivered), **meter.stop(count)}


class SmtpReuse(Smtp):
    name = "smtp-reuse"
    what = "the same over 20 connections that are kept"
    reuse = True


class Relay(Work):
    name = "relay"
    what = "5,000 messages of 4 KiB over SMTP to one other host, a connection each"
    metrics = RATES
    reuse = False
    count = 5000

    def run(self, name):
        sink = measure.Sink(self.bench.load, self.bench.work)
        try:
            with self.peer(name, {FAR: sink.place}) as it:
                self.source(it.port, f"user@{FAR}", 5, 4, True)
                measure.wait_until(lambda: sink.messages >= 5, self.limit_s, "the sink")
                count, before = self.size(self.count, 20), sink.messages
                sessions = SESSIONS if self.reuse else it.accept_sessions
                meter = measure.Meter(it)
                took = self.source(it.port, f"user@{FAR}", count, sessions, self.reuse)
                return {**self.rates(meter.start, took, count,
                                     lambda: sink.messages - before),
                        "sessions_max": sink.open_max, **meter.stop(count)}
        finally:
            sink.close()


class RelayReuse(Relay):
    name = "relay-reuse"
    what = "the same, accepted over 20 connections that are kept"
    reuse = True


class Inject(Work):
    name = "inject"
    what = "1,000 runs of sendmail by an ordinary user, 8 at a time, to one Maildir"
    metrics = RATES
    count = 1000

    def run(self, name):
        count = self.size(self.count, 8)
        with self.peer(name) as it, tempfile.NamedTemporaryFile(dir=self.bench.work) as file:
            self.warm(it)
            file.write(b"Subject: local\n\n" + (b"x" * 63 + b"\n") * (BODY_BYTES // 64))
            file.flush()
            os.chmod(file.name, 0o644)
            meter = measure.Meter(it)
            process = it.as_writer([self.bench.load, "spawn", 8, count, file.name,
                                    it.sendmail, "-i", "-f", SENDER, it.recipient()])
            if process.wait(self.limit_s) != 0:
                raise RuntimeError(f"sendmail of {name} fails")
            took = time.monotonic() - meter.start
            end = self.wait_files(it, count)
            return {"accepted_per_s": count / took,
                    "delivered_per_s": count / (end - meter.start), **meter.stop(count)}


class ListRemote(Work):
    name = "list-remote"
    what = "one message of 4 KiB with 10,000 recipients at one other host"
    metrics = {"seconds": ("s", False), "accept_s": ("s", False), "cpu_ms": ("ms", False)}
    count = 10000

    def run(self, name, count=None):
        count = count or self.size(self.count, 20)
        sink = measure.Sink(self.bench.load, self.bench.work)
        try:
            with self.peer(name, {FAR: sink.place}) as it:
                meter = measure.Meter(it)
                measure.send_list(it.port, SENDER, [f"user{i}@{FAR}" for i in range(count)],
                                  BODY_BYTES, self.limit_s)
                accept = time.monotonic()
                end = measure.wait_until(
                    lambda: sink.recipients >= count and sink.pending == 0, self.limit_s,
                    "the sink")
                return {"accept_s": accept - meter.start, "seconds": end - meter.start,
                        "transactions": sink.messages, "sessions": sink.connections,
                        **meter.stop(count)}
        finally:
            sink.close()


class ListLocal(Work):
    name = "list-local"
    what = "one message of 4 KiB with 2,000 local recipients, one Maildir"
    metrics = {"seconds": ("s", False), "accept_s": ("s", False), "cpu_ms": ("ms", False)}
    count = 2000

    def run(self, name):
        count = self.size(self.count, 20)
        with self.peer(name) as it:
            meter = measure.Meter(it)
            measure.send_list(it.port, SENDER, [it.recipient(i) for i in range(count)],
                              BODY_BYTES, self.limit_s)
            accept = time.monotonic()
            end = self.wait_files(it, count)
            return {"accept_s": accept - meter.start, "seconds": end - meter.start,
                    **meter.stop(count)}


# ---- beside a backlog ----------------------------------------------------------

class Backlog(Work):
    name = "backlog"
    what = ("20,000 messages for a host that refuses connections: new local mail meanwhile,"
            " memory, and the drain when the host is back")
    metrics = {"first_tries_worst_ms": ("ms", False), "first_tries_median_ms": ("ms", False),
               "accepting_worst_ms": ("ms", False),
               "manager_kib": ("KiB", False), "backlog_kib": ("KiB", False),
               "drain_per_s": ("/s", True), "accepted_per_s": ("/s", True)}
    once = ("opensmtpd",)
    limit_s = 1800
    count = 20000
    probes = 30

    def run(self, name):
        dead = measure.held_port()
        sink = None
        try:
            port = dead.getsockname()[1]
            with self.peer(name, {DEAD: dead.getsockname()}) as it:
                result, count = self.fill(it)
                dead.close()
                sink = measure.Sink(self.bench.load, self.bench.work, port)
                result.update(self.drain(it, sink, count))
                return result
        finally:
            dead.close()
            if sink:
                sink.close()

    def fill(self, it):
        self.warm(it)
        empty = measure.pss_kib(it.manager_pids())
        count = self.size(self.count, 20)
        took, worst = self.accept(it, count)
        meanwhile = measure.probes(it, self.size(self.probes, 3))
        measure.wait_quiet(it, QUIET_S)
        manager = measure.pss_kib(it.manager_pids())
        return {"accepted_per_s": count / took, "manager_kib": manager,
                "accepting_worst_ms": worst,
                "backlog_kib": manager - empty,
                **{"first_tries_" + k: v for k, v in meanwhile.items()}}, count

    def accept(self, it, count):
        """Seconds that the load took, and the worst probe meanwhile."""
        worst, seconds = [0.0], []
        sending = threading.Thread(target=lambda: seconds.append(self.source(
            it.port, f"user@{DEAD}", count, reuse=True)))
        sending.start()
        try:
            while sending.is_alive():
                worst.append(measure.probe_ms(it, self.limit_s))
                time.sleep(0.1)
        finally:
            sending.join()
        if not seconds:
            raise RuntimeError("smtp-source failed")
        return seconds[0], max(worst)

    def drain(self, it, sink, count):
        """Told to try now, and told again whenever nothing has come for some
        seconds: what is under way at that moment may be scheduled late."""
        start = last = time.monotonic()
        before = 0
        it.flush()
        while sink.messages < count and time.monotonic() < start + DRAIN_S:
            if sink.messages > before:
                before, last = sink.messages, time.monotonic()
            elif time.monotonic() > last + FLUSH_AGAIN_S:
                it.flush()
                last = time.monotonic()
            time.sleep(0.005)
        drained = sink.messages
        result = {"drain_per_s": drained / (time.monotonic() - start)}
        if drained < count:
            result["not_drained"] = count - drained
        return result


class Backlog50k(Backlog):
    name = "backlog-50k"
    what = ("new local mail beside 50,000 messages for a dead host that have been tried, and"
            " after a restart with them")
    metrics = {"worst_ms": ("ms", False), "median_ms": ("ms", False),
               "restart_s": ("s", False), "manager_kib": ("KiB", False),
               "bytes_per_message": ("B", False)}
    once = Work.peers
    count = 50000

    def run(self, name):
        with measure.held_port() as dead:
            with self.peer(name, {DEAD: dead.getsockname()}) as it:
                result, count = self.fill(it)
                found = {"manager_kib": result["manager_kib"],
                         "bytes_per_message": result["backlog_kib"] * 1024 / count,
                         **measure.probes(it, self.size(self.probes, 3))}
                it.stop()
                start = time.monotonic()
                it.start()
                self.first_probe(it)
                found["restart_s"] = time.monotonic() - start
                return found


    def first_probe(self, it):
        """A server that is still recovering may refuse for the moment."""
        end = time.monotonic() + self.limit_s
        while True:
            try:
                return measure.probe_ms(it, self.limit_s)
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)


class Queued100k(Backlog50k):
    name = "queued-100k"
    what = "the same with 100,000"
    peers = ("cqmail",)
    count = 100000


class SlowHost(Work):
    name = "slow-host"
    what = ("4,000 messages for 20 hosts that answer at once, beside 1,000 for one that"
            " takes a second for each answer")
    metrics = {"fast_per_s": ("/s", True)}
    once = ("opensmtpd",)
    each, slow = 200, 1000

    def run(self, name):
        sinks = []
        try:
            # addresses of their own: some servers count connections by address
            for i in range(FAST_HOSTS + 1):
                sinks.append(measure.Sink(
                    self.bench.load, self.bench.work, address=f"127.0.1.{i + 1}",
                    delay_ms=SLOW_MS if i == FAST_HOSTS else 0))
            routes = {f"host{i}.example": s.place for i, s in enumerate(sinks)}
            with self.peer(name, routes) as it:
                return self.load(it, sinks)
        finally:
            for sink in sinks:
                sink.close()

    def load(self, it, sinks):
        each = self.size(self.each, 2)
        counts = [each] * FAST_HOSTS + [self.size(self.slow, 10)]
        start = time.monotonic()
        # the slow host's mail comes first: it may take every place there is
        order = [FAST_HOSTS, *range(FAST_HOSTS)]
        with contextlib.ExitStack() as stack:
            sources = [stack.enter_context(subprocess.Popen(
                self.source_argv(it.port, f"user@host{i}.example", counts[i], 1, True),
                env=self.bench.source_env, stdout=subprocess.DEVNULL)) for i in order]
            wanted = FAST_HOSTS * each
            while (arrived := sum(min(each, s.messages) for s in sinks[:FAST_HOSTS])) < wanted \
                    and time.monotonic() < start + SLOW_S:
                time.sleep(0.01)
            took = time.monotonic() - start
            for source in sources:
                source.kill()
        result = {"fast_per_s": arrived / took}
        if arrived < wanted:
            result["not_delivered"] = wanted - arrived
        return result


# ---- memory, reading, counts ---------------------------------------------------

class Idle(Work):
    name = "idle"
    what = "memory (PSS) of all processes: fresh, after some mail, and with 200 idle SMTP sessions"
    metrics = {"idle_kib": ("KiB", False), "warm_kib": ("KiB", False),
               "session_kib": ("KiB", False)}
    count = 200

    def run(self, name):
        with self.peer(name) as it:
            fresh = measure.pss_kib(it.pids())
            self.warm(it)
            count = self.size(self.count, 5)
            with contextlib.ExitStack() as stack:
                measure.wait_quiet(it, 30)
                warm = measure.pss_kib(it.pids())
                for _ in range(count):
                    stack.enter_context(measure.smtp(it.port))
                full = measure.pss_kib(it.pids())
            return {"idle_kib": fresh, "warm_kib": warm, "session_kib": (full - warm) / count}


class Pop3(Work):
    name = "pop3"
    what = ("50 POP3 clients at a time on a Maildir of 10,000 messages: STAT, LIST, UIDL and"
            " 100 messages each")
    metrics = {"seconds": ("s", False), "cpu_ms": ("ms", False)}
    peers = ("cqmail", "dovecot")
    clients, count, retrieve = 50, 10000, 100

    def run(self, name):
        clients = self.size(self.clients, 2)
        retrieve = self.size(self.retrieve, 2)
        it = {**peers.PEERS, "dovecot": peers.Dovecot}[name](self.bench)
        try:
            self.fill(it.maildir / "cur", max(self.size(self.count), clients * retrieve))
            it.set_password(self.bench.password_hash)
            it.start(pop3=True)
            os.sync()
            meter = measure.Meter(it)
            subprocess.run([str(a) for a in (
                self.bench.load, "pop3", it.pop3_port, cell.USER, "secret", clients,
                retrieve)], check=True, timeout=self.limit_s, stdout=subprocess.DEVNULL)
            seconds = time.monotonic() - meter.start
            return {"seconds": seconds, **meter.stop(clients)}
        finally:
            it.remove()

    def fill(self, directory, count):
        text = b"Subject: stored\n\n" + (b"x" * 63 + b"\n") * (BODY_BYTES // 64)
        owner = directory.stat()
        for i in range(count):
            path = directory / f"{1600000000 + i}.{i}.bench:2,"
            path.write_bytes(text)
            os.chown(path, owner.st_uid, owner.st_gid)


class Calls(Work):
    name = "calls"
    what = ("what a message costs on the way of the first line, counted by strace: 300 messages,"
            " a connection each")
    metrics = {"calls": ("", False), "fsyncs": ("", False), "forks": ("", False),
               "execs": ("", False)}
    once = Work.peers
    count = 300  # so that the starts of what is kept hardly count
    reuse = False

    def run(self, name):
        with self.peer(name) as it:
            self.source(it.port, it.recipient(), 40, 4, True)
            self.wait_files(it, 40)
            it.clean_maildir()
            count = max(20, self.size(self.count))
            sessions = SESSIONS if self.reuse else it.accept_sessions
            with count_calls(it.pids(), self.bench.work) as counted:
                self.source(it.port, it.recipient(), count, sessions, self.reuse)
                self.wait_files(it, count)
                time.sleep(1)  # what is done after the delivery counts too
            return counted.a_message(count)


class CallsReuse(Calls):
    name = "calls-reuse"
    what = "the same over connections that are kept"
    reuse = True


class Raw(Work):
    """The machine itself, in the same run; its results are nobody's."""

    name = "raw"
    what = "the machine: journal records in batches of 20, files as in a Maildir, programs"
    metrics = {"journal_per_s": ("/s", True), "journal_20_per_s": ("/s", True),
               "maildir_per_s": ("/s", True), "maildir_20_per_s": ("/s", True),
               "exec_per_s": ("/s", True)}
    peers = ("machine",)

    def run(self, name):
        seconds = 1 if self.bench.divide > 1 else 2
        with tempfile.TemporaryDirectory(dir=self.bench.work) as place:
            return {key: self.rate(what, place, seconds, processes)
                    for key, what, processes in (
                        ("journal_per_s", "journal", 1), ("journal_20_per_s", "journal", 20),
                        ("maildir_per_s", "maildir", 1), ("maildir_20_per_s", "maildir", 20),
                        ("exec_per_s", "exec", 1))}

    def rate(self, what, place, seconds, processes):
        done = subprocess.run([str(self.bench.load), "raw", what, place, str(seconds),
                               str(processes)], check=True, timeout=120,
                              stdout=subprocess.PIPE, text=True)
        return float(done.stdout.split()[1])


class Curve(Work):
    """Cost must grow linearly."""

    name = "curve"
    what = "growth: messages queued for a dead host, recipients at one host"
    metrics = {}
    peers = once = ("cqmail",)
    limit_s = 3600
    queued, recipients = (1000, 10000, 100000), (1, 100, 10000, 100000)

    def run(self, name):
        found = {}
        for count in self.queued + ((1000000,) if self.bench.million else ()):
            for key, value in self.beside(name, count).items():
                found[f"queued-{self.size(count, 20)}:{key}"] = value
        for count in self.recipients:
            count = self.size(count)
            done = ListRemote(self.bench).run(name, count)
            for key in ("seconds", "accept_s", "cpu_ms"):
                found[f"recipients-{count}:{key}"] = done[key]
        return found

    def beside(self, name, count):
        """Backlog50k with another count, if no work of this run was the same."""
        known = self.bench.known.get((Queued100k.name, name))
        if known and count == Queued100k.count:
            return known
        work = Backlog50k(self.bench)
        work.count, work.limit_s = count, self.limit_s
        return work.run(name)


ALL = {w.name: w for w in (
    Raw, Smtp, SmtpReuse, Relay, RelayReuse, Inject, ListRemote, ListLocal, Backlog,
    Backlog50k, Queued100k, SlowHost, Idle, Pop3, Calls, CallsReuse, Curve)}
