#!/usr/bin/env python
"""Write the worked example of docs/readers.md: three readers, eight images, a box detector.

    python docs/make_readers_example.py

Images of 1024 x 1024 pixels, so that image pixels are frame pixels, each of a patient of its own.
R3 has not read image 8. ``points.json`` holds the marks of all readers, ``boxes.json`` the
detector's result.
"""
import json
from pathlib import Path

FOLDER = Path(__file__).parent / 'examples' / 'readers'
SIDE = 1024
MARKS = {  # image: reader to points
    1: dict(R1=[(300, 300)], R2=[(330, 340)], R3=[(320, 310)]),
    2: dict(R1=[(500, 400)], R2=[(520, 400)], R3=[]),
    3: dict(R1=[(200, 800)], R2=[], R3=[]),
    4: dict(R1=[(600, 300)], R2=[(640, 300)], R3=[(680, 300)]),
    5: dict(R1=[], R2=[], R3=[]),
    6: dict(R1=[], R2=[], R3=[(700, 200)]),
    7: dict(R1=[], R2=[(100, 100)], R3=[(110, 100)]),
    8: dict(R1=[(400, 400)], R2=[(400, 430)])}
# x, y, width, height, score.
BOXES = {1: (280, 280, 80, 80, .95), 2: (480, 370, 60, 60, .70), 3: (160, 760, 80, 80, .60),
         4: (590, 270, 60, 60, .50), 5: (700, 700, 80, 80, .65), 6: (10, 900, 80, 80, .10),
         7: (70, 70, 60, 60, .40), 8: (370, 380, 60, 60, .30)}


def make_files():
    """Return the content of each JSON by name."""
    images = [dict(id=number, file_name=f'{number}.png', height=SIDE, width=SIDE,
                   group=f'patient {number}',
                   # Without the list every reader of the file has read the image.
                   **({} if len(marks) == 3 else dict(readers=list(marks))))
              for number, marks in MARKS.items()]
    marks = [(number, reader, point) for number, readers in MARKS.items()
             for reader, points in readers.items() for point in points]
    annotations = [dict(id=number, image_id=image, category_id=1, reader=reader,
                        keypoints=[*point, 2], num_keypoints=1)
                   for number, (image, reader, point) in enumerate(marks, start=1)]
    return dict(points=dict(images=images, annotations=annotations,
                            categories=[dict(id=1, name='fracture')]),
                boxes=[dict(image_id=number, category_id=1, bbox=box[:4], score=box[4])
                       for number, box in BOXES.items()])


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in make_files().items():
        (FOLDER / f'{name}.json').write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')
    print(FOLDER)


if __name__ == '__main__':
    main()
