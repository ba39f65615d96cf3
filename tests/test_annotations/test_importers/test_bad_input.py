"""Broken, empty, foreign and hostile sources: one line with file and record, and nothing written."""
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mmwindow.annotations.importers.assemble import AssemblySettings
from mmwindow.annotations.importers.formats import FORMATS, read_source
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.importers.values import find_files, portable_name, read_bytes
from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.annotation_files import import_annotations

BOMB = ('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'
        '<annotations><image id="0" name="&c;" width="4" height="4"/></annotations>')
OUTSIDE = ('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'
           '<annotation><filename>&b;</filename></annotation>')
COCO = dict(images=[dict(id=1, file_name='a.png', height=40, width=50)],
            categories=[dict(id=1, name='f')], annotations=[])


def coco(*annotations, **change):
    records = [dict(dict(id=n, image_id=1, category_id=1), **record)
               for n, record in enumerate(annotations)]
    return 'a.json', json.dumps({**COCO, 'annotations': records, **change})


def labelme(**shape):
    return 'a.json', json.dumps(dict(
        version='5', imagePath='a.png', imageHeight=40, imageWidth=50,
        shapes=[dict(dict(label='f', shape_type='point', points=[[1, 2]]), **shape)]))


def studio(value, **task):
    result = dict(type='keypointlabels', id='r', original_width=50, original_height=40, value=value)
    return 'a.json', json.dumps([dict(dict(id=7, data=dict(image='a.png'), annotations=[
        dict(was_cancelled=False, result=[result])]), **task)])


def cvat(body, name='a.png', width=50):
    return 'a.xml', (f'<annotations><image id="0" name="{name}" width="{width}" height="40">{body}'
                     '</image></annotations>')


def voc(body):
    return 'a.xml', f'<annotation><filename>a.png</filename>{body}</annotation>'


def via_3(code, av=None):
    return 'a.json', json.dumps(dict(
        file={'1': dict(fname='a.png')}, view={'1': dict(fid_list=['1'])},
        attribute={'1': dict(aname='kind', options={'0': 'f'})},
        metadata=dict(m=dict(vid='1', xy=[code, 10, 10], av=av or {}))))


