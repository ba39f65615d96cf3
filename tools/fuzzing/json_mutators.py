"""Mutations of JSON that know its structure: keys, types, numbers, names, depth, encodings."""
import copy
import json
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

from fuzzing.byte_mutators import mutate_bytes


class Raw(str):
    """Text that is written as it is: a number or a nesting that Python's writer would not give."""


class Pairs(list[tuple[str, Any]]):
    """An object that may say a key twice."""


def deep(depth: int, opening: str = '[', closing: str = ']') -> Raw:
    """Return containers in containers."""
    return Raw(opening * depth + '1' + closing * depth)


NUMBERS: tuple[Any, ...] = (
    0, -0., -1, 1, 2, 3, 7, .5, 1., 3., 1.5, 99, 100, 101, 1e-320, 1e16, 1e308, -1e308, 2 ** 31,
    2 ** 53 + 1,
    2 ** 63 - 1, 2 ** 63, -2 ** 63 - 1, 2 ** 64, 10 ** 300, math.nan, math.inf, -math.inf,
    Raw('1e400'),
    Raw('-1e400'), Raw('1' + '0' * 400), Raw('-1' + '0' * 400), Raw('1' * 5000), Raw('0x10'),
    Raw('01'), Raw('1_0'),
    Raw('.5'), Raw('1.'), Raw('+1'))
NAMES: tuple[str, ...] = (
    '', ' ', 'a', '0', '1', '3.0', 'nan', 'None', 'null', 'true', 'x' * 5000, '\0', 'a\0b', '\ud800',
    '\udfff.png',
    'é' * 300, '\N{ZERO WIDTH JOINER}', '\N{RIGHT-TO-LEFT OVERRIDE}gnp.a', '../../../../etc/passwd',
    '/etc/passwd',
    'C:\\a.png', 'a\nb', 'a\r\nb\x1b[31m', '\u2028', '.', '..', '~', '$HOME', '%s %d {0} {a}',
    '\ufeff', 'A' * 300,
    '__class__', '0' * 400, '9' * 5000)
CONTAINERS: tuple[Any, ...] = (
    [], {}, [[]], [None], [1], ['a'], {'a': 1}, [1, 2, 3, 4], [[1, 2]], {'id': 1}, [{}],
    Raw('[' + '1,' * 20000 + '1]'),
    deep(60), deep(2000), deep(100_000), deep(100_000, '{"a":', '}'))
ATOMS: tuple[Any, ...] = (None, True, False)
Place = tuple[Any, Any]  # a container and the key or index in it


def random_value(rng: random.Random) -> Any:
    """Return any value of JSON, or what looks like one."""
    return copy.deepcopy(rng.choice(rng.choice([NUMBERS, NUMBERS, NAMES, CONTAINERS, ATOMS])))


def places(tree: Any) -> Iterator[Place]:
    """Yield each place of a tree."""
    entries: Any = tree.items() if isinstance(tree, dict) else (
        enumerate(tree) if isinstance(tree, list) else ())
    for key, value in entries:
        yield tree, key
        yield from places(value)


def replace_value(tree: Any, place: Place, rng: random.Random) -> None:
    """Write another value of any type."""
    place[0][place[1]] = random_value(rng)


def change_alike(tree: Any, place: Place, rng: random.Random) -> None:
    """Write another value of the same type: what only a check of meaning can find."""
    value = place[0][place[1]]
    if isinstance(value, bool):
        place[0][place[1]] = not value
    elif isinstance(value, int | float):
        place[0][place[1]] = rng.choice([
            value + 1, value - 1, -value, value * 2, value * 1000, value / 3, float(value),
            str(value),
            rng.choice(NUMBERS), rng.uniform(-10, 110), rng.randint(0, 20)])
    elif isinstance(value, str) and not isinstance(value, Raw):
        place[0][place[1]] = rng.choice([
            value + ' ', ' ' + value, value.upper(), value[:-1], value * 100, value + '\0',
            './' + value,
            value.replace('.', '..'), rng.choice(NAMES)])
    elif isinstance(value, list):
        rng.shuffle(value)
    else:
        replace_value(tree, place, rng)


def drop(tree: Any, place: Place, rng: random.Random) -> None:
    """Take an entry out."""
    del place[0][place[1]]


