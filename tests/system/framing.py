"""Netstrings for the tests of QMTP and QMQP, written without the programs."""


def ns(data):
    data = data if isinstance(data, bytes) else data.encode()
    return b"%d:%s," % (len(data), data)


def qmtp(message, sender, recipients, first=b"\n"):
    """A whole QMTP message; message as bytes behind the first one."""
    return (ns(first + message) + ns(sender) +
            ns(b"".join(ns(r) for r in recipients)))


def qmqp(message, sender, recipients):
    return ns(ns(message) + ns(sender) + b"".join(ns(r) for r in recipients))


def split(data):
    """The netstrings that data consists of."""
    found = []
    while data:
        head, _, rest = data.partition(b":")
        size = int(head)
        assert head == b"%d" % size and rest[size:size + 1] == b",", data[:200]
        found.append(rest[:size])
        data = rest[size + 1:]
    return found


def read_one(one):
    """The next netstring of a servers.Conversation; None at the end."""
    while True:
        head, colon, rest = one.buffer.partition(b":")
        if colon and len(rest) > int(head):
            size = int(head)
            assert rest[size:size + 1] == b","
            one.buffer = rest[size + 1:]
            return rest[:size]
        more = one.socket.recv(65536)
        if not more:
            assert not one.buffer, one.buffer
            return None
        one.buffer += more
