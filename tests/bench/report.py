"""The results as a table of markdown and as bars."""

import datetime
import os
import platform
import re
import statistics

import works

COLORS = {"cqmail": "#2563a8", "postfix": "#c07b2c", "opensmtpd": "#5a9a57",
          "dovecot": "#8a5fa3"}
SPREAD = 0.3  # runs of one peer that differ by more are marked


def medians(results):
    """{work: {peer: {metric: (median, lowest, highest)}}} of a list of records."""
    values = {}
    for record in results:
        for metric, value in record.get("result", {}).items():
            if isinstance(value, (int, float)):
                values.setdefault(record["work"], {}).setdefault(record["peer"], {}) \
                    .setdefault(metric, []).append(value)
    return {work: {peer: {m: (statistics.median(v), min(v), max(v)) for m, v in ms.items()}
                   for peer, ms in by.items()} for work, by in values.items()}


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}"


def label(metric, unit):
    """A metric in words: its name says its unit as well."""
    words = re.sub(r"_(per_s|ms|kib|s)$", "", metric).replace("_", " ")
    return f"{words}, {unit}" if unit else words


def shown(found):
    """A median; ~ if the runs differ much."""
    middle, low, high = found
    return number(middle) + ("~" if low > 0 and (high - low) / low > SPREAD else "")


def ratio(found, metric, more):
    """cqmail's advantage over the best of the others, as "3.1x"."""
    mine = found.get("cqmail", {}).get(metric)
    theirs = [v[metric][0] for p, v in found.items() if p != "cqmail" and metric in v]
    if mine is None or not theirs:
        return ""
    best = max(theirs) if more else min(theirs)
    top, bottom = (mine[0], best) if more else (best, mine[0])
    return f"{top / bottom:.1f}×" if bottom > 0 else ""


def peers_of(table):
    order = list(COLORS)
    return sorted({p for by in table.values() for p in by if p != "machine"},
                  key=lambda p: order.index(p) if p in order else 99)


def markdown(results, about):
    table = medians(results)
    peers = peers_of(table)
    lines = [f"{about['when']}, {about['cpus']} CPUs, Linux {about['kernel']},"
             f" {about['runs']} runs (one of what takes minutes), counts divided by"
             f" {about['divide']}."
             " Medians; `~`: the runs differ by more than"
             f" {SPREAD * 100:.0f} %. The last column is cqmail's advantage over the best of"
             " the others.", "",
             "| work | " + " | ".join([*peers, "cqmail is better by"]) + " |",
             "| --- |" + " --- |" * (len(peers) + 1)]
    for name, work in works.ALL.items():
        for metric, (unit, more) in work.metrics.items():
            found = table.get(name, {})
            if name == "raw" or not any(metric in v for v in found.values()):
                continue
            cells = [shown(found[p][metric]) if metric in found.get(p, {}) else "–"
                     for p in peers]
            cells += [ratio(found, metric, more)]
            lines.append(f"| {name}: {label(metric, unit)} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, *machine_lines(table), *curve_lines(table),
                      *trouble_lines(results), ""])


def machine_lines(table):
    found = table.get("raw", {}).get("machine")
    if not found:
        return []
    return ["", "The machine in the same runs, a second: "
            f"{shown(found['journal_per_s'])} journal records of 4 KiB in batches of 20 by one"
            f" process ({shown(found['journal_20_per_s'])} by 20),"
            f" {shown(found['maildir_per_s'])} synced Maildir files by one process"
            f" ({shown(found['maildir_20_per_s'])} by 20),"
            f" {shown(found['exec_per_s'])} starts of a static program."]


def curve_lines(table):
    found = table.get("curve", {}).get("cqmail")
    if not found:
        return []
    lines = []
    for kind in ("queued", "recipients"):
        points, metrics = [], []
        for key in found:
            where, metric = key.split(":")
            if where.startswith(kind):
                points += [where] if where not in points else []
                metrics += [metric] if metric not in metrics else []
        lines += ["", f"| {kind} | " + " | ".join(m.replace("_", " ") for m in metrics) + " |",
                  "| --- |" + " --- |" * len(metrics)]
        for point in points:
            lines.append(f"| {int(point.rpartition('-')[2]):,} | " + " | ".join(
                shown(found[f'{point}:{m}']) if f"{point}:{m}" in found else "–"
                for m in metrics) + " |")
    return lines


