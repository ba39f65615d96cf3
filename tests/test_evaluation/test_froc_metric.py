"""The metric class: keys, classes, gathering over ranks, and samples that are wrong."""
import json
import pickle

import numpy as np
import pytest

torch = pytest.importorskip('torch')
pytest.importorskip('mmdet')

import mmengine.evaluator.metric as gathering  # noqa: E402
from mmdet.registry import METRICS  # noqa: E402
from mmdet.structures.bbox import HorizontalBoxes  # noqa: E402
from scipy.ndimage import gaussian_filter  # noqa: E402

import mmwindow  # noqa: E402, F401  (registers the metric)
from mmwindow.apis.test_outputs import show_finding_counts  # noqa: E402
from mmwindow.evaluation import (  # noqa: E402
    FROCSettings,
    auroc,
    froc_curve,
    froc_metric,
    map_events,
)
from mmwindow.evaluation.files.records import read_record  # noqa: E402
from mmwindow.evaluation.froc_metric import FROCMetric  # noqa: E402
from mmwindow.evaluation.statistics.bootstrap import bootstrap  # noqa: E402

KEYS = {'froc/auroc', 'froc/froc_score', 'froc/recall@0.1', 'froc/recall@0.2', 'froc/recall@0.3',
        'froc/recall@0.4', 'froc/recall@0.5'}


def make_metric(classes=('fracture',), **settings):
    metric = METRICS.build(dict(type='FROCMetric', **settings))
    metric.dataset_meta = dict(classes=classes)
    return metric


def make_sample(img_id, points=(), labels=None, shape=(512, 256), **predictions):
    """Return a data sample as a dict, as mmengine hands it to a metric."""
    return dict(ori_points=np.array(points, dtype=float).reshape(-1, 2), img_id=img_id,
                ori_point_labels=np.array([0] * len(points) if labels is None else labels, dtype=int),
                ori_shape=shape, img_path=f'images/{img_id}.png', **predictions)


def heatmap(scores):
    return dict(pred_heatmap=dict(scores=torch.as_tensor(np.asarray(scores))))


def findings(boxes=(), scores=()):
    return dict(pred_instances=dict(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        scores=torch.tensor(scores, dtype=torch.float32),
        labels=torch.zeros(len(scores), dtype=torch.long)))


def random_samples(num=6, side=16, classes=1):
    generator = np.random.default_rng(0)
    return [make_sample(number, generator.uniform(0, 250, (number % 3, 2)),
                        generator.integers(0, classes, number % 3),
                        **heatmap(generator.random((classes, side, side), dtype=np.float32)))
            for number in range(num)]


def run(metric, samples, batch=2):
    for start in range(0, len(samples), batch):
        metric.process(None, samples[start:start + batch])
    return metric.evaluate(len(samples))


def test_maps_give_the_numbers_of_the_functions():
    samples = random_samples()
    metrics = run(make_metric(), samples)
    assert set(metrics) == KEYS
    # Images of 512 x 256: two frame pixels each.
    events = [map_events(sample['pred_heatmap']['scores'][0].numpy(), sample['ori_points'] * 2)
              for sample in samples]
    curve = froc_curve(events)
    assert metrics['froc/recall@0.2'] == curve.recall_at(0.2)
    assert metrics['froc/froc_score'] == curve.score()
    assert metrics['froc/auroc'] == auroc([event.is_positive for event in events],
                                          [event.score for event in events])


def test_boxes_by_hand():
    # Images of 512 x 512: two frame pixels each. Image 0: a box of 20 pixels on its point, .9, and
    # one far away, .8. Image 1, a normal: a box of .7 reaches out of it, one of .95 lies outside.
    samples = [make_sample(0, [[100., 100.]], shape=(512, 512), **findings(
                   [[90., 90., 110., 110.], [300., 300., 320., 320.]], [0.9, 0.8])),
               make_sample(1, shape=(512, 512), **findings(
                   [[500., 500., 530., 530.], [600., 600., 700., 700.]], [0.7, 0.95]))]
    metric = make_metric(budgets=(0.4, 0.5, 2.))
    metrics = run(metric, samples)
    # The hit comes before any FP; the normal's image score is .7: what lies outside is no finding.
    assert metrics == {'froc/auroc': 1., 'froc/recall@0.4': 1., 'froc/recall@0.5': 1.,
                       'froc/recall@2': 1., 'froc/froc_score': 1.}


