"""Finished runs tested again in another way: other weights, views, hit rule or images.

Nothing is trained, so it takes minutes where a training takes hours. See ``mmwindow retest``.
"""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from mmdet.registry import METRICS
from mmengine.config import Config

from mmwindow.apis.config import find_list_items, load_config
from mmwindow.apis.config_parts import files_digest, find_froc_metric
from mmwindow.apis.test import VIEWS, use_test_time_augmentation
from mmwindow.datasets.folds import file_checksum
from mmwindow.experiments.cross_validation import run_plans
from mmwindow.experiments.devices import Devices, choose_devices
from mmwindow.experiments.job_queue import Outcome
from mmwindow.experiments.plan import SINGLE, RunPlan
from mmwindow.experiments.results import (
    Runs,
    check_folds_are_there,
    check_same_training,
    find_run_folders,
    read_runs,
)
from mmwindow.experiments.run_folders import prepare_folder
from mmwindow.experiments.run_state import read_result, read_state
from mmwindow.experiments.weights import find_weights, parse_weights
from mmwindow.experiments.worker import RESULT_ENTRIES, STATE_HEAD
from mmwindow.utils.environment import fingerprint, scoring_code
from mmwindow.utils.files import write_json
from mmwindow.utils.messages import shorten

# What of a config a test reads and a training does not.
TEST_ENTRIES = ('test_dataloader', 'test_evaluator', 'test_cfg', 'model.test_cfg')
SPLITS = ('test', )


OWN_WEIGHTS = OWN_VIEWS = 'own'  # those that the run was tested with


@dataclass(frozen=True)
class TestVariant:
    """One way to test the trainings again.

    Attributes:
        weights: A rule of :mod:`.weights`, or :data:`OWN_WEIGHTS`.
        views: That are averaged, one of :data:`~mmwindow.apis.test.VIEWS`, or :data:`OWN_VIEWS`;
            None: the image alone.
    """

    weights: str = OWN_WEIGHTS
    views: str | None = OWN_VIEWS

    @property
    def name(self) -> str:
        """What tables and folders call it, such as 'mean4_mirror'."""
        return self.weights + ('' if self.views in (None, OWN_VIEWS) else f'_{self.views}')


OWN = TestVariant()


def list_variants(weights: Sequence[str] | None, views: Sequence[str] | None) -> list[TestVariant]:
    """Return every rule for weights with every choice of views.

    Args:
        weights: Rules; those that each run was tested with if None.
        views: 'none' or one of :data:`~mmwindow.apis.test.VIEWS`; those that each run was tested
            with if None.

    Raises:
        ValueError: A word is none of these, or stands twice.
    """
    for option, words in (('--weights', weights), ('--tta', views)):
        twice = sorted({word for word in words or () if list(words or ()).count(word) > 1})
        if twice:
            raise ValueError(f'{option} names {", ".join(twice)} twice; name each once')
    for word in weights or ():
        if word != OWN_WEIGHTS:
            parse_weights(word)
    wrong = [word for word in views or () if word not in ('none', *VIEWS)]
    if wrong:
        raise ValueError(f'--tta {wrong[0]}: expected are none, {" and ".join(VIEWS)}')
    return [TestVariant(word, None if view == 'none' else view)
            for word in weights or [OWN_WEIGHTS] for view in views or [OWN_VIEWS]]


def check_test_options(options: Mapping[str, Any], variants: Sequence[TestVariant] = (OWN, )) -> None:
    """Reject overrides that would change nothing, or that the weights were not trained for.

    Args:
        options: Overrides, keys dotted.
        variants: Of the weights and views.

    Raises:
        ValueError: There is none and nothing else differs, or one is not of a test.
    """
    if not options and list(variants) == [OWN]:
        raise ValueError('no --cfg-options are given, so that every number would be the same; name '
                         'what the test does in another way, such as test_evaluator.rule=distance, '
                         'or --weights, or --tta')
    for key in options:
        if not any(key == entry or key.startswith(f'{entry}.') for entry in TEST_ENTRIES):
            raise ValueError(f'--cfg-options {key}: the runs were trained without it; what a test '
                             f'can change lies in {", ".join(TEST_ENTRIES)}')


def check_names(options: Mapping[str, Any], cfg: Config) -> None:
    """Reject an override of ``model.test_cfg`` that the config does not know, as when it is misspelt.

    Raises:
        ValueError: The message names those that it knows.
    """
    for key in options:
        if not key.startswith('model.test_cfg.'):
            continue
        place, missing = find_place(cfg, key)
        if missing:
            raise ValueError(f'--cfg-options {key}: there is no {missing}; '
                             + (f'there are {", ".join(place)}' if isinstance(place, dict)
                                else f'{place!r} holds nothing further'))


