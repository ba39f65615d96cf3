"""FracAtlas: from polygons to points, as an annotator would click them."""
import cv2
import numpy as np

FRAME_SIDE = 1024


def polygon_mask(polygons, oversampling=4):
    """Return a mask of polygons at a multiple of the image's resolution, and its corner.

    Args:
        polygons (Sequence[ndarray]): ``(N, 2)`` each, x and y in image pixels.
        oversampling (int): Mask pixels along one image pixel.

    Returns:
        dict: ``mask`` ``(h, w)`` uint8, and ``corner`` (x, y) in image pixels.
    """
    vertices = np.concatenate(polygons)
    corner = np.floor(vertices.min(axis=0)) - 1
    size = np.ceil(vertices.max(axis=0) - corner).astype(int) + 2
    mask = np.zeros((size[1] * oversampling, size[0] * oversampling), np.uint8)
    cv2.fillPoly(mask, [np.round((polygon - corner) * oversampling - 0.5).astype(np.int32)
                        for polygon in polygons], 1)
    return dict(mask=mask, corner=corner)


def draw_points(polygons, generator, frame_scale, length_per_point=150., oversampling=4):
    """Draw the points of one fracture, inside its polygons and mostly near their middle.

    A place is drawn with a probability that grows with the square of its distance from
    the outline. A long fracture gets several, one in each of as many stretches along
    its main axis.

    Args:
        polygons (Sequence[ndarray]): ``(N, 2)`` each, x and y in image pixels.
        generator (numpy.random.Generator): Source of randomness.
        frame_scale (float): Frame pixels (side 1024) along an image pixel.
        length_per_point (float): A fracture gets one point for every started stretch of
            this length, in frame pixels, at most four.
        oversampling (int): Resolution of the mask, per image pixel.

    Returns:
        ndarray: ``(K, 2)``, x and y in image pixels, K at least 1.
    """
    drawn = polygon_mask(polygons, oversampling)
    depth = cv2.distanceTransform(drawn['mask'], cv2.DIST_L2, 5)
    rows, columns = np.nonzero(drawn['mask'])
    places = np.stack([columns, rows], axis=1) / oversampling + 0.5 / oversampling + drawn['corner']
    weights = depth[rows, columns].astype(np.float64) ** 2
    centred = places - places.mean(axis=0)
    axis = np.linalg.svd(centred.T @ centred)[0][:, 0]
    along = centred @ axis
    length = (along.max() - along.min()) * frame_scale
    num_points = int(np.clip(np.ceil(length / length_per_point), 1, 4))
    edges = np.linspace(along.min(), along.max(), num_points + 1)
    stretch = np.clip(np.searchsorted(edges, along, side='right') - 1, 0, num_points - 1)
    points = []
    for number in range(num_points):
        chosen = np.nonzero(stretch == number)[0]
        if len(chosen) == 0:
            continue
        probability = weights[chosen] / weights[chosen].sum()
        points.append(places[generator.choice(chosen, p=probability)])
    return np.stack(points)


def read_polygons(annotation, img):
    """Return the polygons of one annotation, ``(N, 2)`` each, x and y in image pixels.

    Args:
        annotation (dict): COCO; its ``segmentation`` is a list of ``[x1, y1, x2, y2, ...]``.
        img (dict): COCO, its image.

    Raises:
        ValueError: There is none, one has fewer than three corners, a number is missing or not
            finite, or a corner lies more than a pixel outside the image.
    """
    parts = annotation.get('segmentation')
    where = f'annotation {annotation.get("id")} of image {img["file_name"]}'
    polygons = []
    for part in parts if isinstance(parts, list) else []:
        try:
            numbers = np.asarray(part, dtype=np.float64)
        except (TypeError, ValueError):
            numbers = np.empty(0)
        if numbers.ndim == 1 and len(numbers) >= 6 and len(numbers) % 2 == 0 and np.isfinite(
                numbers).all():
            polygons.append(numbers.reshape(-1, 2))
    if not polygons or len(polygons) < len(parts):
        raise ValueError(f'{where}: its segmentation must be polygons of at least three corners, '
                         '[x1, y1, x2, y2, ...], all finite; mend it or take it out')
    corners = np.concatenate(polygons)
    if (corners < -1).any() or (corners > (img['width'] + 1, img['height'] + 1)).any():
        raise ValueError(f'{where}: its polygons span {corners.min(axis=0)} to '
                         f'{corners.max(axis=0)}, outside its {img["width"]} x {img["height"]} '
                         'pixels; are they of another scale?')
    return polygons


def polygons_to_points(content, seed=0, length_per_point=150.):
    """Return a COCO point file's content made from one with polygons.

    Every point's annotation keeps the polygon and box of its fracture, and
    ``fracture_id``, the id of the annotation it comes from.

    Args:
        content (dict): FracAtlas' ``fractures.json``.
        seed (int): Of the points; each fracture has a random stream of its own, so that
            leaving one out does not move the others.
        length_per_point (float): See :func:`draw_points`.

    Raises:
        ValueError: An annotation's image is not listed, or its polygons are none.
    """
    imgs = {img['id']: img for img in content['images']}
    annotations = []
    for source in content['annotations']:
        img = imgs.get(source.get('image_id'))
        if img is None:
            raise ValueError(f'annotation {source.get("id")}: image {source.get("image_id")!r} is '
                             'not in the list of images; mend its image_id or take it out')
        polygons = read_polygons(source, img)
        generator = np.random.default_rng([seed, int(source['id'])])
        points = draw_points(polygons, generator, FRAME_SIDE / max(img['height'], img['width']),
                             length_per_point)
        for x, y in points:
            annotations.append(dict(
                id=len(annotations) + 1, image_id=source['image_id'],
                category_id=source['category_id'], fracture_id=source['id'],
                keypoints=[round(float(np.clip(x, 0, img['width'])), 2),
                           round(float(np.clip(y, 0, img['height'])), 2), 2],
                num_keypoints=1, bbox=source['bbox'], area=source.get('area'),
                segmentation=source['segmentation'], iscrowd=0))
    categories = [dict(id=category['id'], name=category['name'].lower(), keypoints=['point'])
                  for category in content['categories']]
    return dict(info=dict(
        source='FracAtlas (Abedeen et al., Scientific Data 2023, CC BY 4.0), polygons turned into '
               'points', seed=seed, length_per_point=length_per_point),
        images=content['images'], annotations=annotations, categories=categories)
