"""Answers of a broken or hostile name server, for tests."""

import struct

from dns_server import DnsServer


def head(query, flags=0x8180, answers=1, id_change=0):
    ident = struct.unpack(">H", query[:2])[0] ^ id_change
    return struct.pack(">HHHHHH", ident, flags, 1, answers, 0, 0)


def mx(data, length=None):
    return b"\xc0\x0c\x00\x0f\x00\x01\0\0\0\x3c" + struct.pack(
        ">H", len(data) if length is None else length) + data


QUESTION = slice(12, None)
# What a liar answers: none of it may make mail bounce.
LIES = {
    "one byte": lambda q: q[:1],
    "the header cut off": lambda q: q[:11],
    "nothing but a header": lambda q: head(q),
    "another number": lambda q: head(q, id_change=1) + q[QUESTION],
    "a question of its own": lambda q: q,
    "another question": lambda q: head(q) + b"\1x\0\0\x0f\0\1",
    "more records than bytes": lambda q: head(q, answers=65535) + q[QUESTION],
    "a name that points to itself": lambda q: head(q) + q[QUESTION]
    + b"\xc0" + bytes([len(q)]) + b"\0\x0f\0\1\0\0\0\0\0\4\0\1\xc0\x0c",
    "a name that points forward": lambda q: head(q) + q[QUESTION] + mx(b"\0\1\xc0\xff"),
    "an exchanger that points to itself": lambda q: head(q) + q[QUESTION]
    + mx(b"\0\1\xc0" + bytes([len(q) + 14])),
    "a label that is too long": lambda q: head(q) + q[QUESTION] + mx(b"\0\1\x7fx\0"),
    "a name that is too long": lambda q: head(q) + q[QUESTION]
    + mx(b"\0\1" + b"\x3f" + b"x" * 63 + (b"\x3f" + b"y" * 63) * 7 + b"\0"),
    "data longer than the answer": lambda q: head(q) + q[QUESTION]
    + mx(b"\0\1\1a\0", 65535),
    "data shorter than its name": lambda q: head(q) + q[QUESTION] + mx(b"\0\1\1a\0", 3),
    "data of no bytes": lambda q: head(q) + q[QUESTION] + mx(b""),
    "format error": lambda q: head(q, 0x8181, 0) + q[QUESTION],
    "a code for what it cannot do": lambda q: head(q, 0x8184, 0) + q[QUESTION],
    "an unknown code": lambda q: head(q, 0x818f, 0) + q[QUESTION],
    "cut, and over TCP the same": lambda q: head(q, 0x8380, 0) + q[QUESTION],
    "65,000 zeros": lambda q: head(q) + bytes(65000),
}


class Liar(DnsServer):
    """Tells the same lie over UDP and TCP. lie is a function of the question, or a
    dict of such functions by the first label of the name; what is asked about
    other names is answered from zone."""

    def __init__(self, lie, zone=()):
        self.lie = lie
        super().__init__(dict(zone))

    def _answer(self, query, protocol):
        lie = self.lie
        if isinstance(lie, dict):
            lie = lie.get(query[13:13 + query[12]].decode("latin-1"))
            if lie is None:
                return super()._answer(query, protocol)
        answer = lie(query)
        return answer[:65507] if protocol == "udp" else answer
