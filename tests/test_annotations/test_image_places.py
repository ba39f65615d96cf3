"""Where the images of a point file are looked for."""
import json

import pytest

from mmwindow.annotations.image_places import find_image_folder


def write_points(path, **info):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dict(images=[], annotations=[], categories=[], info=info)))
    return path


@pytest.mark.parametrize('place, info', [
    ('elsewhere', dict(images_folder='../elsewhere')), ('data/annotations', {}),
    ('data/annotations/images', {}), ('data/images', {}), ('data', {})])
def test_images_are_found_where_an_import_noted_them_or_near_the_file(tmp_path, place, info):
    points = write_points(tmp_path / ('data/points.json' if info else 'data/annotations/test.json'),
                          **info)
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / place / 'a.png').touch()
    found = find_image_folder(points, ['a.png'], None, '--image-folder')
    assert found.resolve() == (tmp_path / place).resolve()
    with pytest.raises(ValueError, match='is not in .*; --image-folder names the folder'):
        find_image_folder(points, ['a.png', 'b.png'], None, '--image-folder')


def test_a_named_folder_alone_is_looked_into(tmp_path):
    points = write_points(tmp_path / 'points.json')
    (tmp_path / 'a.png').touch()
    with pytest.raises(ValueError, match='a.png is not in .*other.*; --verify-images names'):
        find_image_folder(points, ['a.png'], tmp_path / 'other', '--verify-images')