class FoundPlace(NamedTuple):
    """What a dotted key leads to in a config.

    Attributes:
        place: As far as the config has its names.
        missing: The first name that it has not; empty where it has all.
    """

    place: Any
    missing: str


def find_place(cfg: Config, key: str) -> FoundPlace:
    """Follow a dotted key into a config.

    >>> find_place(Config(dict(a=dict(b=1))), 'a.b'), find_place(Config(dict(a=dict(b=1))), 'a.c.d')
    (FoundPlace(place=1, missing=''), FoundPlace(place={'b': 1}, missing='c'))
    """
    place = cfg.to_dict()
    for part in key.split('.'):
        if not isinstance(place, dict) or part not in place:
            return FoundPlace(place, part)
        place = place[part]
    return FoundPlace(place, '')


def find_trained_runs(folders: Sequence[str | Path], only: Sequence[int] | None = None
                      ) -> dict[str, Runs]:
    """Return the finished runs in folders: system -> fold -> folder and result.

    Args:
        folders: As in :func:`plan_retests`.
        only: As in :func:`plan_retests`.

    Raises:
        ValueError: There is none, one has no result, a fold is not there or there twice, or folds of
            a system are of different trainings.
    """
    runs: dict[str, Runs] = {}
    for folder in folders:
        found = find_run_folders(folder)
        if not found:
            raise ValueError(f'{folder}: there is no run in it; tools/run_folds.py --out {folder} '
                             'makes runs')
        read_runs(found, runs, only)
    if not runs:
        raise ValueError(f'{", ".join(map(str, folders))}: none of the runs is of the folds '
                         f'{list(only or ())}')
    check_folds_are_there(only, runs)
    for system, folds in runs.items():
        check_same_training(system, {fold: result for fold, (_, result) in folds.items()})
    return runs


def plan_retests(folders: Sequence[str | Path], out: str | Path, cfg_options: Mapping[str, Any],
                 variant: TestVariant = OWN, only: Sequence[int] | None = None
                 ) -> list[tuple[RunPlan, Path]]:
    """Return the plan of every test, and the folder of the run whose weights it takes.

    Args:
        folders: From ``tools/run_folds.py --out``, or of runs.
        out: Folder; receives ``<system>/fold<k>/`` or ``<system>/single/``.
        cfg_options: Overrides of what a test reads.
        variant: Weights and views.
        only: Which folds; all if None. Runs of others may be at work.

    Raises:
        ValueError: An override is not of a test, there is no run, one has no result or lacks the
            weights, or ``out`` is where the runs are.
    """
    plans = []
    for place in folders:
        if Path(out).resolve().is_relative_to(Path(place).resolve()):
            raise ValueError(f'{place}: --out {out} is where the runs are, so that its tests would '
                             'be taken for runs; choose another')
    for system, folds in find_trained_runs(folders, only).items():
        for fold, (source, result) in folds.items():
            folder = Path(out) / system / (SINGLE if fold is None else f'fold{fold}')
            if folder.resolve() == source.resolve():
                raise ValueError(f'{source}: --out {out} is where the runs are; choose another')
            plans.append((plan_retest(system, folder, source, result, cfg_options, variant), source))
    return plans


def weights_checksum(path: Path) -> str:
    """Return the checksum of a checkpoint; of several tests of one run it is computed once."""
    info = path.stat()
    return _checksum(path, info.st_size, info.st_mtime_ns)


@lru_cache(maxsize=1024)
def _checksum(path: Path, size: int, modified: int) -> str:
    return file_checksum(path)


def plan_retest(system: str, folder: Path, source: Path, result: Mapping[str, Any],
                cfg_options: Mapping[str, Any], variant: TestVariant) -> RunPlan:
    """Return the plan of the test of one run.

    Args:
        system: Its name.
        folder: Of the test.
        source: Of the run.
        result: Of the run.
        cfg_options: Overrides of what a test reads.
        variant: Weights and views.

    Raises:
        ValueError: As :func:`plan_retests`.
    """
    cfg = load_config(source / 'config.py')
    check_names(cfg_options, cfg)
    cfg.merge_from_dict(find_list_items(cfg, cfg_options))
    try:
        METRICS.build(find_froc_metric(cfg.test_evaluator))  # bad settings are rejected here
    except TypeError as error:
        raise ValueError(f'--cfg-options test_evaluator: {shorten(str(error))}') from error
    own = result.get('weights') or 'best'
    weights = own if variant.weights == OWN_WEIGHTS else variant.weights
    # The weights and the images themselves: a name may stay where they do not.
    paths = [source / 'training' / result['checkpoint']] if weights == own == 'best' else (
        find_weights(source / 'training', parse_weights(weights)))
    words = [result['mark'], 'tested again', *map(weights_checksum, paths), files_digest(cfg, 'test')]
    options = dict(options=repr(sorted(cfg_options.items())))
    views = result.get('views') if variant.views == OWN_VIEWS else variant.views
    if variant.weights != OWN_WEIGHTS or views != result.get('views'):
        words += [f'weights {weights} views {views}']
        options['variant'] = words[-1]
    replaced = [key for key in cfg_options if 'pipeline' in key.split('.')]
    if views and replaced:
        raise ValueError(f'--cfg-options {replaced[0]}: the images of several views come from the '
                         "config's tta_pipeline, so that it would change nothing; leave out --tta")
    if views:  # what the config lacks is said before the first test
        use_test_time_augmentation(load_config(source / 'config.py'), views)
    shared = result.get('settings_mark') and fingerprint(Config(options), result['seed'],
                                                         result['settings_mark'])
    return RunPlan(system, Path(result['config']), result['fold'], folder, cfg,
                   fingerprint(cfg, result['seed'], ' '.join(words)), shared, result['seed'], SPLITS,
                   trains=False, weights=weights, views=views)


