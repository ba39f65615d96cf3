"""Files of runs that were changed by hand: one line that names file and entry."""
import json

import pytest

from mmwindow.engine.run_file import read_run, read_training_seconds
from mmwindow.experiments.results import load_systems
from mmwindow.experiments.run_state import read_result, read_state, read_work

RUN = dict(format='mmwindow-training', version=1, classes=['a'], input_size=[8, 9], seconds=3,
           epoch=2,
           best=dict(checkpoint='best_a.pth', metric='m', score=.5, epoch=1, metrics={}))


def write(folder, name, content):
    (folder / name).write_text(json.dumps(content))
    return folder


def test_no_run_at_all(tmp_path):
    assert read_run(tmp_path) is None and read_training_seconds(tmp_path) == 0
    assert read_state(tmp_path) is None and read_result(tmp_path) is None


def test_entries_that_are_null_have_their_default(tmp_path):
    run = read_run(write(tmp_path, 'run.json', {**RUN, 'epoch': None, 'best': None}))
    assert (run.epoch, run.best, run.classes, run.input_size) == (0, None, ('a', ), (8, 9))


@pytest.mark.parametrize('change, words', [
    (dict(seconds='3'), '"seconds"'), (dict(epoch=[]), '"epoch"'), (dict(best=3), '"best"'),
    (dict(best=dict(RUN['best'], score=None)), '"score"'), (dict(best={}), 'no "checkpoint"'),
    (dict(best=dict(RUN['best'], checkpoint='../../b.pth')), 'name of a file in this folder'),
    (dict(best=dict(RUN['best'], checkpoint='/etc/passwd')), 'name of a file in this folder'),
    (dict(classes=[3]), '"classes"'), (dict(classes='a'), '"classes"'), (dict(input_size=[1]),
                                                            'height'),
    (dict(input_size=['a', 2]), '"input_size"'), (dict(format='other'), 'no training')])
def test_an_entry_of_a_training_of_another_kind_is_named(change, words, tmp_path):
    with pytest.raises(ValueError, match=f'run.json: .*{words}'):
        read_run(write(tmp_path, 'run.json', {**RUN, **change}))
    write(tmp_path, 'run.json', None)
    with pytest.raises(ValueError, match='run.json: it describes no training'):
        read_run(tmp_path)


@pytest.mark.parametrize('content', ['"a"', 'null', '[]', '{"a": 1}'])
def test_seconds_of_older_versions_are_a_number(content, tmp_path):
    (tmp_path / 'training_seconds.json').write_text(content)
    if content in ('null', '[]'):
        assert read_training_seconds(tmp_path) == 0
    else:
        with pytest.raises(ValueError, match='training_seconds.json: it holds'):
            read_training_seconds(tmp_path)


@pytest.mark.parametrize('read, name, content, words', [
    (read_state, 'run.json', dict(mark=3), '"mark"'), (read_state, 'run.json', [], 'an object'),
    (read_work, 'run.json', dict(mark='a', splits=[]), 'no "trained"'), (read_work, 'run.json', 3,
                                                            'object'),
    (read_result, 'result.json', dict(training_seconds='1'), '"training_seconds"'),
    (lambda folder: load_systems([folder]), 'result.json', dict(records=3), '"system"|"records"'),
    (lambda folder: load_systems([folder]), 'result.json',
     dict(records=dict(test='t.json'), system='a\0b', config='c', fold=0), '"system" is .a.x00b'),
    (lambda folder: load_systems([folder]), 'result.json',
     dict(records=dict(test=3), system='a', config='c', fold=0), '"test"'),
    (lambda folder: load_systems([folder]), 'result.json',
     dict(records=dict(test='t.json'), system='a', config='c', fold='0'), '"fold"')])
def test_an_entry_of_an_experiment_of_another_kind_is_named(read, name, content, words, tmp_path):
    with pytest.raises(ValueError, match=f'{name}: .*({words})'):
        read(write(tmp_path, name, content))


@pytest.mark.parametrize('content', [3, None, [], 'system'])
def test_files_of_the_same_name_that_are_not_ours_are_passed_over(content, tmp_path):
    with pytest.raises(ValueError, match='there is no run in it'):
        load_systems([write(tmp_path, 'run.json', content)])
