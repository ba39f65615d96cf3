"""A JSON file is read, or one line says which file it is and what is wrong with it."""
import json
import os

import pytest

from mmwindow.utils.files import load_json
from mmwindow.utils.messages import name_some, shorten


def write(folder, text):
    path = folder / 'some.json'
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize('text, content', [
    ('[]', []), ('{"a": {"a": 1}, "b": [1, 2.5, null]}', dict(a=dict(a=1), b=[1, 2.5, None])),
    (b'\xef\xbb\xbf{"a": "\xc3\xa4"}', dict(a='\u00e4')),  # a byte order mark
    ('9' * 308, 10 ** 308 - 1)])
def test_what_is_read(tmp_path, text, content):
    assert load_json(write(tmp_path, text), 'table') == content


@pytest.mark.parametrize('text, words', [
    ('', 'no JSON'), ('{"a": [1, 2', 'cut short'), (b'\xff\xfe\x00', 'no JSON'),
    ('{"a": 1, "b": {"key": 1, "x": 2, "key": 3}}', "the key 'key' twice"),
    ('[' * 100_000 + ']' * 100_000, 'nested too deep'),
    ('{"a":' * 100_000 + '1' + '}' * 100_000, 'nested too deep'),
    ('[1' + '0' * 400 + ']', '401 digits'), ('[1' + '0' * 5000 + ']', '5001 digits'),
    (json.dumps({'k' * 5000: 1})[:-1] + ', "' + 'k' * 5000 + '": 2}', 'twice')])
def test_what_is_rejected_in_one_short_line(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(ValueError) as caught:
        load_json(path, 'table')
    message = str(caught.value)
    assert message.startswith(f'{path}: the table ') and words in message
    assert len(message) < 800 and '\n' not in message


def test_nan_is_accepted_or_rejected_as_asked(tmp_path):
    path = write(tmp_path, '[NaN, -Infinity]')
    assert [repr(value) for value in load_json(path, 'table')] == ['nan', '-inf']
    with pytest.raises(ValueError, match=r'some\.json: .*NaN'):
        load_json(path, 'table', allow_nan=False)


def test_what_is_no_ordinary_file(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    for path, words in ((tmp_path / 'none', 'No such file'), (tmp_path, 'it is a folder'),
                        (tmp_path / 'pipe', 'ordinary file'), ('a\0b', 'NUL'),
                        ('/dev/null', 'device'), ('a' * 5000, 'name too long')):
        with pytest.raises(ValueError, match=words) as caught:
            load_json(path, 'table')
        assert len(str(caught.value)) < 600 and '\0' not in str(caught.value)


def test_values_in_messages_are_short():
    assert shorten('a' * 200) == 'a' * 200
    assert shorten('a' * 5000) == 'a' * 200 + '... (5000 characters)'
    assert shorten([1, 'x']) == "[1, 'x']"
    assert shorten(10 ** 5000) == '<int>'  # Python prints no such number
    assert name_some([]) == '' and name_some({2, '1'}) == "'1', 2"
    assert name_some(range(7)) == '0, 1, 2, 3, 4 and 2 more'
