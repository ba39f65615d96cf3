#!/usr/bin/env python
"""Write the worked example of docs/evaluation.md: its files and its drawing.

    python docs/make_evaluation_example.py

Eight images of 1024 x 1024 pixels, so that image pixels are frame pixels, each with a patient
(two images a patient) and a region. ``boxes.json`` is a box detector's result,
``maps.npz`` that of a heat-map network on a grid of 16 x 16 cells, ``findings.csv`` the points of
confidence of a third system.
"""
import json
from pathlib import Path

import numpy as np
from matplotlib.patches import Circle, Rectangle

from mmwindow.evaluation import froc_curve
from mmwindow.evaluation.files.ground_truth import read_annotations
from mmwindow.evaluation.files.prediction_files import read_predictions
from mmwindow.evaluation.scoring import evaluate
from mmwindow.visualization.curves import froc_steps
from mmwindow.visualization.figures import new_figure, save_figure

FOLDER = Path(__file__).parent / 'examples' / 'evaluation'
FIGURE = Path(__file__).parent / 'images' / 'evaluation_example.png'
SIDE = 1024
GRID = 16
POINTS = dict(A=[(300, 300), (700, 600)], B=[(500, 400)], C=[(200, 800)], D=[(600, 300)],
              E=[], F=[], G=[], H=[])
# x, y, width, height, score.
BOXES = dict(A=[(260, 260, 80, 80, .95), (660, 560, 80, 80, .60)],
             B=[(100, 100, 80, 80, .80), (470, 370, 60, 60, .70)],
             C=[(30, 600, 400, 400, .50)], D=[(630, 270, 60, 60, .40)],
             E=[(400, 700, 80, 80, .65)], F=[(700, 200, 80, 80, .30)], G=[],
             H=[(300, 500, 80, 80, .20)])
# Row, column and score of the cells that stand out; all others have .02.
PEAKS = dict(A=[(4, 4, .90), (9, 10, .70)], B=[(6, 7, .85)], C=[(12, 3, .62)], D=[(4, 9, .35)],
             E=[(11, 6, .60)], F=[(3, 11, .10)], G=[(8, 8, .04)], H=[(8, 5, .30)])

# Image, x, y and score of points of confidence: one lies right of its image, one is there twice.
FINDINGS = [('A', 300, 330, .92), ('B', 530, 440, .88), ('A', 700, 660, .81), ('D', 600, 310, .74),
            ('E', 400, 700, .66), ('C', 200, 800, .58), ('F', 700, 200, .47), ('A', 690, 600, .35),
            ('E', 1030, 50, .30), ('C', 200, 800, .58)]


def make_files():
    """Return the content of each JSON by name, the text of the CSV, and the maps by image."""
    names = list(POINTS)
    imgs = [dict(id=number, file_name=f'{name}.png', height=SIDE, width=SIDE,
                 group=f'patient {(number + 1) // 2}', region='hand' if number % 4 < 2 else 'ankle')
            for number, name in enumerate(names, start=1)]
    points = [(number, point) for number, name in enumerate(names, start=1) for point in POINTS[name]]
    annotations = [dict(id=number, image_id=image_id, category_id=1, keypoints=[*point, 2],
                        num_keypoints=1)
                   for number, (image_id, point) in enumerate(points, start=1)]
    results = [dict(image_id=number, category_id=1, bbox=box[:4], score=box[4])
               for number, name in enumerate(names, start=1) for box in BOXES[name]]
    maps = {}
    for name in names:
        maps[name] = np.full((GRID, GRID), .02, np.float32)
        for row, column, score in PEAKS[name]:
            maps[name][row, column] = score
    return dict(points=dict(images=imgs, annotations=annotations,
                            categories=[dict(id=1, name='fracture')]),
                boxes=results, maps=maps, findings='file,x,y,score\n' + ''.join(
                    f'{name}.png,{x},{y},{score}\n' for name, x, y, score in FINDINGS))


def draw_image(axes, name):
    """Draw one image: disks, points and scored boxes."""
    axes.add_patch(Rectangle((0, 0), SIDE, SIDE, facecolor='0.95', edgecolor='0.6'))
    for point in POINTS[name]:
        axes.add_patch(Circle(point, 50, facecolor='#56B4E9', edgecolor='none', alpha=0.6))
        axes.plot(*point, '+', color='black', markersize=7)
    for x, y, width, height, score in BOXES[name]:
        axes.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor='#D55E00',
                                 linewidth=1.6))
        axes.text(x + width / 2, y - 18, f'{score:.2f}', ha='center', fontsize=9)
    axes.set(xlim=(-10, SIDE + 10), ylim=(SIDE + 10, -10), aspect='equal', title=f'image {name}')
    axes.set_axis_off()


def draw(path=FIGURE):
    """Draw the images and the FROC curve of the boxes."""
    truth = read_annotations(FOLDER / 'points.json')
    events = evaluate(read_predictions(FOLDER / 'boxes.json', truth), truth.targets,
                      missing='empty').classes['finding'].events
    curve = froc_curve(events)
    figure = new_figure(13, 5.4)
    images, plot = figure.subfigures(1, 2, width_ratios=(1.55, 1))
    for axes, name in zip(images.subplots(2, 4).flat, POINTS, strict=True):
        draw_image(axes, name)
    axes = plot.subplots()
    steps = froc_steps(curve)
    axes.step(np.append(steps.fp_rate, 1), np.append(steps.recall, steps.recall[-1]),
              where='post', color='#0072B2', linewidth=1.8)
    budgets = (.1, .2, .3, .4, .5)
    axes.plot(budgets, [curve.recall_at(budget) for budget in budgets], 'o', color='#0072B2')
    for budget in budgets:
        axes.annotate(f'{curve.recall_at(budget):.1f}', (budget, curve.recall_at(budget)),
                      textcoords='offset points', xytext=(0, 7), ha='center', fontsize=9)
    axes.set(xlim=(0, .7), ylim=(0, 1), xlabel='False positives per image',
             ylabel='Recall of points', title=f'FROC score {curve.score():.2f}')
    axes.grid(color='0.9')
    axes.spines[['top', 'right']].set_visible(False)
    return save_figure(figure, path)


def main():
    content = make_files()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ('points', 'boxes'):
        (FOLDER / f'{name}.json').write_text(json.dumps(content[name], indent=1) + '\n',
                                             encoding='utf-8')
    (FOLDER / 'findings.csv').write_text(content['findings'], encoding='utf-8')
    np.savez_compressed(FOLDER / 'maps.npz', **content['maps'])
    print(draw())


if __name__ == '__main__':
    main()