CASES = {
    'no such file': (None, 'there is no such file or folder'),
    'an empty file': (('a.json', ''), 'no JSON, or cut short'),
    'JSON of something else': (('a.json', '{"a": 1}'), 'not recognised; --format names it'),
    'a text': (('a.txt', 'hello'), 'not recognised'),
    'another encoding': (('a.csv', 'image,x,y\na.png,1,2 \xe4'.encode('latin-1')), 'not in UTF-8'),
    'UTF-16': (('a.csv', 'image,x,y\na.png,1,2'.encode('utf-16')), 'not in UTF-8'),
    'entities that grow': (('a.xml', BOMB), 'defines entities'),
    'entities of other files': (('a.xml', OUTSIDE), 'defines entities'),
    'XML cut short': (('a.xml', '<annotations><image'), 'no XML, or cut short'),
    'COCO image unknown': (coco(dict(image_id=9, bbox=[1, 2, 3, 4])),
                           'annotation 0 belongs to image 9'),
    'COCO category unknown': (coco(dict(category_id=9, bbox=[1, 2, 3, 4])), 'has category 9'),
    'COCO negative size': (coco(dict(bbox=[1, 2, -3, 4])), 'annotation 0: bbox .* negative'),
    'COCO box of text': (coco(dict(bbox=['a', 2, 3, 4])), 'annotation 0: bbox is .a.'),
    'COCO id twice': (coco(images=[COCO['images'][0]] * 2), 'image 1: each image needs an id'),
    'COCO runs of another size': (coco(dict(segmentation=dict(size=[4, 4], counts=[3, 4]))),
                                  'runs of its mask are 7 pixels'),
    'COCO damaged runs': (coco(dict(segmentation=dict(size=[4, 4], counts='~~'))), 'damaged'),
    'COCO a huge mask': (coco(dict(segmentation=dict(size=[10 ** 6, 10 ** 6], counts=[1]))),
                         'too large'),
    'COCO another size': (coco(images=[dict(COCO['images'][0], height=41)]),
                          r'50 x 41 .*a.png has 50 x 40'),
    'outside its image': (coco(dict(bbox=[45, 2, 30, 4])), 'annotation 0 reaches .75.*outside'),
    'many findings': (coco(*[dict(bbox=[1, 2, 3, 4])] * 10_001), '10001 findings on one image'),
    'an image that is missing': (coco(images=[dict(COCO['images'][0], file_name='b.png')]),
                                 "image 1: 'b.png' is not among the 1 image"),
    'a path that leaves the folder': (coco(images=[dict(COCO['images'][0],
                                                        file_name='../../etc/passwd')]),
                                      'passwd.* is not among'),
    'a name of 5,000 characters': (coco(images=[dict(COCO['images'][0], file_name='b' * 5000)]),
                                   'is not among'),
    'NUL in a name': (coco(images=[dict(COCO['images'][0], file_name='a\0.png')]),
                      'a name is expected'),
    'an image twice': (coco(images=[COCO['images'][0],
                                    dict(COCO['images'][0], id=2, file_name='x/a.png')]),
                       'mentioned twice'),
    # float() takes 1_000 and digits of other scripts, which no other tool reads as numbers.
    'COCO a number with an underscore': (coco(dict(bbox=['1_0', 2, 3, 4])), "bbox is '1_0'"),
    'CSV digits of another script': (('a.csv', 'image,x,y\na.png,1,٣\n'), 'line 2: y is '),
    'COCO readers that are no list': (coco(images=[dict(COCO['images'][0], readers=3)]),
                                      'image 1: readers is 3; a list'),
    'COCO a reader that is no name': (coco(images=[dict(COCO['images'][0], readers=[{}])]),
                                      'image 1 has the reader'),
    'COCO a point without a reader': (coco(
        dict(bbox=[1, 2, 3, 4]), images=[dict(COCO['images'][0], readers=['anna', 'ben'])]),
        'a.json: of the point file made of it: .*a point without a reader'),
    'VIA a shape code that is no whole number': (via_3(1.5), 'metadata .m.: the code of its shape'),
    'LabelMe no points': (labelme(points=None), 'shape 0: points is None'),
    'LabelMe a rectangle of three': (labelme(shape_type='rectangle', points=[[1, 2]] * 3),
                                     'a rectangle has 3 points'),
    'LabelMe infinite': (labelme(points=[[1e400, 2]]), 'finite'),
    'LabelMe a mask that is none': (labelme(shape_type='mask', mask='%%', points=[[1, 2]] * 2),
                                    'no image in base64'),
    'Label Studio no size': (studio(dict(x=1, y=2), annotations=[dict(result=[dict(
        type='keypointlabels', value=dict(x=1, y=2))])]), 'region 0: original_height is None'),
    'Label Studio a text': (studio(dict(x='left', y=2)), "region 'r': x is 'left'"),
    'Label Studio a region whose id is a list': (studio({}, annotations=[dict(result=[dict(
        type='keypointlabels', id=[1], original_width=50, original_height=40,
        value=dict(x=150, y=2))])]), r'region \[1\] reaches .75'),
    'Label Studio no image': (studio(dict(x=1, y=2), data=dict(text='a')), 'its data name 0 images'),
    'VIA a kind unknown to it': (('a.json', json.dumps(dict(a=dict(filename='a.png', regions=[dict(
        shape_attributes=dict(name='point', cx='x', cy=1), region_attributes={})])))), 'cx is .x.'),
    'CVAT three numbers': (cvat('<points label="f" points="1,2,3"/>'), '<points> 0: points holds'),
    'CVAT no label': (cvat('<points points="1,2"/>'), 'label is None'),
    'CVAT another size': (cvat('', width=49), '49 x 40'),
    'CVAT a video': (('a.xml', '<annotations><track/></annotations>'), 'tracks of a video'),
    'VOC no name': (voc('<object><bndbox/></object>'), 'object 0 has no <name>'),
    'VOC a box that ends before it begins': (voc(
        '<object><name>f</name><bndbox><xmin>9</xmin><ymin>1</ymin><xmax>3</xmax><ymax>4</ymax>'
        '</bndbox></object>'), 'ends before it begins'),
    'CSV without columns': (('a.csv', 'a,b\n1,2\n'), 'its columns are a, b'),
    'CSV half a point': (('a.csv', 'image,x,y\na.png,1,\n'), 'line 2: y is empty and x is not'),
    'CSV a word': (('a.csv', 'image,x,y\na.png,1,b\n'), 'line 2: y is .b.'),
    'CSV a row too long': (('a.csv', 'image,x,y\na.png,1,2,3\n'), 'line 2 has 4 columns'),
    'CSV an open quote': (('a.csv', 'image,x,y\n"a.png,1,2\n'), 'no table'),
    'CSV two patients': (('a.csv', 'image,x,y,patient\na.png,1,2,p\na.png,3,4,q\n'),
                         "line 3: the image belongs to patient 'p'"),
    'CSV nothing': (('a.csv', ''), 'the table is empty'),
    'CSV a header alone': (('a.csv', 'image,x,y\n'), 'no image is annotated'),
}


