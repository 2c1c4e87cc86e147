#!/usr/bin/env python3
"""etc/privileges against the Makefile and the programs' header blocks."""

import re
from pathlib import Path

from tree import FIELDS, Report, header_block, privileges, programs

# how a header block may call the accounts of the table
NAMES = {
    "caller": r"caller|whoever|invoking user|the user who|anyone",
    "recipient": r"recipient|the user whose mail",
    "owner": r"owner|logged in|the user",
}

complain = Report()
table = privileges()
listed = programs()


def is_named(path, text):
    """Does text speak of path? Its last part is enough."""
    words = [w for w in path.split("/") if w]
    return any(w in text for w in (path, words[-1]))


for path, row in table.items():
    if row["type"] == "p" and path.removeprefix("bin/") not in listed:
        complain("etc/privileges", f"{path} is not built by the Makefile")
    if not re.fullmatch("0[0-7]{3}", row["mode"]):
        complain("etc/privileges", f"{path}: mode {row['mode']}")

for name, source in sorted(listed.items()):
    row = table.get(f"bin/{name}")
    if row is None:
        complain("etc/privileges", f"bin/{name} is missing")
        continue
    if not source.exists():
        continue
    block = header_block(source)
    missing = [f for f in FIELDS if f not in block]
    if missing:
        complain(source, f"the header block has no {', '.join(missing)}")
        continue
    if not re.match(rf"{re.escape(name)}\b.* - ", block["title"]):
        complain(source, f"the header block does not start '{name} - purpose'")
    account = row["account"]
    if not re.search(NAMES.get(account, rf"\b{account}\b"), block["Runs as"]):
        complain(source, f"'Runs as: {block['Runs as']}', but etc/privileges "
                 f"says {account}")
    text = " ".join(block[f] for f in ("Runs as", "Trusts", "Reads", "Writes"))
    for column in ("reads", "writes"):
        for path in row[column].split(","):
            if path not in ("-", "/") and not is_named(path, text):
                complain(source, f"etc/privileges says it {column} {path}, the "
                         "header block does not")
picture = Path("src/README.md")
for name in listed:
    if not picture.exists() or name not in picture.read_text():
        complain(picture, f"{name} is not in the picture")
complain.end()
