"""After a power cut at any point of a real file system: what was accepted or delivered
is there, whole, and the rest can be delivered.

A run is recorded below the file system, write by write; disks as a cut may leave them
are mounted, and the programs started on them (cut_power.py). CRASH_DISKS is how many
disks there are in all, CRASH_SEED chooses them.
"""
import json
import os
import shutil
import subprocess
import tempfile

import pytest

import crashlib
import plants
from crashlib import TOP, complain

RECORDER = os.path.join(TOP, "build/dynamic/recorded_disk")
DISKS = int(os.environ.get("CRASH_DISKS", "50"))
SEED = os.environ.get("CRASH_SEED", "1")
LIMIT_S = 300 + 3 * DISKS
NAMESPACE = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork",
             "--kill-child", "--mount-proc"]
CANNOT = 77

SHARES = {"ext4": 40, "xfs": 20, "btrfs": 15, "ext4 journals data": 10,
          "ext4 orders nothing": 15}  # percent
# What no file system forgives. The others of tests/crash/plants are hidden on most by a
# journal that writes names in order, and beside any file that is synced.
PLANTS = ["acknowledge-before-sync", "maildir-unsynced-name", "no-sync-of-the-batch",
          "segment-reused-early", "maildir-unsynced-file", "mbox-unsynced"]
if DISKS < 500:  # a sample
    SHARES = {"ext4": 60, "xfs": 40}
    PLANTS = PLANTS[:2]


@pytest.fixture
def place(request):
    """A directory that everybody can enter; what is mounted in it is gone by itself."""
    path = tempfile.mkdtemp(prefix="cqmail-disk-")
    request.addfinalizer(lambda: shutil.rmtree(path))
    os.chmod(path, 0o755)
    os.mkdir(os.path.join(path, "mnt"))
    return path


def cut_power(place, *options, programs=None):
    """The report; skips if this machine cannot do it."""
    able = subprocess.run([*NAMESPACE, "true"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if able.returncode != 0:
        pytest.skip("no namespaces: " + able.stdout.decode().strip())
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "CQMAIL_BIN": programs or crashlib.BIN}
    # it ends with its standard input: so nothing outlives us
    with subprocess.Popen(
            [*NAMESPACE, "/usr/bin/python3", os.path.join(TOP, "tests/disk/cut_power.py"),
             RECORDER, os.path.join(place, "mnt"), "--seed", SEED, "--limit", str(LIMIT_S),
             *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as process:
        text = process.stdout.read()
        code = process.wait()
    report = json.loads(text) if code in (0, CANNOT) else {}
    if code == CANNOT:
        pytest.skip(report["cannot"])
    assert code == 0, "cut_power.py ended with %d: %s" % (code, text)
    return report


@pytest.mark.parametrize("name", SHARES)
def test_what_was_promised_is_on_the_disk(place, record_property, name):
    disks = max(DISKS * SHARES[name] // 100, 5)
    report = cut_power(place, "--fs", name, "--disks", str(disks), "--keep", place + "-kept")
    print("%s: %s" % (name, report))
    complain(report["wrong"])
    record_property("disks mounted", report["disks"])
    record_property("promises found kept", report["promises"])
    assert report["disks"] == disks
    assert report["flushes"] > 50 and report["promises"] > disks


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_found_on_a_disk(place, name):
    work = os.path.join(place, "plant")
    os.mkdir(work)
    plant = plants.build(name, work)
    programs = os.path.join(place, "bin")
    shutil.copytree(crashlib.BIN, programs, symlinks=True)
    for program in os.listdir(plant.bin):
        if program.startswith("qmail-"):
            shutil.copy(os.path.join(plant.bin, program), programs)
    # not each order of processes shows each bug
    for seed in range(5):
        report = cut_power(place, "--disks", "100", "--enough", "1", "--seed", str(seed),
                           programs=programs)
        if report["wrong"]:
            break
    assert report["wrong"], "%s is not found: %s" % (name, report)
    print(report["disks"], report["wrong"][0])
