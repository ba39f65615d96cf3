"""Planted shortcut cues are found and none is where there is none; suspicious labels; suggestions."""
import numpy as np
import pytest

from mmwindow.annotations.records import ImageRecord
from mmwindow.apis.doctor.cue_models import STRENGTHS, encode_bins, fit_cue, fit_logistic
from mmwindow.apis.doctor.data_source import CheckedImage
from mmwindow.apis.doctor.machine import read_gpus, suggest_model
from mmwindow.apis.doctor.problems import ERROR, NOTE, WARNING
from mmwindow.apis.doctor.suggestions import measure_extents, suggest, suggest_input, suggest_window
from mmwindow.evaluation import FROCSettings, ImageEvents, delong_interval, write_record

from .conftest import make_picture

CUES = ('image size', 'border', 'brightness and contrast', '16 x 16 thumbnail')


def spoil(cue, pixels):
    """Return a picture with a cue."""
    if cue == 'image size':
        return make_picture(int(pixels.sum()), 100, 80)
    if cue == 'border':
        return np.pad(pixels[8:-8], ((8, 8), (0, 0)))
    if cue == 'brightness and contrast':
        return (pixels * .7).astype(np.uint8)
    marked = pixels.copy()  # a letter in a corner: no border, and hardly a change of brightness
    marked[4:16, 60:72] = 255
    return marked


def areas(report):
    return {cue.name: cue.auroc for cue in report.shortcuts.cues}


@pytest.fixture
def filled(single):
    """Return a function that writes 120 images, the positive ones with a cue, and checks them."""
    def fill(cue):
        for number in range(120):
            pixels = make_picture(number + 1)
            single.add(points=[(20 + number % 40, 15 + number % 60)] if number % 2 else [],
                       pixels=spoil(cue, pixels) if cue and number % 2 else pixels)
        return single.check()
    return fill


@pytest.mark.parametrize('cue', CUES)
def test_a_planted_cue_is_a_warning(filled, cue):
    report = filled(cue)
    found = areas(report)
    # The letter is one of 256 thumbnail cells and more; the others are the only difference there is.
    assert found[cue].estimate > (.85 if 'thumbnail' in cue else .95) and found[cue].low > .75
    problems = [problem.what for problem in report.problems if problem.kind == 'shortcut cue']
    assert any(cue in what for what in problems)
    assert report.status == 0


def test_without_a_cue_nothing_is_warned_of(filled):
    report = filled(None)
    found = areas(report)
    # All sizes and formats are equal: no cue at all. The others hold chance.
    assert set(found) == {'border', 'brightness and contrast', '16 x 16 thumbnail'} or set(
        found) == {'brightness and contrast', '16 x 16 thumbnail'}
    assert all(interval.low < .5 < interval.high for interval in found.values())
    assert not [problem for problem in report.problems if problem.severity in (ERROR, WARNING)]


def test_the_interval_is_that_of_the_evaluation(filled):
    """Of one fold's scores it would be delong_interval's; the mean of five is as long."""
    interval = areas(filled(None))['16 x 16 thumbnail']
    generator = np.random.default_rng(0)
    labels = np.arange(120) % 2 == 1
    plain = delong_interval(labels, generator.normal(size=120))
    assert interval.method == plain.method == 'delong_blended'
    assert (interval.high - interval.low) == pytest.approx(plain.high - plain.low, rel=.25)


def test_copies_are_in_one_fold(single):
    """A copy in another fold would be recognised: its label, drawn by chance, would be predicted."""
    for number in range(40):
        pixels = make_picture(number + 1000)
        points = [(30, 30)] if number % 2 else []
        for copy in range(3):
            single.add(points=points, pixels=pixels, group=f'{number} {copy}')
    # With each image a unit of its own it is .97 to .99.
    assert areas(single.check())['16 x 16 thumbnail'].estimate < .8


def test_few_patients_are_said(single, find):
    single.fill()
    problem = find(single.check(), 'shortcut cues')
    assert problem.severity == NOTE and '5 patients' in problem.what