def test_an_image_score_of_its_own_is_taken():
    high, low = heatmap(np.ones((1, 4, 4))), heatmap(np.zeros((1, 4, 4)))
    samples = [make_sample(0, [[5., 5.]], image_score=torch.tensor([0.1]), **high),
               make_sample(1, image_score=torch.tensor([0.9]), **low)]
    assert run(make_metric(), samples)['froc/auroc'] == 0.


def test_image_scores_that_differ_in_float64_alone_are_told_apart():
    # The sigmoids of logits 18 and 20 are both 1.0 in float32: tied, the AUROC would be 1/2.
    low, high = torch.tensor([18., 20.], dtype=torch.float64).sigmoid()
    assert low < high and low.float() == high.float() == 1
    flat = heatmap(np.zeros((1, 4, 4)))
    samples = [make_sample(0, [[5., 5.]], image_score=high[None], **flat),
               make_sample(1, image_score=low[None], **flat)]
    assert run(make_metric(), samples)['froc/auroc'] == 1.


def test_the_mean_over_classes_skips_those_without_a_number():
    # Class b has no point in any image: neither recall nor AUROC; as 0 it would halve the mean.
    maps = np.zeros((2, 8, 8), np.float32)
    maps[:, 0, 0] = 0.9
    samples = [make_sample(0, [[5., 5.]], [0], **heatmap(maps)),
               make_sample(1, **heatmap(np.zeros((2, 8, 8), np.float32)))]
    metrics = run(make_metric(('a', 'b')), samples)
    assert metrics['froc/auroc'] == metrics['froc/a_auroc'] == 1.
    assert metrics['froc/recall@0.5'] == metrics['froc/a_recall@0.5'] == 1.
    assert np.isnan(metrics['froc/b_auroc']) and np.isnan(metrics['froc/b_froc_score'])
    assert set(metrics) == {key.replace('froc/', f'froc/{name}') for key in KEYS
                            for name in ('', 'a_', 'b_')}


def test_two_classes_are_kept_apart():
    # A point of class a, found in the map of class b only: recalled for neither.
    maps = np.zeros((2, 8, 8), np.float32)
    maps[1, 0, 0] = 0.9
    samples = [make_sample(0, [[5., 5.]], [0], **heatmap(maps)),
               make_sample(1, [[200., 200.]], [1], **heatmap(np.zeros((2, 8, 8), np.float32)))]
    metrics = run(make_metric(('a', 'b'), budgets=(0.1,)), samples)
    # In the flat maps the whole film is one finding at 0, which holds each point and is an FP.
    assert metrics['froc/a_recall@0.1'] == metrics['froc/b_recall@0.1'] == 0.


def test_only_normals_give_no_number():
    metrics = run(make_metric(), [make_sample(number, **findings()) for number in range(2)])
    assert all(np.isnan(value) for value in metrics.values())


