"""Mutations of CSV, of configs and of command lines."""
import random
import re

from fuzzing.byte_mutators import mutate_bytes
from fuzzing.json_mutators import NAMES, encode

CELLS = (*NAMES, '0', '-1', '1e308', '1e400', '-1e400', 'nan', 'inf', '-inf', '1,5', '1.5.2', '0x10',
         '1_000', ' 3 ', '٣', '1' * 400,
         '"', '""', "'", '"open', 'a"b', '=1+1', '\t', 'x' * 140_000)


def mutate_csv(data: bytes, rng: random.Random) -> bytes:
    """Return a mutated CSV: cells, rows, head, separators, line ends or bytes.

    Args:
        data: A valid one without quotation marks.
        rng: Source of chance.
    """
    if rng.random() < .15:
        return mutate_bytes(data, rng)
    rows = [line.split(',') for line in data.decode().splitlines()]
    separator, end = ',', '\n'
    for _ in range(rng.choice([1, 1, 2])):
        number = rng.choice([0, rng.randrange(len(rows))])
        row = rows[number]
        column = rng.randrange(len(row)) if row else 0
        way = rng.randrange(12)
        if way < 4 and row:
            row[column] = rng.choice(CELLS)
        elif way == 4 and row:
            del row[column]
        elif way == 5:
            row.insert(column, rng.choice([*row, *CELLS]) if row else '')
        elif way == 6 and len(rows) > 1:
            del rows[number]
        elif way == 7:
            times = rng.choice([1, 1, 500])
            is_short = sum(map(len, row)) < 10_000  # else 500 of them are half a gigabyte
            rows[number:number] = [list(row)] * (times if is_short else 1)
        elif way == 8:
            rng.shuffle(rows)
        elif way == 9:
            separator = rng.choice([';', '\t', ' ', ', ', ',,', '|'])
        elif way == 10:
            end = rng.choice(['\r\n', '\r', '\n\n', '', ' \n', '\0\n'])
        else:
            for entry in rows:
                rng.shuffle(entry) if rng.random() < .5 else entry.append(rng.choice(CELLS))
    return encode(end.join(separator.join(row) for row in rows) + end, rng)


# No names but those that are harmless: a mutated config is executed.
TOKENS = ('(', ')', '[', ']', '{', '}', ',', ':', '=', "'", '"', '\n', '  ', '\t', '#', '\\', 'None',
          'True', '1', '-1', '1e999', 'nan',
          '...', '@', ';', '==', 'if', 'def', 'class', 'import', 'pass', '_base_', '_delete_',
          'dict', 'undefined',
          '\0', '\ufeff', 'é', '\ud800', "'" * 3, '{{', '}}', '{{ fileDirname }}', '{{_base_.a}}',
          '$', '(' * 500, '-' * 500,
          '9' * 5000, "'" + 'x' * 5000 + "'", 'return', 'yield', 'lambda:', '*', '**')


def mutate_tokens(data: bytes, rng: random.Random) -> bytes:
    """Return text with tokens left out, repeated, exchanged or inserted.

    Args:
        data: UTF-8.
        rng: Source of chance.
    """
    tokens = re.findall(r'\w+|\s+|[^\w\s]', data.decode())
    for _ in range(rng.choice([1, 1, 2, 4])):
        place, way = rng.randrange(len(tokens)), rng.randrange(5)
        if way == 0 and len(tokens) > 1:
            del tokens[place]
        elif way == 1:
            tokens[place] = rng.choice(TOKENS)
        elif way == 2:
            tokens.insert(place, rng.choice(TOKENS))
        elif way == 3:
            del tokens[max(place, 1):]
        else:
            tokens.insert(place, tokens[rng.randrange(len(tokens))])
    return encode(''.join(tokens), rng)