def trouble_lines(results):
    """What failed, and runs that others disturbed."""
    lines = list(dict.fromkeys(
        f"* {r['work']} of {r['peer']}: {r['error']}" for r in results if "error" in r))
    for r in results:
        for metric, left in r.get("result", {}).items():
            if metric.startswith("not_"):
                lines.append(f"* {r['work']} of {r['peer']}: stopped, as it would have taken"
                             f" minutes; {number(left)} messages were {metric.replace('_', ' ')}")
    busy = sorted({r["work"] for r in results
                   if r.get("result", {}).get("disturbed", 0) > 0.15})
    if busy:
        lines.append("* other programs used more than 15 % of the machine during a run of: "
                     + ", ".join(busy))
    return ["", "To be known:", "", *lines] if lines else []


def calls_table(results):
    """Calls a message by program, of the last count of each peer."""
    last = {r["peer"]: r["result"]["by"] for r in results
            if r["work"] == "calls" and "result" in r}
    lines = []
    for peer, by in last.items():
        total = next(r["result"] for r in results[::-1]
                     if r["work"] == "calls" and r["peer"] == peer and "result" in r)
        lines += ["", f"{peer}: calls {number(total['calls'])}, syncs {number(total['fsyncs'])},"
                  f" forks {number(total['forks'])}, execs {number(total['execs'])}.",
                  "", "| program | calls a message | most of them |", "| --- | --- | --- |"]
        for program, calls in sorted(by.items(), key=lambda x: -sum(x[1].values())):
            if sum(calls.values()) < 0.5:
                continue
            most = ", ".join(f"{c} {number(n)}" for c, n in list(calls.items())[:12]
                             if n >= 0.1)
            lines.append(f"| {program} | {number(sum(calls.values()))} | {most} |")
    return "\n".join(lines)


def put(path, region, text):
    """Replaces what stands between the two markers of a region."""
    begin, end = f"<!-- {region}: begin -->", f"<!-- {region}: end -->"
    head, _, rest = path.read_text().partition(begin)
    _, found, tail = rest.partition(end)
    if not found:
        raise RuntimeError(f"{path} lacks the lines {begin} and {end}")
    path.write_text(f"{head}{begin}\n\n{text.strip()}\n\n{end}{tail}")


def write(doc, results, about):
    """Whatever was measured goes into doc/; the rest stays as it is."""
    page = doc / "PERFORMANCE.md"
    if any(r["work"] == "calls" for r in results):
        put(page, "calls", calls_table(results))
    if any(r["work"] != "calls" for r in results):
        put(page, "bench", markdown(results, about) + "\nThe same [as bars](performance.svg).")
        (doc / "performance.svg").write_text(bars(results))


# ---- bars --------------------------------------------------------------------

BAR, GAP, LEFT, RIGHT, WIDTH = 14, 26, 210, 140, 760


def bars(results):
    """The main metric of each work that servers can be compared in, each work
    on a scale of its own."""
    table = medians(results)
    rows, y = [], 44
    peers = peers_of(table)
    for name, work in works.ALL.items():
        if name in ("raw", "curve") or name not in table or not work.metrics:
            continue
        metric, (unit, more) = next(iter(work.metrics.items()))
        found = {p: table[name][p][metric][0] for p in peers
                 if metric in table[name].get(p, {})}
        if len(found) < 2:
            continue
        best = "more is better" if more else "less is better"
        rows.append(f'<text x="8" y="{y + 11}" class="w">{name}</text>'
                    f'<text x="8" y="{y + 25}" class="n">'
                    f'{label(metric, unit)}; {best}</text>')
        top = max(found.values()) or 1
        for peer, value in found.items():
            width = max(1, round((WIDTH - LEFT - RIGHT) * value / top))
            rows.append(f'<rect x="{LEFT}" y="{y}" width="{width}" height="{BAR - 2}"'
                        f' fill="{COLORS.get(peer, "#888")}"/><text x="{LEFT + width + 6}"'
                        f' y="{y + 10}" class="n">{peer} {number(value)} {unit}</text>')
            y += BAR
        y += max(0, 2 - len(found)) * BAR + GAP - BAR
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 8}"'
            f' viewBox="0 0 {WIDTH} {y + 8}" font-family="sans-serif">\n'
            '<style>.w{font-size:13px;font-weight:bold}.n{font-size:11px;fill:#444}</style>\n'
            f'<rect width="{WIDTH}" height="{y + 8}" fill="#fff"/>\n'
            '<text x="8" y="22" font-size="15">Medians; each work has its own scale</text>\n'
            + "\n".join(rows) + "\n</svg>\n")


def about(runs, divide):
    return {"when": datetime.date.today().isoformat(), "cpus": os.cpu_count(),
            "kernel": platform.release(), "runs": runs, "divide": divide}
