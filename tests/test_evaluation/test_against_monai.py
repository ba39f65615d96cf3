"""MONAI's FROC where the definitions coincide, and the case where they differ and why.

Its hit rule is that of 'centre_in_box': a detection is a point that lies in a target's region or
not. It divides by all images, takes equal scores together and interpolates linearly.
"""
import numpy as np
import pytest

from mmwindow.evaluation.files.predictions import Prediction, Target
from mmwindow.evaluation.scoring import evaluate

GRID = 32  # cells of MONAI's mask along the frame of side 1024
CELL = 1024 / GRID
BUDGETS = (0.25, 0.5, 1, 2, 4, 8)


def film(image_id, lesions, detections):
    """One film in both worlds.

    Args:
        image_id: Names it.
        lesions (list): Row and column of the top-left cell and the size, in cells.
        detections (list): Row, column and score of each, in cells.
    """
    mask = np.zeros((GRID, GRID), int)
    for number, (row, column, size) in enumerate(lesions, start=1):
        mask[row:row + size, column:column + size] = number
    boxes = np.array([(column, row, column + size, row + size) for row, column, size in lesions],
                     dtype=float).reshape(-1, 4) * CELL
    target = Target(image_id, 1024, 1024, (boxes[:, :2] + boxes[:, 2:]) / 2, boxes=boxes)
    centres = np.array([(column + .5, row + .5) for row, column, _ in detections]).reshape(-1, 2)
    boxes = np.concatenate([centres * CELL - 5, centres * CELL + 5], axis=1)
    prediction = Prediction(image_id, boxes=boxes,
                            scores=np.array([score for *_, score in detections]))
    rows = np.array(detections, dtype=float).reshape(-1, 3)
    return dict(target=target, prediction=prediction, mask=mask, scores=rows[:, 2].astype(np.float32),
                cells=rows[:, :2].astype(int))


def ours(films, budgets=BUDGETS, convention='interpolated'):
    result = evaluate([entry['prediction'] for entry in films], [entry['target'] for entry in films],
                      rule='centre_in_box', budgets=budgets, convention=convention)
    return dict(curve=result.classes['finding'].froc, score=result.metrics['froc_score'])


def theirs(films, budgets=BUDGETS):
    froc = pytest.importorskip('monai.metrics.froc', reason='monai is not installed')
    parts = [froc.compute_fp_tp_probs_nd(entry['scores'], entry['cells'], entry['mask'])
             for entry in films]
    fp_rate, recall = froc.compute_froc_curve_data(
        np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]),
        sum(part[2] for part in parts), len(films))
    return dict(fp_rate=fp_rate, recall=recall,
                score=froc.compute_froc_score(fp_rate, recall, budgets))


def random_films(seed):
    generator = np.random.default_rng(seed)
    films = []
    for number in range(generator.integers(2, 7)):
        lesions = [(row, column, 4) for row in (2, 12, 22) for column in (2, 12, 22)
                   if generator.random() < 0.2]
        detections = [(*generator.integers(0, GRID, 2), generator.integers(1, 9) / 8)
                      for _ in range(generator.integers(0, 9))]
        detections += [(row + 1, column + 2, generator.integers(1, 9) / 8)
                       for row, column, _ in lesions if generator.random() < 0.7]
        films.append(film(number, lesions, detections))
    return [*films, film('missed', [(10, 10, 3)], [(0, 0, 0.125)])]


@pytest.mark.parametrize('seed', range(40))
def test_agreement_where_a_lesion_is_missed(seed):
    # MONAI drops the lowest threshold. A lesion that nothing hits enters its list with the score
    # 0, which is then the lowest, and nothing is lost.
    films = random_films(seed)
    mine, other = ours(films), theirs(films)
    # Theirs runs from the lowest threshold up, and ends in (0, 0).
    assert other['fp_rate'][:-1] == pytest.approx(mine['curve'].fp_rate[::-1])
    assert other['recall'][:-1] == pytest.approx(mine['curve'].recall[::-1])
    assert other['score'] == pytest.approx(mine['score'])


def test_its_own_fourth_case():
    # Two images, four of seven lesions count in MONAI's case; here the same numbers without its
    # exclusions: false alarms at .8 and .6; lesions at 1, 1, .8, .8 would give
    # (FP rate, recall) = (0, .5) at 1, (.5, 1) at .8, (1, 1) at .6.
    films = [film(1, [(2, 2, 4), (12, 2, 4)], [(3, 3, 1.), (13, 3, 1.), (30, 30, .8)]),
             film(2, [(2, 2, 4), (12, 2, 4)], [(3, 3, .8), (13, 3, .8), (30, 30, .6)])]
    mine = ours(films)
    assert mine['curve'].fp_rate.tolist() == [0, .5, 1]
    assert mine['curve'].recall.tolist() == [.5, 1, 1]
    # Linear: .25 lies halfway between (0, .5) and (.5, 1), .75; all others give 1: 5.75 / 6.
    assert mine['score'] == pytest.approx(.958333, abs=1e-6)
    # Step: .25 gives .5: 5.5 / 6.
    assert ours(films, convention='first_crossing')['score'] == pytest.approx(.916667, abs=1e-6)


@pytest.mark.parametrize('scores, their_score', [([.9, .8], 0.5), ([.9], 0.0)])
def test_a_perfect_detector_is_the_documented_difference(scores, their_score):
    # Every lesion is hit and there is no false alarm. The lowest threshold, which recalls the last
    # lesion, is dropped by MONAI: half of two lesions is left, nothing of one.
    films = [film(number, [(2, 2, 4)], [(3, 3, score)]) for number, score in enumerate(scores)]
    assert ours(films)['score'] == 1.0
    assert ours(films, convention='first_crossing')['score'] == 1.0
    assert theirs(films)['score'] == their_score


def test_normals_alone():
    films = [film(1, [], [(3, 3, .5)]), film(2, [], [])]
    mine = ours(films)
    assert mine['curve'].fp_rate.tolist() == [.5] and np.isnan(mine['score'])
