"""FracAtlas: from polygons to points, as an annotator would click them."""
from collections.abc import Mapping
from typing import Any

from mmwindow.annotations.checks import as_id
from mmwindow.annotations.polygons import (
    LENGTH_PER_POINT,
    draw_annotation_points,
    read_polygons,
)
from mmwindow.utils.messages import quote, shorten


def polygons_to_points(content: Mapping[str, Any], seed: int = 0,
                       length_per_point: float = LENGTH_PER_POINT) -> dict[str, Any]:
    """Return a COCO point file's content made from one with polygons.

    Every point's annotation keeps the polygon and box of its fracture, and
    ``fracture_id``, the id of the annotation it comes from.

    Args:
        content: FracAtlas' ``fractures.json``.
        seed: Of the points; each fracture has a random stream of its own, so that
            leaving one out does not move the others.
        length_per_point: See :func:`~mmwindow.annotations.polygons.draw_points`.

    Raises:
        ValueError: An annotation's image is not listed, or its polygons are none.
    """
    images = {image['id']: image for image in content['images']}
    annotations: list[dict[str, Any]] = []
    for source in content['annotations']:
        image = images.get(source.get('image_id'))
        if image is None:
            raise ValueError(f'annotation {source.get("id")}: image '
                             f'{quote(source.get("image_id"))} is not in the list of images; fix '
                             'its image_id or take it out')
        where = f'annotation {source.get("id")} of image {shorten(image["file_name"])}'
        key = as_id(source.get('id'))  # 7.0 is 7: it seeds the points
        if key is None:
            raise ValueError(f'{where}: its id is {quote(source.get("id"))}; a whole number or a '
                             'string is expected')
        polygons = read_polygons(source.get('segmentation'), where)
        points = draw_annotation_points(polygons, key, (image['height'], image['width']), where, seed,
                                        length_per_point)
        for x, y in points:
            annotations.append(dict(
                id=len(annotations) + 1, image_id=source['image_id'],
                category_id=source['category_id'], fracture_id=key,
                keypoints=[x, y, 2], num_keypoints=1, bbox=source.get('bbox'),
                area=source.get('area'), segmentation=source['segmentation'], iscrowd=0))
    categories = [dict(id=category['id'], name=category['name'].lower(), keypoints=['point'])
                  for category in content['categories']]
    return dict(info=dict(
        source='FracAtlas (Abedeen et al., Scientific Data 2023, CC BY 4.0), polygons turned into '
               'points', seed=seed, length_per_point=length_per_point),
        images=content['images'], annotations=annotations, categories=categories)
