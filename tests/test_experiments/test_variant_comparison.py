"""How much a rule varies with the epoch at which a training ends, by hand."""
import statistics
from dataclasses import replace

import numpy as np
import pytest

from mmwindow.evaluation import FROCSettings, ImageEvents
from mmwindow.experiments import candidates
from mmwindow.experiments.candidates import Candidate, CandidateTests, has_same_predictions
from mmwindow.experiments.variant_comparison import (
    describe_variants,
    deviation_over_folds,
    deviations_over_ends,
)

METRICS = {'froc/auroc': .9, 'froc/recall@0.1': .9, 'froc/froc_score': .9}


def images(num_late, fold):
    """Ten points, of which some are found after all negatives: recall 1 - num_late / 10 below .5."""
    none, one = (np.zeros(0), np.zeros(0, int)), (np.array([.5]), np.ones(1, int))
    return [ImageEvents(.6, np.array([.1 if number < num_late else .9]), *none, True,
                        f'{fold}+{number}') for number in range(10)] + [
        ImageEvents(.5, np.zeros(0), *one, False, f'{fold}-{number}') for number in range(10)]


def variant(name, *late):
    return Candidate('wl', name, METRICS, {}, {fold: images(number, fold)
                                               for fold, number in enumerate(late)}, FROCSettings())


def test_deviation_over_ends_by_hand():
    """At .1 false positives an image one negative of ten is spent, and recalls are 1 - late / 10.

    Fold 0: .9, .7, .5: deviation .2. Fold 1: .8, .8, .8: none. Root mean square .2 / sqrt(2)."""
    variants = [variant('last@6', 1, 2), variant('last@7', 3, 2), variant('last', 5, 2),
                variant('mean2', 1, 1), variant('best', 9, 9), variant('last_mirror', 0, 0)]
    row, = deviations_over_ends(variants)  # of one end there is none, and best has no end
    assert (row['rule'], row['ends']) == ('last', ['last@6', 'last@7', 'last'])
    assert row['recall@0.1'] == pytest.approx(.2 / 2 ** .5) and row['auroc'] == 0
    assert [row['rule'] for row in deviations_over_ends(
        [*variants, variant('last@7_mirror', 0, 1)])] == ['last', 'last_mirror']


def test_numbers_of_folds_are_counted_once(monkeypatch):
    """Four ends of two folds: eight countings, however often the three metrics ask for them."""
    counted = []

    def count(events, settings):
        counted.append(len(events))
        return dict.fromkeys(('auroc', 'recall@0.1', 'froc_score'), .5)
    monkeypatch.setattr(candidates, 'fold_metrics', count)
    variants = [variant(f'last@{end}', end, 10 - end) for end in (1, 2, 3, 4)]
    row, = deviations_over_ends(variants)
    assert row['auroc'] == 0 and counted == [20] * 8


def test_deviation_over_folds_by_hand():
    assert deviation_over_folds(variant('last', 1, 4), 'recall@0.1') == pytest.approx(
        statistics.stdev([.9, .6]))
    assert deviation_over_folds(variant('last', 1), 'recall@0.1') is None


def test_tables_of_variants_say_what_they_are():
    text = describe_variants(CandidateTests([
        variant('last', 1, 2), variant('last@7', 3, 2), variant('mean2', 1, 1)]), 'last')
    assert '| wl | mean2 | AUROC | +0.000' in text and '| wl | last | last, last@7 | 0.0000 |' in text
    assert 'share epochs' in text and 'not corrected' in text


def test_the_same_weights_under_two_names_are_said_to_be_the_same():
    """Where the last epoch is the best one, an interval around 0 would look like noise."""
    text = describe_variants(CandidateTests([variant('last', 1, 2), variant('best', 1, 2)]), 'last')
    assert text.count('none: the same predictions') == 3 and '+0.000' not in text


def test_negative_images_alone_have_no_number():
    negatives = {0: images(0, 0)[10:], 1: images(0, 1)[10:]}
    nothing = dict.fromkeys(METRICS)
    others = {fold: [replace(event, score=.2) for event in events]
              for fold, events in negatives.items()}
    variants = [Candidate('wl', name, nothing, {}, events, FROCSettings())
                for name, events in (('last', negatives), ('last@7', others))]
    row, = deviations_over_ends(variants)
    assert row['auroc'] is row['froc_score'] is None
    assert '| wl | last@7 | AUROC | none |' in describe_variants(CandidateTests(variants), 'last')


def judged(setting, events, settings=None, fold=None):
    return Candidate('x', setting, {}, {}, {fold: events}, FROCSettings(), {}, (), len(events),
                     settings or dict(rule='disk_overlap'))


def test_candidates_of_other_rules_or_images_are_refused():
    """Their numbers are of the same predictions, or of other images; neither can choose."""
    first = judged('a', images(1, 0))
    for other, words in (
            (judged('b', images(1, 0), dict(rule='distance')), "different settings: rule 'disk"),
            (judged('b', images(1, 0)[:-1]), 'x a and b, the single split: tested on different'),
            (judged('b', images(1, 0), fold=0), 'tested on different images')):
        with pytest.raises(ValueError, match=words):
            CandidateTests([first, other])
    CandidateTests([first, replace(judged('b', images(1, 0), dict(rule='distance')), system='y')])


def test_predictions_that_differ_in_false_positives_alone_are_others():
    first = judged('a', images(1, 0))
    assert has_same_predictions(first, judged('b', images(1, 0)))
    changed = [replace(event, fp_levels=event.fp_levels + .01) for event in images(1, 0)]
    assert any(len(event.fp_levels) for event in changed)
    assert not has_same_predictions(first, judged('b', changed))


def test_an_end_under_two_names_counts_once():
    """'last' of eight epochs is 'last@8'."""
    ends = [variant('last@7', 0), variant('last@8', 1), variant('last', 1)]
    found = deviations_over_ends(ends)
    assert [row['ends'] for row in found] == [['last@7', 'last@8']]
    assert found == deviations_over_ends(ends[:2])