def retest_runs(folders: Sequence[str | Path], out: str | Path,
                cfg_options: Mapping[str, Any] | None = None, gpus: Sequence[int] | None = None,
                weights: Sequence[str] | None = None, views: Sequence[str] | None = None,
                jobs: int | None = None, slurm: Mapping[str, str] | None = None,
                only: Sequence[int] | None = None, **how: Any) -> list[Outcome]:
    """Test every finished run again, in one way or in several; reuse what is done.

    Args:
        folders: As in :func:`plan_retests`.
        out: As in :func:`plan_retests`; where there are several variants, each has a folder in it.
        cfg_options: As in :func:`plan_retests`.
        gpus, jobs, slurm: As in :func:`~mmwindow.experiments.devices.choose_devices`.
        weights, views: As in :func:`list_variants`.
        only: As in :func:`plan_retests`.
        **how: ``command_line``, ``overwrite`` and ``display`` of
            :func:`~mmwindow.experiments.cross_validation.run_plans`.

    Returns:
        Of the tests that had to be done. Their folders are read like those of
        runs, by ``tools/make_tables.py``.

    Raises:
        ValueError: As :func:`plan_retests`, or a folder holds a test of other settings.
    """
    plans = plan_variants(folders, out, cfg_options or {}, list_variants(weights, views), only)
    return run_retests(plans, choose_devices(gpus, jobs=jobs, slurm=slurm, out=out), **how)


def plan_variants(folders: Sequence[str | Path], out: str | Path, cfg_options: Mapping[str, Any],
                  variants: Sequence[TestVariant], only: Sequence[int] | None = None
                  ) -> dict[str, list[tuple[RunPlan, Path]]]:
    """Return the tests of each variant by its name, as :func:`plan_retests` does.

    Raises:
        ValueError: As :func:`plan_retests`.
    """
    check_test_options(cfg_options, variants)
    if len(variants) == 1:
        return {variants[0].name: plan_retests(folders, out, cfg_options, variants[0], only)}
    return {variant.name: plan_retests(folders, Path(out) / variant.name, cfg_options, variant, only)
            for variant in variants}


def run_retests(plans: Mapping[str, Sequence[tuple[RunPlan, Path]]], devices: Devices, **how: Any
                ) -> list[Outcome]:
    """Do the tests of :func:`plan_variants`, run by run, so that those of one run come together."""
    every = [entry for entries in zip(*plans.values(), strict=True) for entry in entries]
    sources = {plan.folder: source for plan, source in every}

    def prepare(plan: RunPlan, command_line: str, overwrite: bool) -> None:
        prepare_retest(plan, sources[plan.folder], command_line, overwrite)

    return run_plans([plan for plan, _ in every], devices, prepare=prepare, **how)


def prepare_retest(plan: RunPlan, source: Path, command_line: str, overwrite: bool = False) -> None:
    """Make a folder in which a worker finds a trained run that lacks its test.

    Args:
        plan: Of the test.
        source: Folder of the run.
        command_line: Is noted in the result.
        overwrite: Delete a test of other settings.
    """
    prepare_folder(plan, overwrite)
    training = plan.folder / 'training'
    training.unlink(missing_ok=True)  # a link, and the runs may have moved
    training.symlink_to((source / 'training').resolve(), target_is_directory=True)
    # What run.json of older runs lacks stands in their result.
    state = {**(read_result(source) or {}), **(read_state(source) or {})}
    for name in RESULT_ENTRIES:
        state.pop(name, None)
    write_json(plan.folder / 'run.json', {
        **STATE_HEAD, **state, 'mark': plan.mark, 'scoring_code': scoring_code(),
        'settings_mark': plan.settings_mark, 'splits': SPLITS, 'weights': plan.weights,
        'views': plan.views, 'command': command_line,
        'training_command': state.get('training_command', state['command']),
        'trained': True})
