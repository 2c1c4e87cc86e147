"""cut_power.py - records a run on a file system, and recovers from what cuts leave of it

Runs as root in a mount and process namespace of its own (test_power_cuts_on_disks.py
starts it): when it ends, in whatever way, all that it has mounted and started
goes with it. Prints one JSON object.
"""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("../system", "../crash", "."):
    sys.path.insert(0, os.path.join(HERE, folder))

CANNOT = 77
# btrfs trusts the disk to write its first superblock whole, as it has no other with what
# was synced last.
BTRFS_SUPERBLOCK = 64 << 10
# name: (kind, size in MiB, how it is made, mount options)
FILE_SYSTEMS = {
    "ext4": ("ext4", 64, ["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"], ""),
    "ext4 journals data": ("ext4", 64, ["-q", "-F"], "data=journal"),
    "ext4 orders nothing": ("ext4", 64, ["-q", "-F"], "data=writeback,noauto_da_alloc"),
    "xfs": ("xfs", 320, ["-q", "-f"], ""),
    "btrfs": ("btrfs", 128, ["-q", "-f", "-m", "single", "-d", "single"], ""),
}

PACKAGES = {"ext4": "e2fsprogs", "xfs": "xfsprogs", "btrfs": "btrfs-progs"}


def command(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
                          stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()


def need(*words):
    code, text = command(*words)
    assert code == 0, "%s: %s" % (" ".join(words), text)


def cannot(why):
    print(json.dumps({"cannot": why}), flush=True)
    os._exit(CANNOT)


def end_with_parent(limit_s):
    """Nothing outlives the test, nor its time."""
    def watch():
        while os.read(0, 100):
            pass
        os._exit(1)
    threading.Thread(target=watch, daemon=True).start()
    signal.signal(signal.SIGALRM, lambda *_: os._exit(3))
    signal.alarm(limit_s)


class Place:
    """Where it all happens: a tmpfs that goes with the namespace."""

    def __init__(self, path, name):
        self.kind, self.mib, self.make, self.options = FILE_SYSTEMS[name]
        self.whole = [BTRFS_SUPERBLOCK] if self.kind == "btrfs" else []  # is never torn
        code, text = command("mount", "-t", "tmpfs", "-o", "size=3g,mode=755", "none", path)
        if code != 0:
            cannot("no tmpfs: " + text)
        for folder in ("fuse", "disk", "logs"):
            os.mkdir(os.path.join(path, folder))
        os.chmod(os.path.join(path, "logs"), 0o777)
        self.path = path
        self.base, self.log = self.at("base"), self.at("log")
        self.served = self.at("served")
        self.mounted = self.at("disk")

    def at(self, name):
        return os.path.join(self.path, name)

    def make_base(self):
        if not shutil.which("mkfs." + self.kind):
            cannot("mkfs.%s is missing: apt-get install %s" % (self.kind, PACKAGES[self.kind]))
        with open(self.base, "wb") as file:
            file.truncate(self.mib << 20)
        need("mkfs." + self.kind, *self.make, self.base)
        need("fallocate", "--dig-holes", self.base)

    def mount(self, image):
        """On a loop device that is free again once it is unmounted."""
        options = "loop" + ("," + self.options if self.options else "")
        return command("mount", "-t", self.kind, "-o", options, image, self.mounted)

    def unmount(self):
        deadline = time.monotonic() + 60
        while True:
            code, text = command("umount", self.mounted)
            if code == 0:
                return
            assert time.monotonic() < deadline, text
            time.sleep(0.01)  # who was killed may still be there


def try_it(place):
    """A machine may have no loop devices, or not let us use them."""
    code, text = place.mount(place.base)
    if code != 0:
        cannot("no %s on a loop device: %s" % (place.kind, text))
    os.chmod(place.mounted, 0o755)
    place.unmount()


def record(place, recorder, options):
    from disks import Position, copy_sparse
    copy_sparse(place.base, place.served)
    server = subprocess.Popen([recorder, place.at("fuse"), place.served, place.log],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    line = server.stdout.readline()
    if line != b"ready\n":
        if server.wait() == CANNOT:
            cannot("no FUSE: " + line.decode().strip())
        raise AssertionError(line)
    code, text = place.mount(place.at("fuse/disk"))
    assert code == 0, text
    import workload
    position = Position(place.log)
    tempfile.tempdir = place.mounted
    one = workload.make_home()
    one.logs = type(one.logs)(place.at("logs"))
    need("sync", "-f", place.mounted)
    start = position.now()
    run = workload.Run(one, position)
    run.record(options.letters, options.deliveries)
    end = position.now()
    place.unmount()
    need("umount", place.at("fuse"))
    assert server.wait(60) == 0
    return run, start, end


def one_disk(place, run, image, cut, deliver):
    """What is wrong with it."""
    import workload
    code, text = place.mount(image)
    if code != 0:
        return ["the file system cannot be mounted: " + text]
    wrong = []
    try:
        wrong += run.judge_mailboxes(cut)
        run.one.start_queued(*workload.QUEUED)
        wrong += run.judge(cut)
        if deliver and not wrong:
            wrong += run.deliver_all(cut)
    except (AssertionError, KeyError, ValueError, OSError, IndexError) as error:
        wrong.append("recovery: %r" % error)
    finally:
        left = run.one.stop()
        if left:
            wrong.append("did not end: %r" % left)
        place.unmount()
    return wrong


def explore(place, run, start, end, options):
    from disks import Cuts, choose_cuts, read_log
    records = read_log(place.log)
    check_record(place, records)
    records = records[:end]
    cuts = Cuts(place.base, records, place.at("durable"), place.whole)
    report = {"writes": sum(1 for r in records if r[1] is not None),
              "flushes": sum(1 for r in records if r[1] is None),
              "disks": 0, "delivered": 0, "promises": 0, "wrong": []}
    chosen = choose_cuts(records, start, options.disks, random.Random(options.seed))
    for number, cut in enumerate(chosen):
        rng = random.Random("%d %d" % (options.seed, number))
        how = cuts.build(cut, rng, place.at("cut"))
        deliver = rng.random() < options.deliver
        wrong = one_disk(place, run, place.at("cut"), cut, deliver)
        report["disks"] += 1
        report["delivered"] += deliver
        report["promises"] += run.promises(cut)
        report["wrong"] += ["cut behind record %d of %d, %s: %s" % (cut, end, how, text)
                            for text in wrong]
        if wrong and options.keep and not os.path.exists(options.keep):
            os.mkdir(options.keep)
            image = os.path.join(options.keep, "image")
            again = random.Random("%d %d" % (options.seed, number))
            Cuts(place.base, records, place.at("again"), place.whole).build(cut, again, image)
            report["wrong"].append("the first of these is kept in " + image)
        if len(report["wrong"]) >= options.enough:
            break
    return report


def check_record(place, records):
    """It has no hole: it ends in the disk that was served."""
    from disks import copy_sparse
    whole = place.at("whole")
    copy_sparse(place.base, whole)
    with open(whole, "r+b") as file:
        for offset, data in records:
            if data is not None:
                os.pwrite(file.fileno(), data, offset)
    need("cmp", whole, place.served)
    os.unlink(whole)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("recorder")
    parser.add_argument("place")
    parser.add_argument("--fs", default="ext4", choices=FILE_SYSTEMS)
    parser.add_argument("--disks", type=int, default=20)
    parser.add_argument("--letters", type=int, default=48)
    parser.add_argument("--deliveries", type=int, default=8)
    parser.add_argument("--deliver", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--enough", type=int, default=5)
    parser.add_argument("--limit", type=int, default=600)
    parser.add_argument("--keep", help="a directory for the first disk that is wrong")
    options = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # where mkfs is
    end_with_parent(options.limit)
    place = Place(options.place, options.fs)
    place.make_base()
    try_it(place)
    began = time.monotonic()
    run, start, end = record(place, options.recorder, options)
    recorded = time.monotonic()
    report = explore(place, run, start, end, options)
    report["seconds"] = [round(recorded - began, 1), round(time.monotonic() - recorded, 1)]
    print(json.dumps(report), flush=True)
    os._exit(0)


main()