def test_ranks_gather_events_and_no_maps(monkeypatch):
    samples = random_samples(side=128)
    for sample in samples:  # smooth, as a network's maps are
        sample['pred_heatmap']['scores'] = torch.as_tensor(
            gaussian_filter(sample['pred_heatmap']['scores'], (0, 4, 4)))
    alone = run(make_metric(), samples)
    ranks = [make_metric(), make_metric()]
    for rank, metric in enumerate(ranks):
        metric.process(None, samples[rank::2])
    # What mmengine sends between ranks is what process kept, pickled.
    sent = [pickle.dumps(metric.results) for metric in ranks]
    map_size = sum(sample['pred_heatmap']['scores'].numel() * 4 for sample in samples)
    assert sum(map(len, sent)) < 0.1 * map_size
    assert all(type(event).__name__ == 'ImageEvents' for metric in ranks
               for row in metric.results for event in row)

    def collect(results, size, *args, **kwargs):
        parts = [pickle.loads(part) for part in sent]
        return [row for pair in zip(*parts, strict=True) for row in pair][:size]

    monkeypatch.setattr(gathering, 'collect_results', collect)
    assert ranks[0].evaluate(len(samples)) == alone


def smooth_samples(num, classes=1, side=64, points=2):
    """Return samples as a network's: smooth maps, up to ``points`` points an image."""
    generator = np.random.default_rng(3)
    maps = gaussian_filter(generator.normal(size=(num, classes, side, side)), (0, 0, 1.5, 1.5))
    maps = (1 / (1 + np.exp(2 - 8 * maps))).astype(np.float32)
    numbers = [number % (points + 1) for number in range(num)]
    return [make_sample(index, generator.uniform(0, 250, (number, 2)),
                        generator.integers(0, classes, number), **heatmap(scores))
            for index, (scores, number) in enumerate(zip(maps, numbers, strict=True))]


@pytest.mark.parametrize('settings, points', [
    (dict(), 2), (dict(convention='interpolated', keep_up_to=1.), 2), (dict(convention='best'), 2),
    (dict(budgets=(0., 2.)), 2), (dict(budgets=(1., 50.)), 2), (dict(), 0)],
    ids=['default', 'interpolated', 'best', 'other budgets', 'never reached', 'normals only'])
def test_what_is_dropped_changes_no_number(settings, points):
    samples, classes = smooth_samples(24, classes=2, points=points), ('a', 'b')
    whole = run(make_metric(classes, **{**settings, 'keep_up_to': None}), samples)
    np.testing.assert_equal(run(make_metric(classes, **settings), samples), whole)  # NaN equals NaN
    assert np.isnan(whole['froc/froc_score']) == (points == 0)


def test_events_of_boxes_are_dropped_too():
    generator = np.random.default_rng(5)
    samples = []
    for number in range(80):
        corners = generator.uniform(0, 200, (5, 2))
        samples.append(make_sample(number, generator.uniform(0, 250, (number % 2, 2)), **findings(
            np.concatenate([corners, corners + 40], axis=1).tolist(), generator.random(5).tolist())))
    metric = make_metric()
    assert run(metric, samples) == run(make_metric(keep_up_to=None), samples)


def test_boxes_left_out_and_clipped_are_counted_over_all_ranks(monkeypatch, tmp_path, capsys):
    """The image that a sampler gives to two ranks counts once, and a new evaluation from 0."""
    boxes = dict(zip(('good', 'beyond', 'outside', 'flat'), (
        [9, 9, 20, 20], [-5, 9, 20, 20], [-5, 9, -1, 20], [9, 9, 9, 20]), strict=True))
    samples = [make_sample(number, [[10, 10]], **findings([boxes[name] for name in names], [.5] * 3))
               for number, names in enumerate((('good', 'good', 'good'), ('beyond', 'flat', 'good'),
                                               ('outside', 'flat', 'good')))]
    ranks = [make_metric(outfile=str(tmp_path / 'record.json')), make_metric()]
    for metric, part in zip(ranks, (samples[:2], samples[1:]), strict=True):
        metric.process(None, part)
    # Both, as the ranks gather them; mmengine sees one process, so the first alone computes.
    gathered = [metric._changed for metric in ranks]
    monkeypatch.setattr(froc_metric, 'all_gather_object', lambda part: gathered)
    ranks[0].evaluate(2)
    assert ranks[0].finding_counts == dict(boxes_left_out=3, boxes_clipped=1)
    assert read_record(tmp_path / 'record.json').source == dict(
        counts=dict(boxes_left_out=3, boxes_clipped=1))
    show_finding_counts([ranks[0], object()])
    assert capsys.readouterr().err.splitlines() == [
        'test: 3 findings left out: outside their image, or boxes without area',
        'test: 1 finding clipped: boxes that reach beyond their image']
    monkeypatch.undo()
    run(ranks[0], samples[:1])
    assert ranks[0].finding_counts == {}


