"""The runner of tutorials: what it reads from a page, what it takes for equal, what it writes."""
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))

from tutorials.page import Outcome, match_lines, named_files, paste, read_page  # noqa: E402
from tutorials.run import find_faults, run_in_process, run_in_shell, run_page  # noqa: E402

PAGE = '''# A page

```console
$ N=300
$ seq $N | wc -l
300
```

<!-- full run only: three hundred -->
```console
$ echo one; \\
  echo three hundred
one
...
```

<!-- not in the test -->
```console
$ false
[exit status 1]
```

It names `made.csv`, `NAME.csv` and [another](other.md).

<!-- times -->
<!-- end -->

The test of this page has `N=24` and
`mmwindow train ... --no-report`.
'''


@pytest.fixture
def page(tmp_path, monkeypatch):
    (tmp_path / 'page.md').write_text(PAGE)
    monkeypatch.chdir(tmp_path)
    return read_page(tmp_path / 'page.md')


def test_page_is_read(page):
    assert [command.text for command in page.commands] == [
        'N=300', 'seq $N | wc -l', 'echo one; echo three hundred', 'false']
    assert [command.shown for command in page.commands] == [
        [], ['300'], ['one', '...'], ['[exit status 1]']]
    assert page.variables == {'N': '24'} and page.additions == {'mmwindow train': '--no-report'}
    assert named_files(page) == (['other.md'], ['made.csv'])


def test_commands_run_full_and_small(page):
    full = run_page(page, False, run_in_shell)
    assert [outcome.lines for outcome in full] == [
        [], ['300'], ['one', 'three hundred'], ['[exit status 1]']]
    small = run_page(page, True, run_in_process)
    assert [outcome.lines for outcome in small] == [[], ['24'], ['one', 'three hundred']]
    faults = find_faults(page, small, True)
    assert len(faults) == 2 and 'other.md' in faults[0] and 'made.csv' in faults[1]


def test_output_that_differs_is_a_fault(page):
    outcomes = run_page(page, False, run_in_shell)
    outcomes[1].lines = ['not a number']
    assert 'not a number' in find_faults(page, outcomes, False)[0]
    outcomes[1].lines = ['300', 'a line more']
    assert 'a line more' in find_faults(page, outcomes, False)[0]


def test_output_is_pasted_with_new_numbers_and_times(page):
    outcomes = [Outcome('N=300', []), Outcome('seq', ['12'], 100., 7.),
                Outcome('echo', ['one', 'two', 'three']), Outcome('false', ['[exit status 1]'])]
    paste(page, outcomes, 'a machine')
    text = page.path.read_text()
    assert '$ seq $N | wc -l\n12\n```' in text and 'one\n...\n```' in text
    assert '| `seq` | 2 min | 7 s |' in text and 'Measured on: a machine' in text
    assert read_page(page.path).variables == {'N': '24'}


@pytest.mark.parametrize('shown, printed, is_equal', [
    (['3 images'], ['12 images'], True),
    (['time: 1 h 40 min'], ['time: 7 s'], True),
    (['a  b'], ['a b'], True),
    (['auroc 0.93 (0.9 to 1.0)'], ['auroc 0.5 (0.4 to 0.6)'], True),
    (['device  AMD EPYC (AVX512), 2 threads'], ['device  cpu of another kind, 1 thread'], True),
    (['device  AMD EPYC'], ['processor  AMD EPYC'], False),
    (['devices AMD'], ['devices Intel'], False),
    (['3 images'], ['3 pictures'], False),
    (['a'], ['a', 'b'], False),
    (['a', '...'], ['a', 'b'], True),
    (['...', 'c'], ['a', 'b', 'c'], True),
    (['...', 'd'], ['a', 'b', 'c'], False),
    (['a', 'c'], ['a', 'b', 'c'], False)])
def test_what_counts_as_equal(shown, printed, is_equal):
    assert isinstance(match_lines(shown, printed), list) == is_equal


def test_finished_commands_of_an_earlier_run_are_kept(page, tmp_path):
    kept = tmp_path / 'kept.json'
    run_page(page, False, run_in_shell, kept)
    again = []
    run_page(page, False, run_in_shell, kept, again.append)
    assert again == []
    page.commands[2].text = 'echo other'
    run_page(page, False, run_in_shell, kept, again.append)
    assert [command.text for command in again] == ['echo other', 'false']
