"""Counts with their nouns, which the messages of the package use."""
import re
from pathlib import Path

import pytest

from mmwindow.utils.messages import count_phrase, count_words

PACKAGE = Path(__file__).parents[2] / 'mmwindow'
NOUNS = ('images', 'patients', 'files', 'findings', 'readers', 'records', 'boxes', 'marks', 'groups',
         'folds', 'epochs', 'annotations', 'entries', 'runs', 'objects', 'pairs')
# Numbers of what a message is about, put in front of a plural as they are.
PLAIN = re.compile(r'\{(?:len\([^{}]*\)|[a-z_.]*(?:num|count)[a-z_.]*)\} (?:' + '|'.join(NOUNS)
                   + r')\b')


def test_nouns_agree_with_their_number():
    assert [count_words(number, 'image') for number in (0, 1, 2)] == [
        '0 images', '1 image', '2 images']
    assert count_words(1, 'entry differs', 'entries differ') == '1 entry differs'
    assert count_words(3, 'entry differs', 'entries differ') == '3 entries differ'


@pytest.mark.parametrize('plural, singular', [
    ('images with a tag (left out)', 'image with a tag (left out)'),
    ('marks that are there twice (the same place and class)',
     'mark that is there twice (the same place and class)'),
    ('lines, such as a measured length', 'line, such as a measured length'),
    ('boxes without area (the centre)', 'box without area (the centre)'),
    ('presentation states without a mark', 'presentation state without a mark'),
    ('earlier annotations by the same person', 'earlier annotation by the same person'),
    ('exact copies left out', 'exact copy left out'),
    ('cancelled annotations', 'cancelled annotation'), ('of unknown kind', 'of unknown kind'),
    ('', '')])
def test_the_first_noun_of_a_phrase_becomes_a_singular(plural, singular):
    assert count_phrase(1, plural) == f'1 {singular}'
    assert count_phrase(0, plural) == f'0 {plural}' and count_phrase(7, plural) == f'7 {plural}'


@pytest.mark.parametrize('folder', ['annotations', 'images', 'datasets', 'apis/doctor',
                                    'apis/commands'])
def test_no_count_stands_before_a_plural_as_it_is(folder):
    """What users read about their data, of which there may be a single image."""
    paths = list((PACKAGE / folder).rglob('*.py'))
    assert paths and [f'{path.name}: {match[0]}' for path in paths
                      for match in PLAIN.finditer(path.read_text(encoding='utf-8'))] == []