def test_ranks_send_less_and_give_the_same_numbers(monkeypatch):
    samples = smooth_samples(25, classes=2)
    expected = run(make_metric(('a', 'b'), keep_up_to=None), samples)
    sent = []
    # The sampler gives the second rank the first image again; mmengine drops it.
    ranks = [make_metric(('a', 'b')), make_metric(('a', 'b'))]
    for metric, part in zip(ranks, ([*samples[::2]], [*samples[1::2], samples[0]]), strict=True):
        metric.process(None, part)

    def collect(results, size, *args, **kwargs):
        sent.append(pickle.dumps(results))
        assert len(sent[-1]) < 13 * 2 * 2048
        parts = [pickle.loads(part) for part in sent]
        return [row for pair in zip(*parts, strict=True) for row in pair][:size]

    monkeypatch.setattr(gathering, 'collect_results', collect)
    ranks[0].evaluate(25)
    assert ranks[1].evaluate(25) == expected


def test_a_record_holds_all_events_unless_told_otherwise(tmp_path):
    samples = smooth_samples(24)
    expected = run(make_metric(keep_up_to=None), samples)
    for settings, is_whole in ((dict(), True), (dict(keep_up_to=1.), False)):
        path = tmp_path / f'{is_whole}.json'
        assert run(make_metric(outfile=str(path), **settings), samples) == expected
        events = read_record(path).events('fracture')
        assert all((event.floor is None) == is_whole for event in events)
        assert all(event.hit_levels is not None for event in events)
        assert froc_curve(events).recall_at(0.5) == expected['froc/recall@0.5']
    with pytest.raises(ValueError, match='resamples have not spent the budgets'):
        bootstrap(events, FROCSettings((1.,)), num_resamples=100)


def test_the_outfile_holds_the_events(tmp_path):
    path = tmp_path / 'deep' / 'record.json'
    samples = random_samples()
    metrics = run(make_metric(outfile=str(path)), samples)
    assert [entry.name for entry in path.parent.iterdir()] == ['record.json']  # no half-written one
    record = read_record(path)
    assert froc_curve(record.events('fracture')).score() == metrics['froc/froc_score']
    assert record.settings['hit_radius'] == 50. and record.settings['convention'] == 'first_crossing'


def test_another_rule_by_hand(tmp_path):
    # Images of 512 x 512: two frame pixels each. The box holds the point (100, 100), but its centre
    # (120, 100) is 40 frame pixels off: a hit by the paper's rule or within 40, else a false alarm.
    samples = [make_sample(0, [[100., 100.]], shape=(512, 512),
                           **findings([[90., 80., 150., 120.]], [0.9])),
               make_sample(1, shape=(512, 512), **findings())]
    path = tmp_path / 'record.json'
    for settings, recall, fp_rate, named in (
            (dict(), 1., 0., dict(rule='disk_overlap', hit_radius=50., max_overlap=0.1)),
            (dict(rule='distance', hit_radius=40.), 1., 0., dict(rule='distance', hit_radius=40.)),
            (dict(rule='distance', hit_radius=39.), 0., 0.5, dict(rule='distance', hit_radius=39.))):
        metrics = run(make_metric(outfile=str(path), **settings), samples)
        assert metrics['froc/recall@0.5'] == recall
        record = read_record(path)
        assert froc_curve(record.events('fracture')).fp_rate[-1] == fp_rate
        kept = {key: record.settings[key] for key in ('rule', 'hit_radius', 'max_overlap')
                if key in record.settings}
        assert kept == named


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, np.float16])
def test_low_precision_scores_are_refused(dtype):
    # A float16 sigmoid is 1.0 from logit 8.3 on; made float32 afterwards it would look honest.
    scores = (np.ones((1, 4, 4), dtype) if dtype is np.float16
              else torch.ones((1, 4, 4), dtype=dtype))
    with pytest.raises(ValueError, match=r'images/7.png: the map scores are of type .*float16'):
        make_metric().process(None, [make_sample(7, pred_heatmap=dict(scores=scores))])
    if dtype is not np.float16:
        instances = findings([[0., 0., 5., 5.]], [0.5])
        instances['pred_instances']['scores'] = instances['pred_instances']['scores'].to(dtype)
        with pytest.raises(ValueError, match='box scores are of type'):
            make_metric().process(None, [make_sample(7, **instances)])


