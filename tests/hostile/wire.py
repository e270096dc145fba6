"""wire.py - reads a profile's samples, fast enough for thousands of files.

The tests of tests/e2e read profiles with the real tools; here it only matters
that a file is complete and which function has how much.
"""

import collections
import gzip


def number(data, i):
    value = shift = 0
    while True:
        byte = data[i]
        value |= (byte & 127) << shift
        shift, i = shift + 7, i + 1
        if byte < 128:
            return value, i


def fields(data):
    """(field number, int or bytes) of one message."""
    i = 0
    while i < len(data):
        key, i = number(data, i)
        value, i = number(data, i)
        if key & 7 == 2:
            if i + value > len(data):
                raise ValueError("message is cut off")
            i, value = i + value, data[i:i + value]
        elif key & 7:
            raise ValueError(f"wire type {key & 7}")
        yield key >> 3, value


def message(data):
    found = collections.defaultdict(list)
    for key, value in fields(data):
        found[key].append(value)
    return found


def numbers(values):
    """A repeated integer, packed or not."""
    for value in values:
        if isinstance(value, int):
            yield value
            continue
        i = 0
        while i < len(value):
            n, i = number(value, i)
            yield n


def read(path):
    """[column names], [(values, {names of functions})]."""
    top = message(gzip.decompress(path.read_bytes()))
    text = [s.decode() for s in top[6]]
    types = [text[message(t)[1][0]] for t in top[1]]
    names = {f[1][0]: text[f[2][0]] for f in map(message, top[5])}
    places = {}
    for place in map(message, top[4]):
        places[place[1][0]] = {names[message(line)[1][0]]
                               for line in place[4]}
    samples = []
    for sample in map(message, top[2]):
        values = list(numbers(sample[2]))
        if len(values) != len(types):
            raise ValueError("a sample has not one value a column")
        samples.append((values, set().union(
            *(places[i] for i in numbers(sample[1])))))
    return types, samples


def sums(path, column):
    """{function: sum of a column over the stacks it is in}. What compilers
    put behind a name is left out."""
    types, samples = read(path)
    i = types.index(column)
    found = collections.Counter()
    for values, functions in samples:
        for name in {f.split(".")[0].split("(")[0] for f in functions}:
            found[name] += values[i]
    return found