def repeat(tree: Any, place: Place, rng: random.Random) -> None:
    """Write an item of a list again, or a key of an object a second time."""
    container, key = place
    if isinstance(container, list):
        container[key:key] = [copy.deepcopy(container[key])] * rng.choice([1, 1, 2, 300])
    else:
        other = copy.deepcopy(container[key]) if rng.random() < .5 else random_value(rng)
        container[key] = Twice(container[key], other)


class Twice:
    """Two values of one key."""

    def __init__(self, first: Any, second: Any) -> None:
        self.values = first, second


def rename(tree: Any, place: Place, rng: random.Random) -> None:
    """Give a key another name."""
    container, key = place
    if isinstance(container, dict):
        name = rng.choice([str(key) + 's', str(key).upper(), str(key)[:-1], rng.choice(NAMES)])
        entries = [(name if old == key else old, value) for old, value in container.items()]
        container.clear()
        container.update(entries)


def add_key(tree: Any, place: Place, rng: random.Random) -> None:
    """Add an entry that nobody asked for."""
    if isinstance(place[0], dict):
        place[0][rng.choice(NAMES)] = random_value(rng)
    else:
        place[0].insert(rng.randrange(len(place[0]) + 1), random_value(rng))


def exchange(tree: Any, place: Place, rng: random.Random) -> None:
    """Exchange the values of two places, or copy one over the other."""
    others = [other for other in places(tree)]
    container, key = rng.choice(others)
    first, second = place[0][place[1]], container[key]
    if rng.random() < .5 and not isinstance(first, dict | list) and not isinstance(second,
                                                            dict | list):
        container[key] = first
    place[0][place[1]] = copy.deepcopy(second)


def wrap(tree: Any, place: Place, rng: random.Random) -> None:
    """Put a value into a container, or take it out of one."""
    value = place[0][place[1]]
    if isinstance(value, list) and value and rng.random() < .5:
        place[0][place[1]] = value[0]
    else:
        place[0][place[1]] = [value] if rng.random() < .7 else {'a': value}


def empty(tree: Any, place: Place, rng: random.Random) -> None:
    """Empty a container, or keep only its first part."""
    value = place[0][place[1]]
    if isinstance(value, list):
        del value[rng.randrange(len(value) + 1) if value else 0:]
    elif isinstance(value, dict):
        value.clear()
    else:
        place[0][place[1]] = None


TREE_MUTATORS: tuple[Callable[[Any, Place, random.Random], None], ...] = (
    replace_value, replace_value, change_alike, change_alike, change_alike, drop, repeat, rename,
    add_key,
    exchange, wrap, empty)


def dump(value: Any) -> str:
    """Return JSON text of a tree that may hold :class:`Raw` and :class:`Twice`."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        parts = []
        for key, entry in value.items():
            for single in entry.values if isinstance(entry, Twice) else (entry, ):
                parts.append(f'{json.dumps(str(key))}: {dump(single)}')
        return '{' + ', '.join(parts) + '}'
    if isinstance(value, Twice):
        return dump(value.values[0])
    if isinstance(value, list):
        return '[' + ', '.join(map(dump, value)) + ']'
    return json.dumps(value)


def mutate_tree(tree: Any, rng: random.Random) -> Any:
    """Return a mutated copy of a tree of JSON; the upper levels are drawn more often."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        candidates = list(places(tree))
        if not candidates:
            return random_value(rng)
        if rng.random() < .3:  # one of the upper two levels
            upper = [place for place in candidates if place[0] is tree]
            place = rng.choice(upper)
        else:
            place = rng.choice(candidates)
        rng.choice(TREE_MUTATORS)(tree, place, rng)
    return random_value(rng) if rng.random() < .01 else tree


def encode(text: str, rng: random.Random) -> bytes:
    """Return text as bytes, now and then otherwise than in plain UTF-8."""
    plain = text.encode('utf-8', 'surrogatepass')
    if rng.random() > .1:
        return plain
    encodings = ('utf-8-sig', 'utf-16', 'utf-16-le', 'utf-32', 'latin-1')
    data = text.encode(rng.choice(encodings), 'ignore')
    return rng.choice([data, data, plain + b'\0', b'\xef\xbb\xbf' * 2 + plain,
                       plain + b' trailing', b'', b'\n', b'null', plain * 2])


def mutate_json(data: bytes, rng: random.Random) -> bytes:
    """Return mutated JSON text: by structure in four of five cases, else by bytes.

    Args:
        data: Valid JSON.
        rng: Source of chance.
    """
    if rng.random() < .2:
        return mutate_bytes(data, rng)
    return encode(dump(mutate_tree(json.loads(data), rng)), rng)
