"""Mutations of bytes that know nothing of the format."""
import random
import struct

INTERESTING = (0, 1, -1, 2, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2 ** 31 - 1,
               2 ** 31,
               2 ** 32 - 1, 2 ** 63 - 1, 2 ** 63, 2 ** 64 - 1)


def flip_bits(data: bytearray, rng: random.Random) -> bytearray:
    """Turn up to eight bits over."""
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def cut(data: bytearray, rng: random.Random) -> bytearray:
    """Leave out the end, as an interrupted copy does; most often near the start or the end."""
    place = rng.choice([rng.random(), rng.random() ** 4, 1 - rng.random() ** 4])
    return data[:int(place * len(data))]


def drop_chunk(data: bytearray, rng: random.Random) -> bytearray:
    """Leave out a piece of the middle."""
    start = rng.randrange(len(data))
    del data[start:start + rng.choice([1, 2, 4, 16, 256, 4096])]
    return data


def insert_bytes(data: bytearray, rng: random.Random) -> bytearray:
    """Insert random bytes."""
    start = rng.randrange(len(data) + 1)
    data[start:start] = rng.randbytes(rng.choice([1, 2, 4, 16, 256, 4096]))
    return data


def repeat_chunk(data: bytearray, rng: random.Random) -> bytearray:
    """Write a piece again, right behind itself or elsewhere."""
    start = rng.randrange(len(data))
    chunk = data[start:start + rng.choice([1, 4, 16, 256, 4096])] * rng.choice([1, 1, 2, 50])
    place = rng.choice([start, rng.randrange(len(data))])
    data[place:place] = chunk
    return data


def fill_run(data: bytearray, rng: random.Random) -> bytearray:
    """Overwrite a run by equal bytes, as a hole in a file does."""
    start = rng.randrange(len(data))
    length = min(rng.choice([1, 4, 64, 512, 4096]), len(data) - start)
    data[start:start + length] = bytes([rng.choice([0, 0, 255, 32, 0x80])]) * length
    return data


def swap_chunks(data: bytearray, rng: random.Random) -> bytearray:
    """Exchange two pieces of one length."""
    length = min(rng.choice([1, 4, 32, 512]), len(data) // 2)
    first, second = sorted(rng.randrange(len(data) - length + 1) for _ in range(2))
    if second - first >= length:
        (data[first:first + length], data[second:second + length]) = (
            data[second:second + length], data[first:first + length])
    return data


def write_integer(data: bytearray, rng: random.Random) -> bytearray:
    """Overwrite 1, 2, 4 or 8 bytes by a number at an edge of what integers hold."""
    size = rng.choice([1, 2, 4, 8])
    if len(data) < size:
        return data
    number = rng.choice(INTERESTING) % (1 << 8 * size)
    # Headers are at the start: half of the numbers are written there.
    end = len(data) - size + 1
    start = rng.randrange(rng.choice([end, min(end, 64)]))
    data[start:start + size] = struct.pack(rng.choice('<>') + {1: 'B', 2: 'H', 4: 'I', 8: 'Q'}[size],
                                           number)
    return data


def append_bytes(data: bytearray, rng: random.Random) -> bytearray:
    """Write something behind the end."""
    return data + rng.choice([b'\0', b'\n', b'\0' * 4096, rng.randbytes(64), bytes(data)])


MUTATORS = (flip_bits, cut, drop_chunk, insert_bytes, repeat_chunk, fill_run, swap_chunks,
            write_integer, append_bytes)


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """Return bytes after one to three mutations.

    Args:
        data: Of a file.
        rng: Source of chance.
    """
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if not changed:
            break
        changed = rng.choice(MUTATORS)(changed, rng)
    return bytes(changed)


def splice(first: bytes, second: bytes, rng: random.Random) -> bytes:
    """Return the start of one file with the end of another."""
    return first[:rng.randrange(len(first) + 1)] + second[rng.randrange(len(second) + 1):]
