"""A network of its own for one test of qmail-remote: MX records need hosts
that are not this machine, and port 25.

`run(scenario)` starts this file in a fresh network namespace (as root, or as
an ordinary user with a user namespace). There all of 10.9.0.0/16 and
fd09::/64 leads to the machine itself without being its own addresses, and the
namespace's user may bind port 25. The scenario is data:

    {"home": path, "program": path, "zone": {...as in dns_server...},
     "servers": {"10.9.0.1": "good", "10.9.0.2": "421"}, "own": ["10.8.0.1"],
     "host": "d.example", "ipv6": true, "control": {"name": "text"}}

A server is "good" or sends its text as greeting and hangs up. "10.9.0.1 209"
is one at another port; "qmtp" takes a message by QMTP, "qmtp D" refuses it. The result has
the records, the number of connections of each server, and the DNS queries.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path


def command():
    """How to get a network namespace, or None with a reason."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        return None, "needs unshare (util-linux) and ip (iproute2)"
    for flags in ("-n", "-rn"):
        argv = ["unshare", flags]
        tried = subprocess.run([*argv, "ip", "link", "set", "lo", "up"],
                               capture_output=True, check=False)
        if tried.returncode == 0:
            return argv, None
    return None, "this user may not make a network namespace"


def run(scenario, timeout=300):
    argv, why = command()
    assert argv, why
    done = subprocess.run([*argv, sys.executable, __file__],
                          input=json.dumps(scenario), text=True,
                          capture_output=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def qmtp_server(what):
    """Answers one message to one recipient."""
    letter = what.removeprefix("qmtp").strip() or "K"

    def handle(client, _):
        with client.makefile("rb") as stream:
            for _part in range(3):
                digits = b"".join(iter(lambda: stream.read(1), b":"))
                stream.read(int(digits) + 1)
            answer = letter.encode() + b"by qmtp"
            client.sendall(b"%d:%s," % (len(answer), answer))
            stream.read(1)
    return handle


def inside(scenario):
    sys.path.insert(0, str(Path(__file__).parent))
    from dns_server import DnsServer
    from remote_home import Home, RawServer, script

    def ip(*args):
        subprocess.run(["ip", *args], check=True)

    ip("link", "set", "lo", "up")
    ip("route", "add", "local", "10.9.0.0/16", "dev", "lo")
    if scenario.get("ipv6"):
        ip("-6", "route", "add", "local", "fd09::/64", "dev", "lo")
    for address in scenario.get("own", ()):
        ip("address", "add", address, "dev", "lo")
    good = script(b"220 x\r\n", b"250 x\r\n", b"250 ok\r\n", b"250 ok\r\n",
                  b"354 go\r\n", b"BODY250 taken\r\n", b"")
    servers = {}
    for where, what in scenario["servers"].items():
        host, _, port = where.partition(" ")
        handler = (good if what == "good" else
                   qmtp_server(what) if what.startswith("qmtp") else
                   script(what.encode() + b"\r\n", b""))
        servers[where] = RawServer(handler, host, int(port or 25))
    dns = DnsServer(scenario["zone"])
    home = Home(Path(scenario["home"]))
    for name, text in scenario.get("control", {}).items():
        home.control(name, text)
    home.env["DNSCACHEIP"] = dns.address
    Home.program = scenario["program"]
    records = home.run(scenario.get("host", "d.example"), "s@me.example", "r@d.example")
    return {"records": records, "clients": {h: s.clients for h, s in servers.items()}, "queries": dns.queries,
            "connections": {h: s.connections for h, s in servers.items()}}


if __name__ == "__main__":
    json.dump(inside(json.load(sys.stdin)), sys.stdout)