@pytest.mark.parametrize('num_images, num_columns, signal', [
    (300, 12, 1.), (90, 150, 4.), (40, 3, 0.)])
def test_fits_are_scikit_learns(num_images, num_columns, signal):
    """Its solver of second derivatives, converged: few and many columns, also a separable label."""
    linear_model = pytest.importorskip('sklearn.linear_model')
    generator = np.random.default_rng(0)
    values = generator.normal(size=(num_images, num_columns)) + generator.normal(size=(num_images, 1))
    labels = signal * values[:, 0] + generator.normal(size=num_images) > 1
    fits = fit_logistic(values, labels, STRENGTHS, 1e-7, np.float64)
    for strength, weights in zip(STRENGTHS, fits.T, strict=True):
        model = linear_model.LogisticRegression(
            C=strength, class_weight='balanced', solver='newton-cholesky', tol=1e-12)
        expected = model.fit(values, labels).coef_[0]
        assert weights == pytest.approx(expected, abs=1e-4 * np.abs(expected).max())
    # What the check uses is less exact, and ranks images alike.
    scores = values @ fit_logistic(values, labels, STRENGTHS) - values @ fits
    assert (np.abs(scores).max(0) < .02 * np.ptp(values @ fits, axis=0)).all()


def test_a_fit_needs_both_kinds_of_images():
    with pytest.raises(ValueError, match='0 of 3 training images'):
        fit_cue(np.zeros((3, 1)), np.zeros(3, bool), np.zeros((0, 1)), np.zeros(0, bool),
                np.zeros((0, 1)))


def test_without_validation_images_of_both_kinds_the_middle_strength_is_taken():
    values, labels = np.arange(8.)[:, None], np.arange(8) > 3
    fit = fit_cue(values, labels, values[:4], labels[:4], values)
    assert fit.strength == 1e-2 and np.isnan(fit.validation_auroc)
    assert (np.diff(fit.scores) > 0).all()
    assert fit_cue(values, labels, values, labels, np.zeros((0, 1))).scores.shape == (0, )


def test_bins_are_the_quantiles_of_training_and_repeated_values_have_their_own():
    train = np.array([[454.]] * 6 + [[512.], [300.]])
    encoded, other = encode_bins(train, np.array([[454.], [700.], [1.]]))
    assert (encoded.sum(axis=1) == 1).all()
    assert len({tuple(row) for row in encoded}) == 3  # below, at and above 454
    assert other.tolist() == [encoded[0].tolist(), encoded[6].tolist(), encoded[7].tolist()]


def event(image_id, score, is_positive):
    nothing = np.zeros(0)
    return ImageEvents(score, np.full(int(is_positive), -np.inf), nothing, np.zeros(0, np.int32),
                       is_positive, image_id=image_id)


def test_labels_that_scores_contradict_are_ranked(single, tmp_path, find):
    single.fill({'': 24})
    ids = [image['id'] for image in single.contents['']['images']]
    labels = [number % 2 == 1 for number in range(24)]
    scores = [.8 + .001 * number if label else .2 + .001 * number
              for number, label in enumerate(labels)]
    # A positive image below all, one in the middle, a negative one above all.
    scores[1], scores[5], scores[2] = .01, .215, .99
    for fold in range(2):
        chosen = [number for number in range(24) if (number < 12) == (fold == 0)]
        write_record(tmp_path / f'runs/fold{fold}/test.json', {'fracture': [
            event(ids[number], scores[number], labels[number]) for number in chosen]}, FROCSettings())
    report = single.check(runs=tmp_path / 'runs')
    assert report.suspects.num_records == 2 and report.suspects.num_images == 24
    # Worked by hand: of the six negative images of fold 0, none lies below .01, and of its six
    # positive ones none above .99.
    assert [(suspect.index, suspect.share) for suspect in report.suspects.positives] == [(1, 0.)]
    assert [(suspect.index, suspect.share) for suspect in report.suspects.negatives] == [(2, 0.)]
    assert '100% of negative images score higher' in find(
        report, 'suspicious positive images').items[0]
    with pytest.raises(ValueError, match='no record'):
        single.check(runs=single.folder / 'images')


