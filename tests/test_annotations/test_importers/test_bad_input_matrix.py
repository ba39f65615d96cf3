"""Each kind of bad input in each format where it can occur: one line with file and record, no output.

A row of ``FORMATS`` writes a source as its tool does; a column of ``KINDS`` spoils it.
"""
import base64
import json
import re
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from mmwindow.annotations.importers import assemble, formats
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.annotation_files import import_annotations

HEIGHT, WIDTH = 40, 50


class Wanted(NamedTuple):
    """What a source says, spoiled or not.

    Attributes:
        names: Of its images, ``home/images`` has 'a.png' and 'säge/b 1.png'.
        points: Of the first image; of None a box instead, from (10, 20), this wide and high:
        box: Width and height.
        size: Height and width that the source says.
        label: Class.
    """

    names: tuple = ('a.png', )
    points: tuple = ((10.5, 20.5), )
    box: tuple | None = None
    size: tuple = (HEIGHT, WIDTH)
    label: str = 'bruch'


def finish_json(path, content, encoding):
    path.write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))
    return path


def coco(home, want, encoding, dicom):
    images = [dict(id=1, file_name=name, height=want.size[0], width=want.size[1])
              for name in want.names]
    for number, image in enumerate(images):
        image['id'] = 1 if want.names[0] == want.names[-1] else number + 1
    shapes = [dict(bbox=[10, 20, *want.box])] if want.box else [
        dict(keypoints=[x, y, 2], num_keypoints=1) for x, y in want.points]
    return finish_json(home / 'a.json', dict(
        images=images, categories=[dict(id=1, name=want.label)],
        annotations=[dict(shape, id=number, image_id=1, category_id=1)
                     for number, shape in enumerate(shapes)]), encoding)


def labelme(home, want, encoding, dicom):
    shapes = [dict(shape_type='point', points=[[x, y]]) for x, y in want.points]
    for number, name in enumerate(want.names):
        path = home / 'labelme' / f'{number}.json'
        path.parent.mkdir(exist_ok=True)
        finish_json(path, dict(version='5', imagePath=name, imageHeight=want.size[0],
                               imageWidth=want.size[1],
                               shapes=[dict(shape, label=want.label) for shape in shapes]), encoding)
    return path.parent


def via(home, want, encoding, dicom):
    shapes = [dict(name='rect', x=10, y=20, width=want.box[0], height=want.box[1])] if want.box else [
        dict(name='point', cx=x, cy=y) for x, y in want.points]
    return finish_json(home / 'a.json', {f'{name}{number}': dict(filename=name, regions=[
        dict(shape_attributes=shape, region_attributes=dict(kind=want.label)) for shape in shapes])
        for number, name in enumerate(want.names)}, encoding)


def label_studio(home, want, encoding, dicom):
    def percent(x, y):
        return dict(x=100 * x / WIDTH, y=100 * y / HEIGHT)
    values = [('rectanglelabels', dict(x=20, y=50, width=want.box[0], height=want.box[1]))
              ] if want.box else [('keypointlabels', percent(x, y)) for x, y in want.points]
    return finish_json(home / 'a.json', [dict(id=number, data=dict(image=name), annotations=[dict(
        was_cancelled=False, result=[dict(
            type=kind, id=f'r{place}', original_width=want.size[1], original_height=want.size[0],
            value={**value, kind: [want.label]}) for place, (kind, value) in enumerate(values)])])
        for number, name in enumerate(want.names)], encoding)


def cvat(home, want, encoding, dicom, prolog=''):
    body = (f'<box label="{want.label}" xtl="10" ytl="20" xbr="{10 + want.box[0]}" '
            f'ybr="{20 + want.box[1]}"/>' if want.box else f'<points label="{want.label}" points="'
            + ';'.join(f'{x},{y}' for x, y in want.points) + '"/>')
    text = prolog + '<annotations>' + ''.join(
        f'<image id="{number}" name="{name}" width="{want.size[1]}" height="{want.size[0]}">{body}'
        '</image>' for number, name in enumerate(want.names)) + '</annotations>'
    (home / 'a.xml').write_bytes(text.encode(encoding))
    return home / 'a.xml'