@pytest.mark.parametrize('changes, words', [
    (dict(pred_heatmap=dict(scores=torch.full((1, 4, 4), float('nan')))), 'cells of the map are NaN'),
    (dict(pred_heatmap=dict(scores=torch.ones(3, 4, 4))), 'the map has shape'),
    (dict(image_score=torch.tensor([0.1, 0.2])), '2 image scores for 1 class'),
    (dict(image_score=torch.tensor([float('nan')])), 'image score is nan'),
    (dict(ori_point_labels=np.array([0, 1])), 'points have the labels'),
    (dict(ori_points=np.array([[1., np.nan]]), ori_point_labels=np.array([0])), 'must be finite'),
    (dict(ori_points=np.ones((1, 2)), ori_point_labels=np.array([4])), r'labels are \[4\]'),
])
def test_bad_samples_name_the_image(changes, words):
    sample = make_sample(7, **heatmap(np.ones((1, 4, 4), np.float32)))
    with pytest.raises(ValueError, match=f'images/7.png: .*{words}'):
        make_metric().process(None, [{**sample, **changes}])


def test_a_box_that_is_not_finite_is_refused():
    sample = make_sample(7, **findings([[0., 0., float('nan'), 5.]], [0.5]))
    with pytest.raises(ValueError, match='images/7.png: .*must be finite'):
        make_metric().process(None, [sample])


@pytest.mark.parametrize('name', ['ori_points', 'ori_point_labels', 'ori_shape', 'img_id'])
def test_a_sample_without_its_metainfo_is_refused(name):
    sample = make_sample(7, **findings())
    del sample[name]
    with pytest.raises(ValueError, match=f'has no {name}'):
        make_metric().process(None, [sample])


def test_a_padded_batch_is_cut_to_the_frame():
    # A frame of 100 pixels in a batch of 128, stride 4: 25 of 32 cells are the frame.
    scores = np.zeros((1, 32, 32), np.float32)
    scores[0, 12, 12] = 0.9  # cell 12 of 25 is pixels 48 to 52 of 100, the middle of the image
    scores[0, 30, 30] = 0.95  # padding of the batch
    shapes = dict(img_shape=(100, 100), batch_input_shape=(128, 128))
    normal = make_sample(1, shape=(1000, 1000), **heatmap(np.zeros((1, 25, 25))))
    for maps in (scores, scores[:, :25, :25]):
        sample = make_sample(0, [[500., 500.]], shape=(1000, 1000), **heatmap(maps), **shapes)
        events = make_metric().image_events(sample)[0]
        assert events.recall_levels == pytest.approx([0.9]) and events.score == pytest.approx(0.9)
        assert run(make_metric(), [sample, normal])['froc/auroc'] == 1.
    with pytest.raises(ValueError, match='31 x 31 cells.*not certain'):
        make_metric().process(None, [{**sample, **heatmap(np.zeros((1, 31, 31)))}])
    with pytest.raises(ValueError, match='pad_size_divisor'):  # 102 is no multiple of the stride
        make_metric().process(None, [{**sample, 'img_shape': (102, 102), **heatmap(scores)}])


