"""Annotation files as other tools write them, with their images: one is turned, one is negative."""
import base64
import io
import json
from typing import Any, NamedTuple

import numpy as np

from fuzzing.harness import Seed


class Stored(NamedTuple):
    """An image file.

    Attributes:
        height: Stored rows.
        width: Stored columns.
        tag: Orientation: 1, or 6 of an image that is shown after a quarter turn clockwise.
    """

    height: int
    width: int
    tag: int = 1


IMAGES = {'a b.png': Stored(80, 100), 'sub/turned.jpg': Stored(60, 90, 6),
          'negative.png': Stored(50, 50)}
SHOWN = {'a b.png': (80, 100), 'sub/turned.jpg': (90, 60), 'negative.png': (50, 50)}
POINT, CORNERS = [12.25, 20.5], [30., 10., 50., 34.]  # inside of each image that is not negative
POLYGON = [20., 15., 44., 18., 40., 40., 25., 33.]
POSITIVE = ('a b.png', 'sub/turned.jpg')


def image_files() -> dict[str, bytes]:
    """Return the images by their places in the folder of a case."""
    from PIL import Image

    files = {}
    for name, stored in IMAGES.items():
        stream = io.BytesIO()
        image = Image.fromarray(np.full((stored.height, stored.width), 128, np.uint8))
        exif = image.getexif()
        if stored.tag != 1:
            exif[0x0112] = stored.tag
        image.save(stream, 'JPEG' if name.endswith('.jpg') else 'PNG', exif=exif)
        files[f'images/{name}'] = stream.getvalue()
    return files


def as_seed(files: dict[str, str | bytes], main: str, **options: Any) -> Seed:
    """Return annotation files and images as a seed."""
    contents = {f'source/{name}': text.encode() if isinstance(text, str) else text
                for name, text in files.items()}
    return Seed({**contents, **image_files()}, f'source/{main}'.rstrip('/'), options)


def png(pixels: np.ndarray) -> bytes:
    """Return a PNG file."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, 'PNG')
    return stream.getvalue()


def coco_seeds() -> list[Seed]:
    """Return keypoints, boxes, polygons and both kinds of run-length masks."""
    images = [dict(id=number, file_name=name, height=stored.height, width=stored.width, group='p1',
                   readers=['anna', 'ben'], view='front', age=41.5)
              for number, (name, stored) in enumerate(IMAGES.items(), start=1)]
    runs = [30 * 80 + 10, 20, 60, 20, 8000 - 30 * 80 - 110]
    x1, y1, x2, y2 = CORNERS
    shapes: list[dict[str, Any]] = [
        dict(keypoints=[*POINT, 2], num_keypoints=1, bbox=[*POINT, 0, 0]),
        dict(bbox=[x1, y1, x2 - x1, y2 - y1]), dict(segmentation=[POLYGON], area=50),
        dict(segmentation=dict(size=[80, 100], counts=runs), bbox=[30, 10, 2, 20]),
        dict(segmentation=dict(size=[80, 100], counts=compress_runs(runs)), bbox=[30, 10, 2, 20]),
        dict(keypoints=[1, 2, 0, 9, 9.5, 1], num_keypoints=1, iscrowd=0)]
    annotations = [dict(shape, reader='anna', id=number + 1, category_id=1 + number % 2,
                        image_id=1 if number in (3, 4) else 1 + number % 2)
                   for number, shape in enumerate(shapes)]
    content = dict(images=images, annotations=annotations, categories=[
        dict(id=0, name='bones', supercategory='none'), dict(id=1, name='fracture',
                                                             supercategory='bones'),
        dict(id=2, name='cyst', supercategory='bones')])
    return [as_seed({'coco.json': json.dumps(content)}, 'coco.json'),
            as_seed({'coco.json': json.dumps(dict(content, annotations=[]))}, 'coco.json')]


def compress_runs(runs: list[int]) -> str:
    """Return COCO's text of runs, as pycocotools writes it."""
    from pycocotools import mask

    height, width = 80, 100
    return str(mask.frPyObjects(dict(size=[height, width], counts=runs), height, width
                                )['counts'].decode())


def labelme_seeds() -> list[Seed]:
    """Return a folder of files of one image each."""
    code = base64.b64encode(png(np.ones((4, 6), bool))).decode()
    x1, y1, x2, y2 = CORNERS
    shapes = [dict(label='fracture', shape_type='point', points=[POINT], group_id=None, flags={}),
              dict(label='fracture', shape_type='rectangle', points=[[x2, y1], [x1, y2]]),
              dict(label='cyst', shape_type='circle', points=[[30, 30], [36, 38]]),
              dict(label='cyst', points=np.reshape(POLYGON, (-1, 2)).tolist()),
              dict(label='cyst', shape_type='mask', points=[[10, 20], [15, 23]], mask=code),
              dict(label='axis', shape_type='line', points=[[1, 2], [3, 4]])]
    files: dict[str, str | bytes] = {}
    for name, (height, width) in SHOWN.items():
        files[name.replace('/', '_').rpartition('.')[0] + '.json'] = json.dumps(dict(
            version='5.5.0', flags={}, shapes=shapes if name in POSITIVE else [],
            imagePath='..\\images\\' + name.replace('/', '\\'), imageData=None, imageHeight=height,
            imageWidth=width))
    return [as_seed(files, '')]