def voc(home, want, encoding, dicom, prolog=''):
    boxes = [(10, 20, 10 + want.box[0], 20 + want.box[1])] if want.box else [
        (x - 1, y - 1, x + 1, y + 1) for x, y in want.points]
    body = ''.join(f'<object><name>{want.label}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>'
                   f'<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>' for a, b, c, d in boxes)
    for number, name in enumerate(want.names):
        path = home / 'voc' / f'{number}.xml'
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((
            f'{prolog}<annotation><filename>{name}</filename><size><width>{want.size[1]}</width>'
            f'<height>{want.size[0]}</height></size>{body}</annotation>').encode(encoding))
    return path.parent


def yolo(home, want, encoding, dicom):
    boxes = [(10, 20, *want.box)] if want.box else [(x, y, 2, 2) for x, y in want.points]
    (home / 'labels').mkdir()
    (home / 'labels' / 'classes.txt').write_bytes(want.label.encode(encoding))
    for name in want.names:
        file = (home / 'labels' / name.replace('\\', '/')).with_suffix('.txt')
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(''.join(f'0 {x / WIDTH:.6f} {y / HEIGHT:.6f} {w / WIDTH:.6f} '
                                f'{h / HEIGHT:.6f}\n' for x, y, w, h in boxes))
    return home / 'labels'


def csv(home, want, encoding, dicom):
    rows = ['image,x,y,width,height,class'] if want.box else ['image,x,y,class']
    for name in want.names:
        rows += [f'{name},10,20,{want.box[0]},{want.box[1]},{want.label}'] if want.box else [
            f'{name},{x},{y},{want.label}' for x, y in want.points]
    (home / 'a.csv').write_bytes('\n'.join(rows).encode(encoding))
    return home / 'a.csv'


def masks(home, want, encoding, dicom):
    (home / 'masks').mkdir()
    mask = np.zeros(want.size, np.uint8)
    if len(want.points) > 100:  # as many single pixels as there is place for
        mask = np.zeros((1000, 1000), np.uint8)
        mask[::2, ::2] = 255
    else:
        for x, y in want.points:
            mask[int(y) - 2:int(y) + 2, int(x) - 2:int(x) + 2] = 255
    for number, name in enumerate(want.names):
        stem = name.rpartition('.')[0].replace('\\', '/') + ('_mask' if number else '')
        path = home / 'masks' / f'{stem}.png'
        path.parent.mkdir(exist_ok=True, parents=True)
        Image.fromarray(mask).save(path)
    return home / 'masks'


def encode_again(content, text, encoding):
    """Return a DICOM file whose text has another encoding than it says."""
    before, after = text.encode(), text.encode(encoding)
    return content.replace(before, after.ljust(len(before)))


def sr(home, want, encoding, dicom):
    numbers = [value for point in want.points for value in point]
    kind = 'POINT' if len(want.points) == 1 else 'MULTIPOINT'
    groups = [dicom.group(dicom.finding(want.label), dicom.scoord(kind, numbers, name))
              for name in want.names]
    content = dicom.bytes(dicom.report(dicom.library(*want.names), measurements=groups))
    (home / 'report').write_bytes(encode_again(content, want.label, encoding))
    return home / 'report'


def gsps(home, want, encoding, dicom):
    content = dicom.bytes(dicom.state(*[dicom.annotation(
        *[dicom.graphic('POINT', [x, y]) for x, y in want.points[:101]], names=[name],
        texts=[want.label]) for name in want.names], names=want.names))
    (home / 'state').write_bytes(encode_again(content, want.label, encoding))
    return home / 'state'


FORMATS = dict(coco=coco, labelme=labelme, via=via, label_studio=label_studio, cvat=cvat, voc=voc,
               yolo=yolo, csv=csv, masks=masks, sr=sr, gsps=gsps)