@pytest.fixture
def home(tmp_path):
    (tmp_path / 'images').mkdir()
    Image.fromarray(np.full((40, 50), 128, np.uint8)).save(tmp_path / 'images' / 'a.png')
    return tmp_path


@pytest.mark.parametrize('name', CASES)
def test_a_source_that_cannot_be_used_is_named_in_one_line(home, name):
    file, words = CASES[name]
    path = home / (file[0] if file else 'missing.json')
    if file:
        path.write_bytes(file[1] if isinstance(file[1], bytes) else file[1].encode())
    with pytest.raises(ValueError, match=words) as error:
        import_annotations(path, home / 'out', home / 'images')
    text = str(error.value)
    assert len(text.splitlines()) == 1 and len(text) <= 700
    assert not (home / 'out').exists()


def test_yolo_lines_that_are_none(home):
    (home / 'labels').mkdir()
    for text, words in (('0 .5 .5 .1', '4 columns'), ('0 .5 .5 2 .1', 'between 0 and 1'),
                        ('x .5 .5 .1 .1', "a value is 'x'"), ('0 .1 .1 .1 .1 .1 .1 .1', 'kpt_shape')):
        (home / 'labels' / 'a.txt').write_text(text)
        with pytest.raises(ValueError, match=f'a.txt: line 1: .*{words}'):
            import_annotations(home / 'labels', home / 'out', home / 'images', format_name='yolo')
    # Each line is eight of the one before: the text of the last one would fill any memory.
    bomb = 'a: &a [x, x, x, x, x, x, x, x]\n' + ''.join(
        f'{new}: &{new} [{", ".join([f"*{old}"] * 8)}]\n'
        for old, new in zip('abcdefghijkl', 'bcdefghijklm', strict=True)) + 'names: [*m]\n'
    for text, words in (('names: !!python/object/apply:os.getcwd []', 'no YAML'),
                        (bomb, r'no YAML .*an alias \(\*\)'),
                        ('names: {0: f, a: g}', 'numbers of its'), ('names: []', 'names are')):
        (home / 'labels' / 'data.yaml').write_text(text)
        with pytest.raises(ValueError, match=f'data.yaml: .*{words}'):
            import_annotations(home / 'labels', home / 'out', home / 'images', format_name='yolo')


def test_an_option_of_via_that_is_no_text_is_taken_as_it_is(home):
    name, text = via_3(1, av={'1': [3]})
    (home / name).write_text(text)
    point_file = read_point_file(import_annotations(home / name, home / 'out', home / 'images').path)
    assert point_file.classes == ('[3]', ) and point_file.records[0].points == [(10., 10.)]


@pytest.mark.parametrize('kind', [np.uint8, np.uint16])
def test_masks_of_several_values_need_a_meaning(kind, home):
    """Values of masks are labels: 16 bits that reach 2 are no radiograph of an unknown depth."""
    (home / 'masks').mkdir()
    mask = np.zeros((40, 50), kind)
    mask[2:4, 2:4], mask[10:12, 10:14] = 1, 2
    Image.fromarray(mask).save(home / 'masks' / 'a_mask.png')
    with pytest.raises(ValueError, match=r'a_mask.png: the mask has the values \[1, 2\]; --mask-v'):
        import_annotations(home / 'masks', home / 'out', home / 'images', format_name='masks')
    report = import_annotations(home / 'masks', home / 'out', home / 'images',
                                ImportOptions(mask_values='class'), format_name='masks')
    record, = read_point_file(report.path).records
    assert record.points == [(3., 3.), (12., 11.)] and record.labels == [0, 1]


