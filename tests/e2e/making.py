"""making.py - profiles by hand, for what our own programs do not write.

The few lines of protobuf that it takes; nothing of ours is used, so that a
mistake there cannot hide here.
"""

import gzip


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def message(field, data):
    if isinstance(data, str):
        data = data.encode()
    return varint(field << 3 | 2) + varint(len(data)) + data


class Maker:
    """Collects the parts of one profile."""

    def __init__(self):
        self.strings = {"": 0}
        self.parts = []
        self.functions = 0

    def string(self, text):
        return self.strings.setdefault(text, len(self.strings))

    def mapping(self, i, start, limit, offset, path, build_id="", flags=()):
        data = (number(1, i) + number(2, start) + number(3, limit)
                + number(4, offset) + number(5, self.string(path))
                + number(6, self.string(build_id)))
        data += b"".join(number(flag, 1) for flag in flags)
        self.parts.append(message(3, data))

    def function(self, name, system_name=None, file="", start_line=0):
        self.functions += 1
        self.parts.append(message(5, (
            number(1, self.functions) + number(2, self.string(name))
            + number(3, self.string(system_name or name))
            + number(4, self.string(file)) + number(5, start_line))))
        return self.functions

    def location(self, i, address, mapping, lines=(), extra=b""):
        data = number(1, i) + number(2, mapping) + number(3, address)
        for function, line in lines:
            data += message(4, number(1, function) + number(2, line))
        self.parts.append(message(4, data + extra))

    def sample(self, locations, value=1, extra=b""):
        ids = b"".join(varint(i) for i in locations)
        self.parts.append(message(2, message(1, ids)
                                  + message(2, varint(value)) + extra))

    def bytes(self, extra=b""):
        kind = message(1, number(1, self.string("samples"))
                       + number(2, self.string("count")))
        table = b"".join(message(6, s) for s in self.strings)
        return kind + b"".join(self.parts) + extra + table

    def write(self, path, extra=b""):
        with open(path, "wb") as f:
            f.write(gzip.compress(self.bytes(extra), 1))