DICOM, WITH_SIZE = ('sr', 'gsps'), ('coco', 'labelme', 'label_studio', 'cvat', 'voc', 'masks')
WITH_BOXES = ('coco', 'via', 'label_studio', 'cvat', 'voc', 'yolo', 'csv')
TEXTS = {'labelme', 'via', 'label_studio', 'coco', 'csv', 'yolo'}
BOMB = ('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb">'
        + ''.join(f'<!ENTITY b{n} "{f"&b{n - 1 or str()};" * 10}">' for n in range(1, 9)) + ']>')
OTHER_FILE = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b8 SYSTEM "file:///etc/passwd">]>'


def cut(path):
    """Cut the (first) file in its middle."""
    path = path if path.is_file() else sorted(path.rglob('*.[jxtp]*'))[0]
    content = path.read_bytes()
    path.write_bytes(content[:len(content) - max(6, len(content) // 3)])


class Kind(NamedTuple):
    """One kind of bad input.

    Attributes:
        want: What the source says.
        words: Of the message, a regular expression; by format where they differ.
        formats: Where it can occur.
        encoding: Of the file.
        change: Is given the path that was written.
        prolog: Of XML.
    """

    want: Wanted
    words: str | dict
    formats: tuple = tuple(FORMATS)
    encoding: str = 'utf-8'
    change: object = None
    prolog: str = ''


MANY = tuple((10 + number % 1000 / 100, 10 + number // 1000 / 10) for number in range(100_000))
TWICE = Wanted(names=('a.png', 'a.png'))
KINDS = {
    'cut short': Kind(Wanted(), {
        'csv': 'columns|x is|y is|empty', 'yolo': 'line 1: ', 'masks': 'damaged', 'sr': 'cut short',
        'gsps': 'cut short', 'cvat': 'cut short', 'voc': 'cut short', '': 'no JSON, or cut short'},
        change=cut),
    'another encoding': Kind(
        Wanted(label='brüche'), {'cvat': 'no XML|cut short', 'voc': 'no XML|cut short',
                                 'sr': 'character set', 'gsps': 'character set',
                                 '': 'UTF-8|utf-8'},
        tuple(set(FORMATS) - {'masks'}), encoding='latin-1'),
    'UTF-16': Kind(Wanted(), 'UTF-8|utf-8', tuple(TEXTS), encoding='utf-16'),
    'entities that grow': Kind(Wanted(label='&b8;'), 'defines entities', ('cvat', 'voc'),
                               prolog=BOMB),
    'an entity of another file': Kind(Wanted(label='&b8;'), 'defines entities', ('cvat', 'voc'),
                                      prolog=OTHER_FILE),
    'a path that leaves the folder': Kind(
        Wanted(names=('../../etc/passwd.png', )), 'passwd.* is not among the 2 images',
        tuple(set(FORMATS) - {*DICOM, 'yolo', 'masks'})),
    'an absolute path': Kind(Wanted(names=('/etc/passwd.png', )), 'passwd.* is not among',
                             tuple(set(FORMATS) - {*DICOM, 'yolo', 'masks'})),
    'an image that is not there': Kind(Wanted(names=('gone.png', )), 'is not among the'),
    'more points than are read': Kind(Wanted(points=MANY[:10_001]),
                                      '(10001|101) findings on one|has 250000 parts'),
    '100,000 points on one image': Kind(Wanted(points=MANY), '100000 findings on one',
                                        tuple(set(FORMATS) - {'gsps', 'masks'})),
    'a negative size of a box': Kind(
        Wanted(box=(-5, 4)), 'negative|ends before|between 0 and 1', WITH_BOXES),
    'a negative size of the image': Kind(Wanted(size=(-40, 50)), 'positive whole number',
                                         tuple(set(WITH_SIZE) - {'masks'})),
    'another size of the image': Kind(Wanted(size=(41, 50)), '50 x 41', WITH_SIZE),
    'an image twice': Kind(TWICE, 'twice|an id of its own|may be',
                           tuple(set(FORMATS) - {'csv', *DICOM, 'yolo'})),
    'a point outside': Kind(Wanted(points=((300.5, 20.5), )), 'outside its image|between 0 and 1',
                            tuple(set(FORMATS) - {'masks'})),
    'not a number': Kind(Wanted(points=((float('nan'), 20.5), )), 'finite|no JSON',
                         tuple(set(FORMATS) - {'masks'})),
}
CASES = [pytest.param(kind, name, marks=[pytest.mark.long] if '100,000' in kind else [])
         for kind, entry in KINDS.items() for name in sorted(entry.formats)]


@pytest.fixture
def home(tmp_path, dicom):
    home = tmp_path / 'home'
    for name in ('a.png', 'säge/b 1.png'):
        path = home / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((HEIGHT, WIDTH), 128, np.uint8)).save(path)
    return home


@pytest.fixture
def images(home, dicom):
    """Folder of images, by format: those of DICOM reports are DICOM files."""
    def images(name):
        if name in DICOM:
            for place in ('a.png', 'säge/b 1.png'):
                dicom.save(dicom.image(place), home / 'dicom' / place.rpartition('.')[0])
            return home / 'dicom'
        return home / 'images'
    return images


def test_the_table_has_every_format():
    assert set(FORMATS) == set(formats.FORMATS)


@pytest.mark.parametrize('name', FORMATS)
def test_the_writers_write_what_is_read(name, home, images, dicom, tmp_path):
    path = FORMATS[name](home, Wanted(), 'utf-8', dicom)
    report = import_annotations(path, tmp_path / 'out', images(name), format_name=name)
    record, = read_point_file(report.path).records
    points = (10., 20.) if name == 'masks' else (10.5, 20.5)
    assert record.points[0] == pytest.approx(points, abs=.01)


@pytest.mark.parametrize('kind, name', CASES)
def test_bad_input_is_named_in_one_line(kind, name, home, images, dicom, tmp_path, monkeypatch):
    entry = KINDS[kind]
    if name == 'gsps':  # so many graphics take pydicom minutes to write
        monkeypatch.setattr(assemble, 'MAX_FINDINGS', 100)
    more = dict(prolog=entry.prolog) if entry.prolog else {}
    path = FORMATS[name](home, entry.want, entry.encoding, dicom, **more)
    if entry.change:
        entry.change(path)
    words = entry.words if isinstance(entry.words, str) else entry.words.get(
        name, entry.words.get(''))
    before = sorted(tmp_path.rglob('*'))
    options = ImportOptions(label_attribute='text' if name == 'gsps' else None)
    with pytest.raises(ValueError) as error:
        import_annotations(path, tmp_path / 'out', images(name), options, format_name=name)
    text = str(error.value)
    assert re.search(words, text), text
    assert len(text.splitlines()) == 1 and len(text) <= 700
    assert path.name in text or name in ('labelme', 'voc', 'yolo', 'masks')
    assert set(tmp_path.rglob('*')) - set(before) <= set((home / 'dicom').rglob('*')) | {
        home / 'dicom'}


@pytest.mark.parametrize('name', FORMATS)
def test_backslashes_unicode_and_blanks_in_names(name, home, images, dicom, tmp_path):
    place = 'säge/b 1.png' if name in DICOM else 'säge\\b 1.png'
    path = FORMATS[name](home, Wanted(names=(place, )), 'utf-8', dicom)
    report = import_annotations(path, tmp_path / 'out', images(name), format_name=name, copy=True)
    record, = read_point_file(report.path).records
    assert record.file_name == 'säge/b 1' + ('' if name in DICOM else '.png')
    assert (tmp_path / 'out' / 'images' / record.file_name).is_file()


def test_a_mask_of_labelme_with_many_parts(home, tmp_path):
    """Its parts are one finding, so that their number is no matter; its size is."""
    import io
    stream = io.BytesIO()
    mask = np.zeros((40, 50), bool)
    mask[::2, ::2] = True
    Image.fromarray(mask).save(stream, 'PNG')
    (home / 'a.json').write_text(json.dumps(dict(
        version='5', imagePath='a.png', imageHeight=40, imageWidth=50, shapes=[dict(
            label='f', shape_type='mask', points=[[0, 0], [49, 39]],
            mask=base64.b64encode(stream.getvalue()).decode())])))
    report = import_annotations(home / 'a.json', tmp_path / 'out', home / 'images')
    assert read_point_file(report.path).records[0].points == [(24.5, 19.5)]
