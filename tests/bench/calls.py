"""System calls, by program: strace on all processes of a peer."""

import contextlib
import re
import signal
import subprocess
import time
from collections import Counter, defaultdict
from pathlib import Path

LINE = re.compile(rb"^\d+<([^>]*)> (\w+)\(")
FAILED_EXEC = re.compile(rb"execve\(.*= -1 ")
SYNCS = {"fsync", "fdatasync", "sync_file_range", "syncfs", "sync"}
FORKS = {"fork", "vfork", "clone", "clone3"}


class Counted:
    """by[program][call] is how often it was called."""

    def __init__(self):
        self.by = defaultdict(Counter)

    def read(self, path):
        with open(path, "rb") as lines:
            for line in lines:
                found = LINE.match(line)
                if found and not FAILED_EXEC.search(line):
                    program, call = (g.decode("latin-1") for g in found.groups())
                    self.by[program][call] += 1

    def a_message(self, count):
        def sum_of(names):
            return sum(n for calls in self.by.values() for c, n in calls.items()
                       if c in names) / count
        return {"calls": sum(sum(c.values()) for c in self.by.values()) / count,
                "fsyncs": sum_of(SYNCS), "forks": sum_of(FORKS), "execs": sum_of({"execve"}),
                "by": {program: {c: n / count for c, n in calls.most_common()}
                       for program, calls in sorted(self.by.items())}}


def is_traced(pid):
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/status").read_text()
        return not re.search(r"(?m)^TracerPid:\s+0$", text)
    return True  # it has ended


@contextlib.contextmanager
def count_calls(pids, directory):
    """Counts the calls of these processes and of all that they start."""
    file = Path(directory) / f"strace.{time.monotonic_ns()}"
    counted = Counted()
    tracer = subprocess.Popen(
        ["strace", "-f", "-Y", "-q", "-s", "0", "-e", "signal=none", "-o", str(file),
         *(f"-p{pid}" for pid in pids)], start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 30
        while not all(is_traced(p) for p in pids):
            if tracer.poll() is not None or time.monotonic() > end:
                raise RuntimeError("strace cannot attach")
            time.sleep(0.01)
        yield counted
    finally:
        if tracer.poll() is None:
            tracer.send_signal(signal.SIGINT)
        tracer.wait(60)
    counted.read(file)
    file.unlink()
