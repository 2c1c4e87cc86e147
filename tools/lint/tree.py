"""What the lint checks share: the programs, the table, header blocks."""

import re
import sys
from pathlib import Path

SHARED = {  # folder: the folders whose headers it may include
    "base": {"base"},
    "mail": {"mail", "base"},
    "conf": {"conf", "mail", "base"},
    "net": {"net", "mail", "base"},
}
FIELDS = ("Runs as", "Trusts", "Reads", "Writes", "Exit")


def programs():
    """{program name: its source}, as the Makefile lists them."""
    text = Path("Makefile").read_text()
    found = {}
    for name in ("SMALL_PROGRAMS", "LARGE_PROGRAMS"):
        listed = re.search(rf"^{name} = ((?:.*\\\n)*.*)", text, re.M).group(1)
        for word in listed.replace("\\\n", " ").split():
            found[word.partition("/")[2]] = Path("src", word + ".c")
    listed = re.search(r"^SCRIPTS = (.*)", text, re.M).group(1)
    for word in listed.split():
        found[word.partition("/")[2]] = Path("src", word + ".sh")
    return found


def privileges():
    """{path: row as a dict} of etc/privileges."""
    columns = ("path type owner group mode account descriptors reads "
               "writes").split()
    rows = {}
    for line in Path("etc/privileges").read_text().splitlines():
        if line and not line.startswith("#"):
            row = dict(zip(columns, line.split(), strict=True))
            rows[row["path"]] = row
    return rows


def header_block(source):
    """The fields of a program's first comment, {} if it has none."""
    text = source.read_text()
    if text.startswith("#!"):
        comment = re.match(r"#!.*\n((?:#.*\n)*)", text).group(1)
        comment = re.sub(r"(?m)^# ?", "", comment)
    elif text.startswith("/*"):
        comment = re.sub(r"(?m)^ \* ?", "", text[2:text.index("*/")])
    else:
        return {}
    parts = re.split(rf"\b({'|'.join(FIELDS)}):", comment)
    return {"title": parts[0].strip(),
            **{parts[i]: re.sub(r"\s+", " ", parts[i + 1]).strip()
               for i in range(1, len(parts) - 1, 2)}}


def exit_codes(text):
    """The numbers that start the clauses of an Exit field."""
    codes = set()
    for clause in re.split(r";|, or |\n", text):
        found = re.match(r"\s*(\d{1,3}(?:(?:, | and | or |, and )\d{1,3})*)\b",
                         clause)
        if found:
            codes.update(int(n) for n in re.findall(r"\d+", found.group(1)))
    return codes


class Report:
    """Collects complaints; end() prints them and exits 1 if there are any."""

    def __init__(self):
        self.lines = []

    def __call__(self, where, what):
        self.lines.append(f"{where}: {what}")

    def end(self):
        for line in self.lines:
            print(line)
        sys.exit(1 if self.lines else 0)