def via_seeds() -> list[Seed]:
    """Return projects of versions 2 and 3."""
    x1, y1, x2, y2 = CORNERS
    shapes = [dict(name='point', cx=POINT[0], cy=POINT[1]),
              dict(name='rect', x=x1, y=y1, width=x2 - x1, height=y2 - y1),
              dict(name='circle', cx=30, cy=31, r=5), dict(name='ellipse', cx=30, cy=31, rx=5, ry=8,
                                                           theta=.5),
              dict(name='polygon', all_points_x=POLYGON[::2], all_points_y=POLYGON[1::2]),
              dict(name='polyline', all_points_x=[1, 2], all_points_y=[1, 2])]
    records = {f'{name}123': dict(filename=name, size=123, file_attributes={}, regions=[
        dict(shape_attributes=shape, region_attributes=dict(kind='fracture')) for shape in shapes
        if name in POSITIVE]) for name in SHOWN}
    codes = [[1, *POINT], [2, x1, y1, x2 - x1, y2 - y1], [3, 30, 31, 5], [4, 30, 31, 5, 8],
             [7, *POLYGON], [5, 1, 2, 3, 4]]
    names = list(SHOWN)
    version_3 = dict(
        project=dict(pname='x'), config={},
        attribute={'1': dict(aname='kind', type=3, options={'0': 'fracture', '1': 'none'})},
        file={str(number): dict(fid=number, fname=name, type=2, loc=1, src='')
              for number, name in enumerate(names)},
        view={str(number): dict(fid_list=[str(number)]) for number in range(len(names))},
        metadata={f'm{number}_{place}': dict(vid=str(number), flg=0, z=[], xy=code, av={'1': '0'})
                  for number, name in enumerate(names) if name in POSITIVE
                  for place, code in enumerate(codes)})
    return [as_seed({'via.json': json.dumps(dict(_via_settings={}, _via_img_metadata=records,
                                                 _via_attributes={}))}, 'via.json'),
            as_seed({'via.json': json.dumps(version_3)}, 'via.json')]


def label_studio_seeds() -> list[Seed]:
    """Return an export with every kind of region, in percent."""
    tasks = []
    for number, (name, (height, width)) in enumerate(SHOWN.items(), start=1):
        common = dict(original_width=width, original_height=height, image_rotation=0,
                      to_name='image', origin='manual')
        polygon = [[x / width * 100, y / height * 100] for x, y in zip(POLYGON[::2], POLYGON[1::2],
                                                                       strict=True)]
        values: list[tuple[str, dict[str, Any]]] = [
            ('keypointlabels', dict(x=20., y=30., width=.2, keypointlabels=['fracture'])),
            ('rectanglelabels', dict(x=30., y=20., width=20., height=15., rotation=0,
                                     rectanglelabels=['fracture'])),
            ('rectanglelabels', dict(x=50., y=50., width=20., height=15., rotation=90,
                                     rectanglelabels=['cyst'])),
            ('ellipselabels', dict(x=50., y=50., radiusX=10., radiusY=5., rotation=0,
                                   ellipselabels=['cyst'])),
            ('polygonlabels', dict(points=polygon, polygonlabels=['fracture'])),
            ('brushlabels', dict(format='rle', rle=[0, 1], brushlabels=['fracture'])),
            ('choices', dict(choices=['bad']))]
        result = [dict(common, id=f'r{place}', type=kind, value=value)
                  for place, (kind, value) in enumerate(values) if name in POSITIVE]
        tasks.append(dict(
            id=number, predictions=[], data=dict(image=f'/data/local-files/?d=images/{name}'),
            annotations=[dict(id=1, completed_by=1, was_cancelled=True, result=[]),
                         dict(id=2, completed_by=dict(id=1, email='a@b.c'), was_cancelled=False,
                              updated_at='2024-01-01', result=result)]))
    return [as_seed({'project.json': json.dumps(tasks)}, 'project.json')]


