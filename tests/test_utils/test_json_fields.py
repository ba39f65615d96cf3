"""Entries of files that were changed by hand are named."""
import json

import pytest

from mmwindow.utils.json_fields import FLAG, LIST, NUMBER, OBJECT, TEXT, WHOLE, read_fields

KINDS = dict(name=TEXT, seed=WHOLE.or_none, score=NUMBER.optional, parts=LIST.optional,
             versions=OBJECT.optional, done=FLAG.optional)


def test_no_file_is_none_and_other_entries_are_left_alone(tmp_path):
    assert read_fields(tmp_path / 'a.json', 'run file', KINDS) is None
    content = dict(name='a', seed=None, score=1, parts=[], versions={}, done=True, more=[None])
    (tmp_path / 'a.json').write_text(json.dumps(content))
    assert read_fields(tmp_path / 'a.json', 'run file', KINDS) == content
    assert read_fields(tmp_path / 'a.json', 'run file', {}) == content


@pytest.mark.parametrize('content, words', [
    (None, 'run file is None; an object'), ([], 'an object'), (3, 'an object'),
    (dict(seed=1), 'has no "name"; a text'), (dict(name='a'), 'has no "seed"; a whole number'),
    (dict(name=3, seed=1), '"name" of the run file is 3; a text'),
    (dict(name='a', seed=True), '"seed" .* is True'), (dict(name='a', seed=1.5), '"seed" .* is 1.5'),
    (dict(name='a', seed=1, score='x' * 5000), '"score" .*a number'),
    (dict(name='a', seed=1, score=float('nan')), '"score" .* is nan'),
    (dict(name='a', seed=1, parts={}), '"parts" .*a list'),
    (dict(name='a', seed=1, versions=[]), '"versions" .*an object'),
    (dict(name='a', seed=1, done=1), '"done" of the run file is 1; true or false')])
def test_an_entry_of_another_kind_is_named_with_its_file(content, words, tmp_path):
    (tmp_path / 'a.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f'a.json: .*{words}') as error:
        read_fields(tmp_path / 'a.json', 'run file', KINDS)
    assert len(str(error.value)) < 700 and len(str(error.value).splitlines()) == 1
