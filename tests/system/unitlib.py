"""The systemd units of doc/systemd, read as far as the tests need."""

import re
import shlex

import lib

FOLDER = lib.REPO / "doc/systemd"
HOME = "/var/qmail"  # the home that they name


def units():
    return sorted([*FOLDER.glob("*.service"), *FOLDER.glob("*.target")])


class Unit:
    """A unit's settings: get("Service", "ExecStart") is a list of texts."""

    def __init__(self, path, home=HOME):
        self.name = path.stem
        text = path.read_text().replace(HOME, str(home)).replace("\\\n", " ")
        self.settings, section = [], None
        for line in text.splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            head = re.fullmatch(r"\[(\w+)\]", line)
            if head:
                section = head[1]
                continue
            key, mark, value = line.partition("=")
            assert section and mark and re.fullmatch(r"\w+", key), f"{path}: {line}"
            self.settings.append((section, key, value.strip()))

    def get(self, section, key):
        return [v for s, k, v in self.settings if (s, k) == (section, key)]

    def one(self, key, default=None):
        found = self.get("Service", key)
        assert len(found) <= 1 or default is None
        return found[0] if found else default

    def commands(self):
        return [c for key in ("ExecStart", "ExecStop", "ExecReload")
                for c in self.get("Service", key)]

    def argv(self):
        """What ExecStart runs, as systemd would split it."""
        return [w.replace("$$", "$") for w in shlex.split(self.one("ExecStart"))]

    def environment(self):
        return dict(v.split("=", 1) for v in self.get("Service", "Environment"))
