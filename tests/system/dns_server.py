"""A small name server for tests: UDP and TCP on one port, one zone.

zone maps "name TYPE" to a list of values, or to "SERVFAIL", "REFUSED",
"SILENT" (no answer) or "GARBAGE":

    {"d.example MX": ["10 mx.example"], "mx.example A": ["192.0.2.1"],
     "www.example CNAME": ["d.example"]}

A name with no entry at all does not exist. Aliases are followed as a cache
does. What does not fit into 512 bytes is cut over UDP. queries holds
(name, type, "udp" or "tcp") of every question.
"""

import contextlib
import ipaddress
import socket
import struct
import threading

TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "ANY": 255}
RCODES = {"SERVFAIL": 2, "NXDOMAIN": 3, "REFUSED": 5}


def wire_name(name):
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def wire_data(kind, value):
    if kind == "MX":
        preference, _, host = value.partition(" ")
        return struct.pack(">H", int(preference)) + wire_name(host)
    if kind == "TXT":
        return bytes([len(value)]) + value.encode()
    if kind in ("CNAME", "PTR"):
        return wire_name(value)
    return ipaddress.ip_address(value).packed


class DnsServer:
    def __init__(self, zone, host="127.0.0.1", port=0):
        self.zone = {key.lower(): value for key, value in zone.items()}
        self.queries = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.udp, self.tcp = self._bind(family, host, port)
        self.port = self.udp.getsockname()[1]
        bracketed = f"[{host}]" if ":" in host else host
        self.address = f"{bracketed}:{self.port}"  # for DNSCACHEIP
        threading.Thread(target=self._serve_udp, daemon=True).start()
        threading.Thread(target=self._serve_tcp, daemon=True).start()

    @staticmethod
    def _bind(family, host, port):
        for _ in range(100):  # one port that is free for both
            udp = socket.socket(family, socket.SOCK_DGRAM)
            tcp = socket.socket(family)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            udp.bind((host, port))
            try:
                tcp.bind((host, udp.getsockname()[1]))
                tcp.listen(16)
                return udp, tcp
            except OSError:
                udp.close()
                tcp.close()
        raise AssertionError("no free port for UDP and TCP")

    def close(self):
        for sock in (self.udp, self.tcp):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def asked(self):
        """The set of (name, type) that were asked for."""
        return {(name, kind) for name, kind, _ in self.queries}

    def _serve_udp(self):
        with contextlib.suppress(OSError):
            while True:
                query, peer = self.udp.recvfrom(4096)
                if not query:  # the socket was shut down
                    return
                answer = self._answer(query, "udp")
                if answer is not None:
                    self.udp.sendto(answer, peer)

    def _serve_tcp(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.tcp.accept()
                with client, contextlib.suppress(OSError):
                    client.settimeout(20)
                    head = client.recv(2, socket.MSG_WAITALL)
                    query = client.recv(
                        struct.unpack(">H", head)[0], socket.MSG_WAITALL)
                    answer = self._answer(query, "tcp")
                    if answer is not None:
                        client.sendall(struct.pack(">H", len(answer)) + answer)

    def _answer(self, query, protocol):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
            at += 1 + query[at]
        question = query[12:at + 5]
        number = struct.unpack(">H", query[at + 1:at + 3])[0]
        kind = next((k for k, n in TYPES.items() if n == number), str(number))
        name = ".".join(labels).lower()
        self.queries.append((name, kind, protocol))
        rcode, records = self._look_up(name, kind)
        if rcode is None:
            return None
        if rcode == "GARBAGE":
            return query[:2] + b"\x81\x80" + b"\0\1\0\7\0\0\0\0" + question + b"\xc0"
        cut = protocol == "udp" and 12 + len(question) + sum(map(len, records)) > 512
        flags = 0x8180 | rcode | (0x0200 if cut else 0)
        records = [] if cut else records
        head = struct.pack(">HHHHH", flags, 1, len(records), 0, 0)
        return query[:2] + head + question + b"".join(records)

    def _look_up(self, name, kind):
        """The code and the records, or a code of None for silence."""
        records, owner = [], b"\xc0\x0c"
        for _ in range(20):
            values = self.zone.get(f"{name} {kind}".lower())
            alias = self.zone.get(f"{name} cname")
            if values == "SILENT":
                return None, []
            if values == "GARBAGE":
                return "GARBAGE", []
            if isinstance(values, str):
                return RCODES[values], []
            if values or not alias:
                break
            records.append(self._record(owner, "CNAME", alias[0]))
            name, owner = alias[0].lower(), wire_name(alias[0])
        for value in values or ():
            records.append(self._record(owner, kind, value))
        known = any(key.startswith(name + " ") for key in self.zone)
        return (0 if known else RCODES["NXDOMAIN"]), records

    @staticmethod
    def _record(owner, kind, value):
        data = wire_data(kind, value)
        return owner + struct.pack(">HHIH", TYPES[kind], 1, 60, len(data)) + data
