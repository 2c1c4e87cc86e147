"""Planted bugs: patches of src/ in plants/, compiled here, that the model must find.

The first lines of a patch say what is wrong, and which run shows it.
"""
import os
import shutil
import subprocess

import crashlib
import powercut
from crashlib import TOP

PLANTS = os.path.join(TOP, "tests/crash/plants")
FLAVOUR = os.path.dirname(crashlib.BIN)  # objects and libraries as they are
SHARED = ["lib%s.a" % name for name in ("net", "conf", "mail", "base")]
MODEL = ("recover_states", "recovering", "choices", "disk", "disk_states", "memfs", "tree")
WRAPPED = os.path.join(TOP, "tests/crash/wrapped")


def all_plants():
    return sorted(name[:-6] for name in os.listdir(PLANTS) if name.endswith(".patch"))


class Plant:
    """Programs with one bug."""

    def __init__(self, name, place):
        self.name = name
        with open(os.path.join(PLANTS, name + ".patch")) as f:
            text = f.read()
        self.run = text.split("\nRun: ")[1].split("\n")[0]
        self.files = sorted({line.split("/", 2)[2].split()[0]
                             for line in text.splitlines() if line.startswith("+++ ")})
        self.source = os.path.join(place, "plant")
        self.bin = os.path.join(place, "planted-bin")
        os.makedirs(self.bin)
        for file in self.files:
            target = os.path.join(self.source, "src", file)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(os.path.join(TOP, "src", file), target)
        # git has no use for a repository here, but must find none above either
        command("git", "apply", "-p1", os.path.join(PLANTS, name + ".patch"), cwd=self.source,
                env={**os.environ, "GIT_CEILING_DIRECTORIES": os.path.realpath(place),
                     "GIT_DIR": os.path.join(place, "no-repository")})


def command(*words, **more):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
                          **more)
    assert done.returncode == 0, "%s\n%s" % (" ".join(words), done.stdout.decode("utf-8", "replace"))


def compiler():
    with open(os.path.join(TOP, "conf-cc")) as f:
        return f.readline().split()


def build(name, place):
    """Applies a plant, compiles what it has changed, and links with the rest."""
    plant = Plant(name, place)
    objects = {}
    for file in plant.files:
        objects[file] = os.path.join(place, file.replace("/", ".") + ".o")
        command(*compiler(), "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-I" + TOP + "/src",
                "-I" + os.path.dirname(FLAVOUR), "-c", "-o", objects[file],
                os.path.join(plant.source, "src", file))
    folder = plant.files[0].split("/")[0]
    programs = {"queue": ["qmail-queued", "qmail-clean"], "local": ["qmail-local"]}[folder]
    modules = [o for f, o in objects.items() if "qmail-" not in f]
    libraries = [os.path.join(FLAVOUR, a) for a in ["lib%s.a" % folder] + SHARED]
    for program in programs:
        main = objects.get("%s/%s.c" % (folder, program),
                           os.path.join(FLAVOUR, folder, program + ".o"))
        command(*compiler(), "-o", os.path.join(plant.bin, program), main, *modules, *libraries)
    plant.driver = powercut.DRIVER
    if folder == "queue":
        plant.driver = os.path.join(plant.bin, "recover_states")
        model = [os.path.join(FLAVOUR, "model", m + ".o") for m in MODEL]
        with open(WRAPPED) as f:
            wraps = ["-Wl,--wrap=" + call for call in f.read().split()]
        command(*compiler(), *wraps, "-o", plant.driver, *model, *modules, *libraries)
    return plant


def find_once(plant, path):
    if plant.run in powercut.CASES:
        home = powercut.deliveries(path, plant.run, plant.bin)
        return powercut.explore_mailboxes(home, 500, enough=1)
    home = powercut.RecordedHome(path, programs=plant.bin)
    letters = powercut.Letters()
    getattr(powercut, plant.run)(home, letters)
    return powercut.explore(home, letters, 4000, plant.driver, ("-n", "10"), enough=1)


def find(plant, place):
    """The first wrong states, or none. Processes take turns in another order each time
    that they run, and not every order shows the bug: so it is run again if need be."""
    for attempt in range(5):
        outcome = find_once(plant, os.path.join(place, "home-%d" % attempt))
        if outcome.wrong:
            break
    return outcome