def test_images_that_the_source_does_not_mention(home):
    Image.fromarray(np.full((9, 9), 3, np.uint8)).save(home / 'images' / 'b.png')
    (home / 'a.csv').write_text('image,x,y\na.png,1,2\n')
    report = import_annotations(home / 'a.csv', home / 'out', home / 'images')
    assert report.num_images == 1 and list(report.counts.values()) == [1]
    report = import_annotations(home / 'a.csv', home / 'out', home / 'images',
                                settings=AssemblySettings(unlisted='negative',
                                                          patient_pattern='^(.)'))
    assert (report.num_images, report.num_positives, report.num_groups) == (2, 1, 2)
    assert not report.counts


def test_copies_lie_in_the_output_folder_and_links_out_of_the_images_are_not_followed(home):
    (home / 'secret.png').write_bytes((home / 'images' / 'a.png').read_bytes())
    (home / 'images' / 'link.png').symlink_to(home / 'secret.png')
    (home / 'a.csv').write_text('image,x,y\na.png,1,2\n')
    import_annotations(home / 'a.csv', home / 'out', home / 'images', copy=True,
                       settings=AssemblySettings(unlisted='negative'))
    assert sorted(path.name for path in (home / 'out' / 'images').iterdir()) == ['a.png']


@pytest.mark.parametrize('name, place', [
    ('..\\..\\a b.png', 'a b.png'), ('/etc/passwd', 'etc/passwd'), ('C:\\x\\ü.png', 'x/ü.png'),
    ('a/../../b.png', 'b.png'), ('./a//b.png', 'a/b.png')])
def test_names_stay_within_the_folder(name, place):
    assert portable_name(name).endswith(place) and '..' not in portable_name(name)


@pytest.mark.parametrize('name', FORMATS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ['images', 'annotations', 'categories', 'shapes', 'points', 'imagePath', 'file', 'view',
         'metadata', 'data', 'result', 'value', 'id', 'xy', 'filename', 'regions']), inner,
        max_size=4), max_leaves=12))
def test_any_content_is_read_or_rejected_in_one_line(tmp_path, name, content):
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    suffix = dict(cvat='xml', voc='xml', csv='csv', yolo='txt', masks='png').get(name, 'json')
    path = folder / f'a.{suffix}'
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    try:
        read_source(folder if name in ('yolo', 'masks') else path, format_name=name)
    except ValueError as error:
        assert len(str(error).splitlines()) == 1 and len(str(error)) <= 900


def test_a_file_of_a_size_that_memory_may_not_hold_is_rejected_unread(tmp_path):
    path = tmp_path / 'points.csv'
    with open(path, 'wb') as stream:
        stream.truncate(600 * 2 ** 20)  # a hole: it takes no space
    with pytest.raises(ValueError, match=r'points.csv: the table has 629 MB; at most 537 MB'):
        read_bytes(path, 'table')


def test_files_of_a_folder_are_those_of_pathlib_in_its_order(tmp_path):
    """Links stay within the folder, whatever they lead to; loops and broken links are passed over."""
    root, other = tmp_path / 'root', tmp_path / 'other'
    for name in ('b/c.png', 'b-c/d.PNG', 'a.png', 'b/.png', 'b/e.txt', 'b.png/f.png', 'Z/a.png',
                 'é.png'):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b'x')
    other.mkdir()
    (other / 'outside.png').write_bytes(b'x')
    for link, target in (('in.png', root / 'a.png'), ('out.png', other / 'outside.png'),
                         ('folder', other), ('own', root / 'b'), ('broken.png', root / 'none'),
                         ('loop.png', root / 'loop.png')):
        (root / link).symlink_to(target)
    expected = [path for path in sorted(root.rglob('*')) if path.is_file() and not path.is_symlink()
                and 'own' not in path.parts and 'folder' not in path.parts] + [root / 'in.png']
    assert list(find_files(root)) == sorted(expected)
    assert list(find_files(root, ('.png', ))) == sorted(
        path for path in expected if path.suffix.lower() == '.png')
    assert list(find_files(root / 'none')) == []
