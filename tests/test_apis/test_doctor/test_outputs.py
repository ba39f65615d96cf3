"""Text, JSON and page: all that was found, every text escaped, nothing loaded from elsewhere."""
import base64
import json
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from mmwindow.apis.doctor.pictures import picture_uri
from mmwindow.apis.doctor.report_html import render_html
from mmwindow.apis.doctor.report_json import report_content, write_report_json
from mmwindow.apis.doctor.report_text import render_text

from .conftest import make_picture

HOSTILE = '<script>alert("1")</script>&\'><img src=x onerror=alert(2)>.png'.replace('/', '_')


class Page(HTMLParser):
    """Collects tags, attributes and texts, and checks that tags are closed."""

    VOID = ('meta', 'img', 'line', 'circle', 'rect')

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts.append(text)


@pytest.fixture
def hostile(data):
    """A report on a data set with every kind of section, and a hostile file name in each."""
    data.fill({'train': 50, 'val': 4, 'test': 4})
    data.add('train', [(9, 9)], pixels=make_picture(99), name=HOSTILE)
    data.add('test', pixels=make_picture(99), name='copy of it\x1b[31m.png')
    data.add('train', content=b'', name=f'broken {HOSTILE}')
    data.add('train', [(-4, 4)], name=f'outside {HOSTILE}')
    return data.check()


def test_the_page_is_well_formed_and_all_texts_are_escaped(hostile):
    text = render_html(hostile)
    page = Page(text)
    names = [tag for tag, _ in page.tags]
    assert 'script' not in names and names.count('img') > 10
    for tag, attributes in page.tags:
        assert not [key for key in attributes if key.startswith('on')]
        if tag == 'img':  # the hostile <img> would have another source
            assert attributes['src'].startswith('data:image/jpeg;base64,')
    assert sum(HOSTILE in one for one in page.texts) >= 3  # shown as text
    assert '\x1b' not in text and 'u001b' not in text and r'\x1b' in text


def test_the_page_loads_nothing_from_elsewhere(hostile):
    text = render_html(hostile)
    assert not re.search(r'(?:https?:)?//|@import|url\(', re.sub('base64,[^"]*', '', text))
    assert {key for _, attributes in Page(text).tags for key in attributes} <= {
        'lang', 'charset', 'http-equiv', 'content', 'name', 'class', 'role', 'aria-label', 'width',
        'height', 'x1', 'x2', 'y1', 'y2', 'stroke', 'stroke-width', 'cx', 'cy', 'r', 'fill', 'src',
        'alt'}
    policies = [attributes['content'] for _, attributes in Page(text).tags
                if attributes.get('http-equiv') == 'Content-Security-Policy']
    assert len(policies) == 1 and "default-src 'none'" in policies[0]


def test_pictures_hold_the_image_and_its_points(single):
    single.add(points=[(40, 24)], pixels=np.full((96, 80), 50, np.uint8), name='grey.png')
    path = single.folder / 'images/grey.png'
    plain, marked = (cv2.imdecode(np.frombuffer(base64.b64decode(
        picture_uri(path, points).partition(',')[2]), np.uint8), cv2.IMREAD_COLOR)
        for points in ((), [(40, 24)]))
    # 220 pixels for 96 rows: the point at (40, 24) is at (91.7, 55).
    assert plain.shape == (220, 183, 3) and abs(int(plain.mean()) - 50) <= 1
    changed = np.argwhere(np.abs(marked.astype(int) - plain).max(2) > 60)
    assert changed.mean(0) == pytest.approx([55, 91.7], abs=1.5)
    assert picture_uri(single.folder / 'none.png') == ''


def test_json_holds_all_that_was_found(hostile, tmp_path):
    write_report_json(hostile, tmp_path / 'report.json')
    content = json.loads((tmp_path / 'report.json').read_text())
    assert content == json.loads(json.dumps(report_content(hostile)))
    assert content['format'] == 'mmwindow-check' and content['version'] == 1
    # 29 of 58 and one more are positive; a copy, a broken image and that with its
    # point outside are not.
    assert content['status'] == 1 and content['findings_per_image'] == {'0': 32, '1': 30}
    damaged, = (entry for entry in content['problems'] if entry['kind'] == 'damaged images')
    assert damaged['items'][0].startswith('broken <script>')
    assert content['timing']['num_images'] == 62
    assert content['timing']['reading_ratio'] >= 1
    pair, = content['copies']['pairs']
    assert pair['kind'] == 'equal bytes' and pair['correlation'] == 1


def test_the_screen_shows_problems_first_and_no_control_characters(hostile):
    lines = render_text(hostile, has_timing=True).splitlines()
    severities = [line.split(':')[0] for line in lines if line.split(':')[0] in (
        'error', 'warning', 'note')]
    assert lines[2].startswith('error: ') and severities == sorted(
        severities, key=['error', 'warning', 'note'].index)
    assert 'impossible' in next(line for line in lines if ' errors, ' in line)
    assert 'times decoding' in lines[-1] and all(line.isprintable() for line in lines)


def test_a_report_without_images_or_problems_is_a_page_too(single):
    for _ in range(3):
        single.add()
    page = Page(render_html(single.check()))
    assert 'Points on images' not in page.texts  # there is no positive image
