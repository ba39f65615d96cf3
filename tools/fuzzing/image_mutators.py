"""Mutations of image files that know their blocks: markers, chunks, tags, headers."""
import random
import struct
import zlib

from fuzzing.byte_mutators import INTERESTING, mutate_bytes


def cut_short(data: bytes, rng: random.Random) -> bytes:
    """Return a file that ends too early, as those of FracAtlas do; some get an end marker."""
    kept = data[:int(len(data) * rng.choice([rng.random(), 1 - rng.random() ** 3 / 4]))]
    return kept + rng.choice([b'', b'', b'', b'\xff\xd9', bytes(len(data) - len(kept)), b'\0' * 64])


def split_jpeg(data: bytes) -> list[bytes]:
    """Return the segments of a JPEG, the last one with the compressed pixels."""
    segments, start = [data[:2]], 2
    while start + 4 <= len(data) and data[start] == 0xff:
        length = struct.unpack('>H', data[start + 2:start + 4])[0] + 2
        if data[start + 1] == 0xda:
            break
        segments.append(data[start:start + length])
        start += length
    return [*segments, data[start:]]


def mutate_jpeg(data: bytes, rng: random.Random) -> bytes:
    """Return a mutated JPEG."""
    way = rng.randrange(6)
    if way == 0:
        return mutate_bytes(data, rng)
    if way < 3:
        return cut_short(data, rng)
    segments = split_jpeg(data)
    place = rng.randrange(len(segments))
    if way == 3:  # bytes of a header, its length apart
        segment = bytearray(segments[place])
        if len(segment) > 5:
            segment[rng.randrange(4, min(len(segment), 40))] = rng.choice([0, 1, 2, 8, 12, 16, 63,
                                                            255])
        segments[place] = bytes(segment)
    elif way == 4:
        if rng.random() < .5:
            del segments[place]
        else:
            segments.insert(place, segments[rng.randrange(len(segments))])
    else:  # the compressed pixels alone
        pixels = bytearray(segments[-1])
        start = rng.randrange(14, max(15, len(pixels) - 8))
        length = rng.choice([1, 2, 8, 64, 512])
        pixels[start:start + length] = rng.choice([
            b'', bytes(length), rng.randbytes(length), b'\xff\xd9', b'\xff\xd0' * 4, b'\xff\xda' * 2])
        segments[-1] = bytes(pixels)
    return b''.join(segments)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG with its right checksum."""
    return struct.pack('>I', len(content)) + kind + content + struct.pack(
        '>I', zlib.crc32(kind + content))


def split_png(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return kind and content of the chunks of a PNG."""
    chunks, start = [], 8
    while start + 12 <= len(data):
        length = struct.unpack('>I', data[start:start + 4])[0]
        chunks.append((data[start + 4:start + 8], data[start + 8:start + 8 + length]))
        start += 12 + length
    return chunks


def mutate_png(data: bytes, rng: random.Random) -> bytes:
    """Return a mutated PNG; most checksums are right, so that what they cover is looked at."""
    way = rng.randrange(7)
    if way == 0:
        return mutate_bytes(data, rng)
    if way == 1:
        return cut_short(data, rng)
    chunks = split_png(data)
    place = rng.randrange(len(chunks))
    if way == 2:  # the header: width, height, depth, colour, compression, filter, interlace
        header = bytearray(chunks[0][1])
        if rng.random() < .5:
            start = rng.choice([0, 4])
            header[start:start + 4] = struct.pack('>I', rng.choice(
                [0, 1, 7, 64, 20000, 50000, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]))
        else:
            header[rng.randrange(8, 13)] = rng.choice([0, 1, 2, 3, 4, 6, 8, 16, 32, 255])
        chunks[0] = chunks[0][0], bytes(header)
    elif way == 3:
        del chunks[place]
    elif way == 4:
        chunks.insert(place, rng.choice([
            chunks[rng.randrange(len(chunks))], (b'sBIT', b'\x0c'), (b'tRNS', b'\0\1'), (b'gAMA',
                                                            b'\0\0\0\1'),
            (b'zTXt', b'a\0\0' + zlib.compress(bytes(1 << 22))), (b'iCCP',
                                                            b'a\0\0' + zlib.compress(bytes(1 << 22))),
            (b'eXIf', b'MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0'), (b'PLTE', b'\0' * 768),
            (b'acTL', b'\0\0\0\2\0\0\0\0')]))
    elif way == 5:
        chunks[place] = chunks[place][0], mutate_bytes(chunks[place][1] or b'\0', rng)
    else:  # rows that are too few, too many, or of unknown filters
        rows = b''.join(content for kind, content in chunks if kind == b'IDAT')
        pixels = bytearray(zlib.decompress(rows))
        pixels = rng.choice([pixels[:-7], pixels[:len(pixels) // 2], pixels * 2,
                             bytearray(mutate_bytes(bytes(pixels), rng))])
        chunks = [chunk for chunk in chunks if chunk[0] != b'IDAT']
        chunks.insert(-1, (b'IDAT', zlib.compress(bytes(pixels), 1)))
    return data[:8] + b''.join(png_chunk(*chunk) for chunk in chunks)


def mutate_tiff(data: bytes, rng: random.Random) -> bytes:
    """Return a mutated TIFF: mostly one entry of its directory."""
    if rng.random() < .25:
        return mutate_bytes(data, rng)
    if rng.random() < .2:
        return cut_short(data, rng)
    order = '<' if data[:2] == b'II' else '>'
    changed = bytearray(data)
    start, = struct.unpack_from(order + 'I', data, 4)
    number, = struct.unpack_from(order + 'H', data, start)
    place = start + 2 + 12 * rng.randrange(number)
    field, size = rng.choice([(0, 2), (2, 2), (4, 4), (8, 4), (8, 4), (8, 4)])
    value = rng.choice([*INTERESTING, 3, 4, 5, 6, 12, 16, 256, 257, 258, 259, 262, 274, 339, 34712,
                        rng.randrange(2 ** 32)])
    changed[place + field:place + field + size] = struct.pack(
        order + {2: 'H', 4: 'I'}[size], value % (1 << 8 * size))
    if rng.random() < .1:  # a next directory, or the first one again
        struct.pack_into(order + 'I', changed, start + 2 + 12 * number, rng.choice([start,
                                                            0xffffffff, 8, 9]))
    return bytes(changed)


def mutate_header(data: bytes, rng: random.Random) -> bytes:
    """Return a BMP or WebP with another number among its first bytes, or mutated bytes."""
    way = rng.random()
    if way < .3:
        return mutate_bytes(data, rng)
    if way < .6:
        return cut_short(data, rng)
    changed, size = bytearray(data), rng.choice([1, 2, 4])
    start = rng.randrange(0, 60)
    changed[start:start + size] = (rng.choice(INTERESTING) % (1 << 8 * size)).to_bytes(size, 'little')
    return bytes(changed)