@pytest.mark.parametrize('source', ['instances', 'gt_instances', 'ann_file'])
def test_stock_samples_of_boxes_are_scored_by_any_rule(source, tmp_path):
    boxes, found = [[80., 60., 120., 140.]], [[78., 60., 122., 138.]]
    if source == 'gt_instances':
        truth = dict(gt_instances=dict(bboxes=HorizontalBoxes(torch.tensor(boxes)),
                                       labels=torch.tensor([0])))
    else:
        truth = dict(instances=[dict(bbox=box, bbox_label=0, ignore_flag=0) for box in boxes])
    settings = {}
    if source == 'ann_file':
        truth = {}
        settings['ann_file'] = str(tmp_path / 'boxes.json')
        (tmp_path / 'boxes.json').write_text(json.dumps(dict(
            images=[dict(id=number, file_name=f'{number}.png', height=512, width=512)
                    for number in (0, 1)],
            annotations=[dict(id=1, image_id=0, category_id=1, bbox=[80, 60, 40, 80])],
            categories=[dict(id=1, name='fracture')])))
    none = {name: [] if name == 'instances' else dict(bboxes=torch.zeros(0, 4), labels=torch.zeros(0))
            for name in truth}
    for number, rule in enumerate(('disk_overlap', 'distance', 'box_iou', 'centre_in_box')):
        samples = [dict(img_id=0, ori_shape=(512, 512), img_path='0.png', **truth,
                        **findings(found, [0.9])),
                   dict(img_id=1, ori_shape=(512, 512), img_path='1.png', **none, **findings())]
        metrics = run(make_metric(rule=rule, **settings), samples)
        assert metrics['froc/recall@0.1'] == metrics['froc/auroc'] == 1., number
    # 44 x 78 against 40 x 80, 40 x 78 in common: an IoU of .881.
    assert run(make_metric(rule='box_iou', min_iou=0.89, **settings),
               samples)['froc/recall@0.1'] == 0.


def test_samples_that_say_nothing_of_the_truth_are_rejected():
    sample = dict(img_id=0, ori_shape=(5, 5), img_path='0.png', **findings())
    with pytest.raises(ValueError, match='no ori_points, instances or gt_instances'):
        make_metric().process(None, [sample])
    crowd = dict(instances=[dict(bbox=[0, 0, 2, 2], bbox_label=0, ignore_flag=1)])
    with pytest.raises(ValueError, match='1 annotation is ignored or crowds'):
        make_metric().process(None, [{**sample, **crowd}])
    with pytest.raises(ValueError, match='box_iou asks for target boxes'):
        make_metric(rule='box_iou').process(None, [make_sample(0, [[5., 5.]], **findings())])


@pytest.mark.parametrize('settings', [
    dict(convention='linear'), dict(hit_radius=0.), dict(max_overlap=2.), dict(budgets=()),
    dict(budgets=(-0.1,)), dict(keep_up_to=0.4), dict(keep_up_to='all'), dict(keep_up_to=np.nan),
    dict(keep_up_to=1., convention='best'), dict(rule='nearest'),
])
def test_bad_settings_are_refused(settings):
    with pytest.raises(ValueError, match='FROCMetric'):
        FROCMetric(**settings)


def test_an_annotation_file_of_other_images_is_refused(tmp_path):
    """Its ids count from 1, too, and its images are as large."""
    (tmp_path / 'other.json').write_text(json.dumps(dict(
        images=[dict(id=1, file_name='other1.png', width=256, height=512)], annotations=[],
        categories=[dict(id=1, name='fracture')])))
    metric = make_metric(ann_file=str(tmp_path / 'other.json'))
    with pytest.raises(ValueError, match='img_id 1 is other1.png in .*other.json; is ann_file of'):
        metric.process({}, [make_sample(1, **heatmap(np.zeros((8, 8))))])