def test_runs_of_other_data_are_rejected(single, tmp_path):
    single.fill()
    write_record(tmp_path / 'test.json', {'fracture': [event('other', .5, True),
                                                       event('more', .4, False)]}, FROCSettings())
    with pytest.raises(ValueError, match='none of their images'):
        single.check(runs=tmp_path)


def images_with(boxes, height=1024, width=800, points=None):
    points = points or [((x1 + x2) / 2, (y1 + y2) / 2) for x1, y1, x2, y2 in boxes]
    record = ImageRecord(1, 'a.png', height, width, None, points, [0] * len(points),
                         boxes or [None] * len(points))
    return [CheckedImage(record, '', None, 0)]


def test_extents_and_distances_in_the_frame_of_1024():
    # A box of 30 x 120 in an image of half the frame: root of 3600 is 60, 120 in the frame.
    images = images_with([(10, 10, 40, 130), (100, 70, 130, 190)], height=512, width=400)
    extents = measure_extents(images)
    assert extents.sizes.tolist() == [120, 120]
    assert extents.distances == pytest.approx([2 * np.hypot(90, 60)] * 2)
    # Several clicks into one box are one finding.
    clicks = images_with([(0, 0, 64, 64)] * 3, points=[(5, 5), (50, 50), (9, 9)])
    assert measure_extents(clicks).sizes.tolist() == [64]
    assert not len(measure_extents(clicks).distances)


@pytest.mark.parametrize('side, window, box', [
    (59, 'lower radius 50, upper radius 200', '200 pixels'),
    (118, 'lower radius 100, upper radius 400', '400 pixels'),
    (29.5, 'lower radius 25, upper radius 100', '100 pixels')])
def test_windows_scale_with_the_findings(side, window, box):
    found = suggest_window(measure_extents(images_with([(100, 100, 100 + side, 100 + side)])))
    assert [entry.value for entry in found] == [window, box]
    assert bool(found[0].options) == (side != 59)


def test_near_findings_are_said_in_the_window():
    boxes = [(100 * column, 0, 100 * column + 59, 59) for column in range(8)]
    images = images_with(boxes) + images_with([(0, 0, 59, 59), (90, 0, 149, 59)] * 1)
    assert '%' not in suggest_window(measure_extents(images[:1]))[0].reason
    assert '20% of the findings' in suggest_window(measure_extents(images))[0].reason


@pytest.mark.parametrize('side, edge, value', [
    (32, 1024, 'at least 256'), (20, 1024, 'at least 512'), (20, 400, '512'), (9, 400, '512'),
    (9, 3000, 'at least 1024')])
def test_the_input_side_covers_the_smallest_findings(side, edge, value):
    # 8 pixels of the input: 1024 * 8 / 32 = 256, and 1024 * 8 / 20 = 410, so 512.
    scale = edge / 1024
    images = images_with([(0, 0, side * scale, side * scale)], height=edge, width=edge)
    assert suggest_input(measure_extents(images)).value in (value, f'at least {value}')


def test_without_findings_or_boxes_nothing_is_made_up():
    assert suggest(images_with([], points=[])) == []
    found = suggest(images_with([], points=[(5, 5), (600, 600)]))
    assert found[0].value == 'lower radius 50, upper radius 200' and 'no boxes' in found[0].reason
    assert found[2].value == 'up to 1024'


def test_model_and_batch_are_those_that_training_chooses(single):
    """Worked by hand: (80 GiB x .9 - 2.5 GB) / 2.9 GB is 25 images, of which the paper takes 12."""
    assert suggest_model(read_gpus('')).value.startswith('windowloss/wl_kld_lite0_fpn.py, its batch')
    assert suggest_model(read_gpus('A, B, 81920')).value == 'windowloss/wl_kld_r50_fpn.py, batch 12'
    single.fill()
    assert [entry.name for entry in single.check().suggestions] == [
        'window', 'pseudo-boxes', 'input side', 'model and batch']
