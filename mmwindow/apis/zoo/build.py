"""From finished trainings to the zoo inside the package: files, numbers, cards, index."""
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.zoo.cards import read_evidence, render_card
from mmwindow.apis.zoo.evidence import FIELD, areas_by_body_part
from mmwindow.apis.zoo.files import (
    check_rounding,
    finished_run,
    last_checkpoint,
    write_checkpoint,
    write_half,
)
from mmwindow.apis.zoo.recipes import ALIAS, POINTS, RECIPES, Recipe, find_recipe
from mmwindow.apis.zoo.reference_images import make_reference_image
from mmwindow.datasets.folds import file_checksum
from mmwindow.engine.model_description import preprocessing_digest
from mmwindow.engine.run_file import TrainingRun
from mmwindow.evaluation.files.records import read_record
from mmwindow.runtime import RuntimeModel
from mmwindow.utils.environment import describe_machine, describe_versions
from mmwindow.utils.files import load_json, read_json, write_json
from mmwindow.utils.markdown import format_number
from mmwindow.utils.operating_points import ModelOperatingPoints
from mmwindow.zoo import FOLDER, FORMAT, VERSION

CHECK_IMAGES = 24  # compared with torch before and after rounding
ROUNDED_IMAGES = 64
NUM_REFERENCES = 3
REFERENCE_SEEDS = range(24)  # the highest scores of these: low ones would tell little
# What a training may have had, by the names of point files in annotations/: the number of the part.
PARTS = {Path(POINTS).name: 'development', 'train.json': 'fold 0'}
# Half the width of an interval of a paired difference in FROC score on fold 0, where no result of all
# folds tells (WL+ minus RetinaNet).
NOISE_OF_ONE = .05
OWN_SPLIT = 'validation of fold 0, which its training did not see'


@dataclass(frozen=True)
class ZooPlaces:
    """Where things are.

    Attributes:
        data: Folder with ``annotations/points.json``, ``train.json`` and ``test.json``.
        images: Folder of the images.
        results: ``results`` of the repository.
        zoo: Folder of the package's zoo.
    """

    data: Path
    images: Path
    results: Path
    zoo: Path = FOLDER


def build_model(recipe: Recipe, work_dir: Path, places: ZooPlaces, command: str = ''
                ) -> dict[str, Any]:
    """Write the files of a model and what is known of it; return the latter.

    Args:
        recipe: Of the model.
        work_dir: Of its finished training.
        places: Where things are.
        command: Is noted.

    Raises:
        ValueError: The training is not finished, was on other images or prepared them otherwise than
            the training that the threshold comes from, or the files differ from it by more than
            rounding.
    """
    run, trained = finished_run(work_dir), last_checkpoint(work_dir)
    part, num_images = training_part(run, places.data)
    points = find_points(recipe, run, part, places.results)
    checkpoint = write_checkpoint(recipe, trained, points, places.zoo / f'{recipe.name}.pth')
    exported = write_half(recipe, checkpoint, places.zoo / f'{recipe.name}.onnx', places.images,
                          CHECK_IMAGES, run.data)
    rounding = check_rounding(recipe, trained, exported.path, places.images, ROUNDED_IMAGES)
    known = places.results / 'zoo' / 'fold0' / f'{recipe.name}_test.json'
    parts = [] if not known.is_file() else areas_by_body_part(
        read_record(known), body_parts(places.data / 'annotations' / 'test.json'))
    content = dict(
        system=recipe.title, command=command, machine=describe_machine(),
        versions=describe_versions(), training=dict(
            part=part, images=num_images, data=run.data, epochs=run.epoch, seconds=run.seconds,
            seed=run.seed, machine=run.machine, versions=run.versions),
        operating_points=None if points is None else points.to_json(), check=exported.check,
        rounding=rounding.to_json(), by_body_part=parts,
        files={path.suffix[1:]: describe_file(path) for path in (exported.path, checkpoint)},
        references=reference_scores(exported.path))
    write_json(places.results / 'zoo' / f'{recipe.name}.json', content)
    return content


def training_part(run: TrainingRun, data: Path) -> tuple[str, int]:
    """Return which part of the data a training had, 'development' or 'fold 0', and its images.

    Raises:
        ValueError: None of these.
    """
    for name, part in PARTS.items():
        path = data / 'annotations' / name
        if path.is_file() and file_checksum(path) == run.data.get('train'):
            return part, len(read_point_file(path).records)
    raise ValueError(f'{data}: the training had none of annotations/{", ".join(PARTS)} in it; is it '
                     'another data set, or were they made anew?')


