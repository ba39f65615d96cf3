"""The fuzzer finds each kind of fault that is planted, and the same cases each time."""
import os
import signal
import sys
import time
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / 'tools'
sys.path.insert(0, str(TOOLS))
from fuzzing import children, command, readers_annotations  # noqa: E402
from fuzzing.harness import (  # noqa: E402
    EQUAL,
    FAULT,
    REJECTED,
    VALID,
    Case,
    Reader,
    Seed,
    find_difference,
    make_case,
)
from fuzzing.table import BEGIN, END, read_results, write_page  # noqa: E402

SEEDS = [Seed({'a.txt': b'7'}, 'a.txt')]


def planted(read, reread=lambda case: 7, same_is_right=False):
    """Return a reader of files whose mutation is to be an 8."""
    return Reader('planted', lambda: SEEDS, lambda name, data, rng: b'8', read, reread,
                  same_is_right=same_is_right)


def outcome_of(reader, tmp_path, seconds=20.):
    result, = children.run_batch(reader, SEEDS, 0, [0], tmp_path / 'work', seconds)
    assert result.index == 0
    return result.outcome


def reject(text, kind=ValueError, cause=None):
    def read(case):
        raise kind(text.format(case.path)) from cause
    return read


def write_elsewhere(case):
    Path('/tmp/planted_by_the_test_of_the_fuzzer').write_text('')


def spin(case):
    while True:
        time.monotonic()


def take_memory(case):
    # Six times the limit: the kernel counts memory in use loosely, by processors.
    return len(bytearray(b'1') * (600 << 20)) and 7


@pytest.mark.parametrize('read, fault', [
    (reject('{}: wrong', KeyError), 'KeyError'), (reject('{}: two\nlines'), 'lines'),
    (reject('{}: ' + 'x' * 700), 'length'), (reject('something is wrong'), 'names no file'),
    (reject('{}: \x1b[31m'), 'control characters'), (reject('{}: wrong', cause=MemoryError()),
                                                     'memory'),
    (reject('{}: wrong', UnicodeError), 'UnicodeError'), (lambda case: 9, 'wrong'),
    (lambda case: signal.raise_signal(signal.SIGSEGV), 'crash'), (lambda case: os._exit(3), 'exit'),
    (spin, 'hang'), (take_memory, 'memory'), (write_elsewhere, 'forbidden'),
    (lambda case: os.system('true'), 'forbidden'), (reject('stop', KeyboardInterrupt),
                                                    'KeyboardInterrupt')])
def test_each_kind_of_fault_is_found(read, fault, tmp_path, monkeypatch):
    monkeypatch.setattr(children, 'MAX_GROWTH_MB', 100)
    found = outcome_of(planted(read), tmp_path, seconds=1. if read is spin else 20.)
    assert found.kind == FAULT and fault in found.fault
    assert not Path('/tmp/planted_by_the_test_of_the_fuzzer').exists()


def fail(case):
    raise TypeError('the file means nothing')


@pytest.mark.parametrize('reader, kind', [
    (planted(reject('{}: it is no number; write one')), REJECTED),
    (planted(lambda case: 7), EQUAL),  # what was read before as well
    (planted(lambda case: int(case.path.read_text()), lambda case: 8), VALID),
    (planted(lambda case: 7, fail), FAULT), (planted(lambda case: 7, fail, same_is_right=True),
                                             EQUAL)])
def test_what_is_no_fault(reader, kind, tmp_path):
    assert outcome_of(reader, tmp_path).kind == kind


def test_a_crash_costs_one_case(tmp_path):
    def read(case):
        number = int((case.path.parent / 'number').read_text())
        return signal.raise_signal(signal.SIGKILL) if number == 2 else number
    numbers = iter(range(9))
    reader = Reader('planted', lambda: [], lambda name, data, rng: b'%d' % next(numbers), read,
                    lambda case: int((case.path.parent / 'number').read_text()))
    seeds = [Seed({'number': b'0'}, 'number')]
    kinds = [result.outcome.kind for result in children.run_batch(reader, seeds, 0, range(3),
                                                            tmp_path / 'work')]
    assert kinds.count(FAULT) == 1 and len(kinds) == 3


def test_a_case_is_made_of_seed_reader_and_index_alone(tmp_path):
    reader = readers_annotations.READERS[0]
    seeds = reader.make_seeds()
    made = []
    for folder in ('first', 'second'):
        for index in range(40):
            case, _ = make_case(reader, seeds, 5, index, tmp_path / folder / str(index))
            made.append((case.path.read_bytes(), case.options))
    assert made[:40] == made[40:] and len({content for content, _ in made}) > 30


@pytest.mark.parametrize('first, second, where', [
    (dict(a=[1, 2.]), dict(a=[1., 2]), None), (float('nan'), float('nan'), None), (1., 1.1, 'value'),
    (True, 1, 'value'), ([1], [1, 2], 'length'), (dict(a=dict(b=1)), dict(a=dict(b=2)), '.a.b'),
    (dict(a=1), dict(b=1), 'keys'), ('1', 1, 'value'), (None, 0, 'value')])
def test_a_difference_is_named(first, second, where):
    found = find_difference(first, second)
    assert found is None if where is None else found.startswith(where)


def test_the_tool_counts_its_cases_and_writes_the_page(tmp_path, capsys):
    page = tmp_path / 'page.md'
    page.write_text(f'before\n{BEGIN}\nstale\n{END}\nafter\n')
    with pytest.raises(SystemExit) as ended:
        command.main(['points', 'folds', '--cases', '25', '--out', str(tmp_path / 'out'), '--page',
                      str(page)])
    assert ended.value.code == 0
    contents = read_results(tmp_path / 'out' / 'results')
    assert [content['counts']['reader'] for content in contents] == ['folds', 'points']
    for content in contents:
        entry = content['counts']
        assert content['seed'] == 0 and content['command'].endswith('--cases 25 --seed 0')
        assert entry['cases'] == 25 == sum(entry[key] for key in ('rejected', 'equal', 'valid',
                                                            'faults'))
    text = page.read_text()
    assert text.startswith('before\n') and text.endswith('after\n') and 'stale' not in text
    assert '| points | 25 |' in text and '| all | 50 |' in text
    page.write_text('no marks')
    with pytest.raises(ValueError, match='page.md: the lines'):
        write_page(page, contents)


def test_a_fault_is_kept_with_the_command_that_shows_it_again(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(command.READERS, 'planted', planted(lambda case: 9, lambda case: int(
        case.path.read_text().replace('7', '9'))))
    with pytest.raises(SystemExit) as ended:
        command.main(['planted', '--cases', '2', '--seed', '3', '--out', str(tmp_path)])
    assert ended.value.code == 1
    assert 'tools/fuzz.py planted --seed 3 --case 0' in capsys.readouterr().out
    assert (tmp_path / 'faults' / 'planted-3-0' / 'a.txt').read_bytes() == b'8'
    with pytest.raises(SystemExit) as ended:
        command.main(['planted', '--seed', '3', '--case', '0', '--out', str(tmp_path)])
    assert ended.value.code == 1 and 'fault wrong' in capsys.readouterr().out


@pytest.mark.parametrize('arguments', [['nobody'], ['--cases', '0'], ['--case', '3'], ['points',
                                                            '--case', '-1']])
def test_bad_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        command.parse_arguments(arguments)
    assert ended.value.code == 2 and 'error' in capsys.readouterr().err


def test_every_reader_names_what_it_is():
    assert all(isinstance(reader, Reader) and reader.name == name for name,
               reader in command.READERS.items())
    assert Case(Path('a'), {}).options == {}