def cvat_seeds() -> list[Seed]:
    """Return the XML of "CVAT for images" with every kind of shape."""
    x1, y1, x2, y2 = CORNERS
    pairs = ';'.join(f'{x},{y}' for x, y in zip(POLYGON[::2], POLYGON[1::2], strict=True))
    shapes = (
        f'<points label="fracture" source="manual" points="{POINT[0]},{POINT[1]};5.00,6.00"/>'
        f'<box label="fracture" xtl="{x1}" ytl="{y1}" xbr="{x2}" ybr="{y2}"/>'
        f'<box label="fracture" xtl="{x1}" ytl="{y1}" xbr="{x2}" ybr="{y2}" rotation="90"/>'
        f'<polygon label="cyst" points="{pairs}"/>'
        '<ellipse label="cyst" cx="30" cy="31" rx="5" ry="8"/>'
        '<mask label="cyst" rle="1,3,2" left="10" top="20" width="3" height="2"/>'
        '<skeleton label="cyst"><points label="1" outside="0" points="7.5,8"/></skeleton>'
        '<polyline label="cyst" points="1,2;3,4"/><tag label="bad"></tag>')
    images = ''.join(
        f'<image id="{number}" name="{name}" width="{width}" height="{height}">'
        f'{shapes if name in POSITIVE else ""}</image>'
        for number, (name, (height, width)) in enumerate(SHOWN.items()))
    return [as_seed({'annotations.xml': (
        '<annotations><version>1.1</version><meta><task><labels><label><name>fracture</name></label>'
        f'<label><name>cyst</name></label></labels></task></meta>{images}</annotations>')},
        'annotations.xml')]


def voc_seeds() -> list[Seed]:
    """Return a folder of XML files of one image each."""
    x1, y1, x2, y2 = CORNERS
    files: dict[str, str | bytes] = {}
    for name, stored in IMAGES.items():
        entry = (f'<object><name>fracture</name><difficult>0</difficult><bndbox><xmin>{x1}</xmin>'
                 f'<ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>'
                 '<object><name>cyst</name><bndbox><xmin>5</xmin><ymin>6</ymin><xmax>9</xmax>'
                 '<ymax>9</ymax></bndbox><part><name>tip</name></part></object>')
        files[name.replace('/', '_').rpartition('.')[0] + '.xml'] = (
            f'<annotation><folder>x</folder><filename>{name.rpartition("/")[2]}</filename><size>'
            f'<width>{stored.width}</width><height>{stored.height}</height><depth>1</depth></size>'
            f'{entry if name in POSITIVE else ""}</annotation>')
    return [as_seed(files, '', pixel_origin=origin) for origin in (0, 1)]


def yolo_seeds() -> list[Seed]:
    """Return folders of text files: boxes and polygons, and poses."""
    polygon = ' '.join(map(str, (.2, .25, .44, .3, .4, .6, .25, .55)))
    boxes = {'data.yaml': 'path: .\nnames:\n  0: fracture\n  1: cyst\n'}
    poses = {'data.yaml': 'names: [fracture]\nkpt_shape: [2, 3]\n'}
    for name in IMAGES:
        file = f'labels/{name.rpartition(".")[0]}.txt'
        found = name in POSITIVE
        boxes[file] = f'0 0.25 0.5 0.125 0.2\n1 {polygon}\n' if found else ''
        poses[file] = '0 .5 .5 .2 .2 .1 .25 2 .5 .5 0\n' if found else ''
    return [as_seed(dict(boxes), ''), as_seed(dict(poses), '')]


def csv_seeds() -> list[Seed]:
    """Return tables of points with patients and readers, of corners, and of corner and size."""
    points, corners, sizes = ['image,x,y,class,patient,reader,view'], ['file,x1,y1,x2,y2,label'], [
        'image;x;y;width;height']
    x1, y1, x2, y2 = CORNERS
    for number, name in enumerate(IMAGES):
        if name in POSITIVE:
            points += [f'{name},{POINT[0]},{POINT[1]},fracture,p{number},anna,front',
                       f'{name},5,6.5,cyst,p{number},ben,front']
            corners.append(f'{name},{x1},{y1},{x2},{y2},fracture')
            sizes.append(f'{name};{x1};{y1};{x2 - x1};{y2 - y1}'.replace('.0', ',0'))
        else:
            points.append(f'{name},,,,p{number},anna,front')
            corners.append(f'{name},,,,,')
            sizes.append(f'{name};;;;')
    return [as_seed({'points.csv': '\n'.join(rows) + '\n'}, 'points.csv')
            for rows in (points, corners, sizes)]


def mask_seeds() -> list[Seed]:
    """Return folders of masks: two parts apart, and values that name findings or classes."""
    seeds = []
    for meaning, second in (('finding', 255), ('instance', 7), ('class', 7)):
        files: dict[str, str | bytes] = {}
        for name, stored in IMAGES.items():
            pixels = np.zeros((stored.height, stored.width), np.uint8)
            if name in POSITIVE:
                pixels[10:15, 20:27] = 255
                pixels[15:18, 27:29] = 255  # touches by a corner
                pixels[40:44, 5:9] = second
            files[f'{name.rpartition(".")[0]}_mask.png'] = png(pixels)
        seeds.append(as_seed(files, '', mask_values=meaning))
    return seeds
