"""Disks after a power cut: a recorded run, and what it may have left at each point.

recorded_disk.c writes the log. A cut after some record leaves all that stands
before the last flush; of the writes behind it each may be there, not there, or
there in part, in sectors of 512 bytes, in any combination.
"""
import mmap
import os
import struct

SECTOR = 512
HEAD = struct.Struct("<QQ")


class Position:
    """How many records a log has by now; the recorder goes on writing it."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.map = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)

    def now(self):
        return struct.unpack("<Q", self.map[:8])[0]


def read_log(path):
    """[(offset, data)], a flush being (0, None)."""
    records = []
    with open(path, "rb") as file:
        (count,) = struct.unpack("<Q", file.read(8))
        for _ in range(count):
            offset, size = HEAD.unpack(file.read(HEAD.size))
            records.append((offset, file.read(size) if size else None))
    return records


def copy_sparse(source, target):
    """Only what is not a hole; both are new to nobody else."""
    with open(source, "rb") as one, open(target, "wb") as two:
        end = os.fstat(one.fileno()).st_size
        two.truncate(end)
        at = 0
        while at < end:
            try:
                start = os.lseek(one.fileno(), at, os.SEEK_DATA)
            except OSError:  # ENXIO: a hole up to the end
                return
            at = os.lseek(one.fileno(), start, os.SEEK_HOLE)
            os.lseek(two.fileno(), start, os.SEEK_SET)
            os.lseek(one.fileno(), start, os.SEEK_SET)
            while start < at:
                start += os.sendfile(two.fileno(), one.fileno(), None, at - start)


class Cuts:
    """The disks of a log. Cuts must be asked for in growing order."""

    def __init__(self, base, records, path, whole):
        self.records = records
        self.whole = whole  # a write at one of these offsets is never torn
        self.path = path  # what is durable before the cut
        copy_sparse(base, self.path)
        with open(self.path, "r+b") as file:
            self.durable = mmap.mmap(file.fileno(), 0)
        self.done = 0  # of the records, so many are in it

    def build(self, cut, rng, target):
        """Makes the image; returns what was chosen, in words."""
        flushes = [i for i in range(self.done, cut) if self.records[i][1] is None]
        if flushes:
            for offset, data in self.records[self.done:flushes[-1]]:
                if data is not None:
                    self.durable[offset:offset + len(data)] = data
            self.done = flushes[-1] + 1
        pending = self.records[self.done:cut]
        copy_sparse(self.path, target)
        kept, how = choose_writes(len(pending), rng)
        tears = rng.random() < 0.4
        with open(target, "r+b") as file:
            for index in kept:
                tear = tears and pending[index][0] not in self.whole
                for offset, data in pieces(*pending[index], rng if tear else None):
                    os.pwrite(file.fileno(), data, offset)
        return "%d of %d unflushed writes (%s%s)" % (
            len(kept), len(pending), how, ", torn" if tears else "")


def choose_writes(count, rng):
    """Which of the writes are there; and the name of the way."""
    everything = list(range(count))
    dice = rng.random()
    if dice < 0.08 or count == 0:
        return [], "none"
    if dice < 0.2:
        return everything, "all"
    if dice < 0.35:
        everything.remove(rng.randrange(count))
        return everything, "all but one"
    if dice < 0.45:
        return [rng.randrange(count)], "one"
    share = rng.choice((0.2, 0.5, 0.8))
    return [i for i in everything if rng.random() < share], "some"


def pieces(offset, data, rng):
    """The parts of a write that reach the disk: all of it, if rng is None."""
    sectors = len(data) // SECTOR
    if rng is None or sectors < 2 or rng.random() < 0.5:
        return [(offset, data)]
    middle = rng.randrange(1, sectors) * SECTOR
    way = rng.randrange(3)
    if way == 0:
        return [(offset, data[:middle])]
    if way == 1:
        return [(offset + middle, data[middle:])]
    return [(offset + i * SECTOR, data[i * SECTOR:(i + 1) * SECTOR])
            for i in range(sectors) if rng.random() < 0.5]


def choose_cuts(records, start, count, rng):
    """Growing numbers of records: half of them just before a flush has ended, where
    most is open, the others anywhere behind start."""
    ends = [i for i in range(start, len(records)) if records[i][1] is None]
    before = [rng.choice(ends) for _ in range(count // 2)]
    return sorted(before + [rng.randrange(start, len(records) + 1)
                            for _ in range(count - len(before))])