def find_points(recipe: Recipe, run: TrainingRun, part: str, results: Path
                ) -> ModelOperatingPoints | None:
    """Return the thresholds of a recipe that fold 0 chose; None where it did not.

    Those that the training itself chose are on images that it was trained on: they are no use.

    Args:
        recipe: Of the model.
        run: Its training.
        part: That it was trained on.
        results: Of the repository.

    Raises:
        ValueError: The two trainings prepared images differently.
    """
    evidence = read_evidence(results, recipe.name)
    if evidence is None:
        return None
    points = ModelOperatingPoints.from_json(evidence['operating_points'])
    prepared = preprocessing_digest(run.preprocessing.get('pipeline'),
                                    run.preprocessing.get('data_preprocessor'))
    if (points.input_size, points.preprocessing) != (run.input_size, prepared):
        raise ValueError(f'{recipe.name}: the threshold is of images prepared otherwise (input '
                         f'{points.input_size}, digest {points.preprocessing}) than in the training '
                         f'({run.input_size}, {prepared})')
    return replace(points, split=OWN_SPLIT) if part == 'fold 0' else points


def body_parts(points: Path) -> dict[Any, str]:
    """Return the body part of each image of a point file by its id."""
    return {img['id']: str(img[FIELD]) for img in load_json(points, 'point file')['images']}


def describe_file(path: Path) -> dict[str, Any]:
    """Return name, size and check sum of a file."""
    content = path.read_bytes()
    return dict(name=path.name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def reference_scores(exported: Path) -> list[dict[str, float]]:
    """Return the reference images that score highest, by seed, and their scores."""
    model = RuntimeModel(exported)
    scores = {seed: model.predict(make_reference_image(seed))[0].image_score
              for seed in REFERENCE_SEEDS}
    best = sorted(scores, key=lambda seed: -scores[seed])[:NUM_REFERENCES]
    return [dict(seed=seed, score=round(scores[seed], 7)) for seed in best]


def known_models(results: Path) -> dict[str, dict[str, Any]]:
    """Return what is known of each model that was built, by name, in the order of the recipes."""
    found = {recipe.name: read_json(results / 'zoo' / f'{recipe.name}.json') for recipe in RECIPES}
    return {name: content for name, content in found.items() if content is not None}


def make_index(models: dict[str, dict[str, Any]], results: Path) -> dict[str, Any]:
    """Return the content of ``index.json``.

    Args:
        models: From :func:`known_models`.
        results: Of the repository.
    """
    entries = {name: dict(description=content['system'], exported=content['files']['onnx'],
                          checkpoint=content['files']['pth'], card=f'{name}.md',
                          references=content['references'])
               for name, content in models.items()}
    best = recommend(models, results)
    aliases = {} if best is None else {ALIAS: dict(model=best[0], reason=best[1])}
    return dict(format=FORMAT, version=VERSION, models=entries, aliases=aliases)


def recommend(models: Mapping[str, dict[str, Any]], results: Path) -> tuple[str, str] | None:
    """Return the recommended model and why; None without models.

    One that has a threshold comes first: without, nobody knows what it calls. Then the highest FROC
    score counts, over the folds where all have them, else on the test images of fold 0.

    Args:
        models: From :func:`known_models`.
        results: Of the repository.
    """
    if not models:
        return None
    able = [name for name in models if models[name]['operating_points'] is not None] or list(models)
    over_folds = [read_json(results / 'fracatlas' / f'{find_recipe(name).result}.json') or {}
                  for name in able]
    numbers = {len(content.get('folds') or ()) for content in over_folds}
    if len(numbers) == 1 and min(numbers) > 1:
        found, where = over_folds, f'mean over {min(numbers)} folds of the development part'
    else:
        found = [read_evidence(results, name) or {} for name in able]
        where = 'test images of fold 0'
    scores: dict[str, Any] = {name: (content.get('metrics') or {}).get('froc/froc_score')
                              for name, content in zip(able, found, strict=True)}
    best = max(able, key=lambda name: -1. if scores[name] is None else scores[name])
    others = ', '.join(f'{name} {format_number(score)}' for name, score in scores.items()
                       if name != best and score is not None)
    if not others:
        return best, 'the only model with a FROC score'
    return best, (f'highest FROC score, {where}: {format_number(scores[best])} ({others}); '
                  f'differences below {measure_noise(found):.2f} may be chance, and another seed may '
                  'change more')


def measure_noise(results: Sequence[Mapping[str, Any]]) -> float:
    """Return half the width of the widest 95 % interval of a paired difference in FROC score.

    Args:
        results: Result files; those without a comparison say nothing.
    """
    found = [(content.get('reference_minus_this') or {}).get('differences', {}).get('froc_score')
             for content in results]
    return max([(one['high'] - one['low']) / 2 for one in found if one], default=NOISE_OF_ONE)


def render_cards(places: ZooPlaces) -> dict[Path, str]:
    """Return the card of each model by its path."""
    return {places.zoo / f'{name}.md': render_card(find_recipe(name), content, places.results)
            for name, content in known_models(places.results).items()}
