"""What a config inherits is there, and no config inherits itself."""
import time

import pytest

from mmwindow.apis import load_config
from mmwindow.apis.config_bases import check_bases


def write(folder, **texts):
    for name, text in texts.items():
        (folder / f'{name}.py').write_text(text)
    return folder / 'a.py'


def test_a_config_without_bases_and_one_that_inherits_twice_by_two_ways(tmp_path):
    assert load_config(write(tmp_path, a='b = 1'))['b'] == 1
    path = write(tmp_path, a="_base_ = ['b.py', 'c.py']", b="_base_ = 'd.py'", c='c = 1', d='d = 2')
    check_bases(path)
    assert (load_config(path)['c'], load_config(path)['d']) == (1, 2)


@pytest.mark.parametrize('texts, ring', [
    (dict(a="_base_ = 'a.py'"), 'a.py -> a.py'), (dict(a="_base_ = ['./a.py']"), 'a.py -> a.py'),
    (dict(a="_base_ = 'b.py'", b="_base_ = './a.py'"), 'a.py -> b.py -> a.py'),
    (dict(a="_base_ = 'b.py'", b="_base_ = 'c.py'", c="_base_ = 'b.py'"), 'b.py -> c.py -> b.py')])
def test_a_config_that_inherits_itself_is_rejected_at_once(texts, ring, tmp_path):
    started = time.process_time()
    with pytest.raises(ValueError, match=f'it inherits itself .*{ring}'):
        load_config(write(tmp_path, **texts))
    assert time.process_time() - started < 5  # mmengine takes minutes


@pytest.mark.parametrize('base, words', [
    ("'missing.py'", "'missing.py' is no file"), ("''", 'is no file'), ("'.'", 'is no file'),
    ("'a\\0.py'", 'is no file'), (repr('x' * 5000), 'is no file'), ('3', '_base_ is 3'),
    ('None', '_base_ is None'), ('[["b.py"]]', '_base_ is'), ('{}', '_base_ is'),
    ("['b.py', 'missing.py']", "'missing.py' is no file")])
def test_a_base_that_is_missing_or_no_path_is_named(base, words, tmp_path):
    with pytest.raises(ValueError, match=f'a.py: .*{words}') as error:
        load_config(write(tmp_path, a=f'_base_ = {base}', b=''))
    assert len(str(error.value)) <= 700 and len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize('text', [
    'a = (', 'a = 1\n  b = 2', '\0', 'a = undefined', 'a = 1 / 0', '(' * 500, 'raise KeyError(3)',
    'train_dataloader = 3', 'train_dataloader = dict(dataset=3)',
    'input_size = 3\ntest_dataloader = [1]',
    'val_dataloader = dict(dataset=dict(pipeline=[3]))', '﻿a = "\\ud800', '9' * 5000])
def test_whatever_is_wrong_in_a_config_is_one_line_with_its_name(text, tmp_path):
    with pytest.raises(ValueError, match='config .*a.py: ') as error:
        load_config(write(tmp_path, a=text))
    assert len(str(error.value)) <= 700 and len(str(error.value).splitlines()) == 1
