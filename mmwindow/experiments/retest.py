"""Finished runs tested again in another way: by another hit rule, or on other images.

The weights stay, so it takes minutes where a training takes hours. See ``tools/retest_runs.py``.
"""
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdet.registry import METRICS
from mmengine.config import Config

from mmwindow.apis.config import find_list_items, load_config
from mmwindow.apis.config_parts import files_digest, find_froc_metric
from mmwindow.datasets.folds import file_checksum
from mmwindow.experiments.cross_validation import run_plans
from mmwindow.experiments.devices import choose_devices
from mmwindow.experiments.job_queue import Outcome
from mmwindow.experiments.plan import SINGLE, RunPlan
from mmwindow.experiments.results import Runs, find_run_folders, read_runs
from mmwindow.experiments.run_folders import prepare_folder
from mmwindow.experiments.run_state import read_result, read_state
from mmwindow.experiments.worker import RESULT_ENTRIES, STATE_HEAD
from mmwindow.utils.environment import fingerprint, scoring_code
from mmwindow.utils.files import write_json

# What of a config a test reads and a training does not.
TEST_ENTRIES = ('test_dataloader', 'test_evaluator', 'test_cfg', 'model.test_cfg')
SPLITS = ('test', )


def check_test_options(options: Mapping[str, Any]) -> None:
    """Reject overrides that would change nothing, or that the weights were not trained for.

    Args:
        options: Overrides, keys dotted.

    Raises:
        ValueError: There is none, or one is not of a test.
    """
    if not options:
        raise ValueError('no --cfg-options are given, so that every number would be the same; name '
                         'what the test does in another way, such as test_evaluator.rule=distance')
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
        place = cfg.to_dict()
        for part in key.split('.') if key.startswith('model.test_cfg.') else []:
            if not isinstance(place, dict) or part not in place:
                raise ValueError(f'--cfg-options {key}: there is no {part}; '
                                 + (f'there are {", ".join(place)}' if isinstance(place, dict)
                                    else f'{place!r} holds nothing further'))
            place = place[part]


def plan_retests(folders: Sequence[str | Path], out: str | Path, cfg_options: Mapping[str, Any]
                 ) -> list[tuple[RunPlan, Path]]:
    """Return the plan of every test, and the folder of the run whose weights it takes.

    Args:
        folders: From ``tools/run_folds.py --out``, or of runs.
        out: Folder; receives ``<system>/fold<k>/`` or ``<system>/single/``.
        cfg_options: Overrides of what a test reads.

    Raises:
        ValueError: An override is not of a test, there is no run, one has no result, or ``out`` is
            where the runs are.
    """
    check_test_options(cfg_options)
    runs: dict[str, Runs] = {}
    for folder in folders:
        found = find_run_folders(folder)
        if not found:
            raise ValueError(f'{folder}: there is no run in it; tools/run_folds.py --out {folder} '
                             'makes runs')
        read_runs(found, runs)
    plans = []
    for system, folds in runs.items():
        for fold, (source, result) in folds.items():
            folder = Path(out) / system / (SINGLE if fold is None else f'fold{fold}')
            if folder.resolve() == source.resolve():
                raise ValueError(f'{source}: --out {out} is where the runs are; choose another')
            cfg = load_config(source / 'config.py')
            check_names(cfg_options, cfg)
            cfg.merge_from_dict(find_list_items(cfg, cfg_options))
            METRICS.build(find_froc_metric(cfg.test_evaluator))  # bad settings are rejected here
            # The weights and the images themselves: a name may stay where they do not.
            mark = fingerprint(cfg, result['seed'], ' '.join([
                result['mark'], 'tested again',
                file_checksum(source / 'training' / result['checkpoint']),
                files_digest(cfg, 'test')]))
            shared = result.get('settings_mark') and fingerprint(
                Config(dict(options=repr(sorted(cfg_options.items())))), result['seed'],
                result['settings_mark'])
            plans.append((RunPlan(system, Path(result['config']), fold, folder, cfg, mark, shared,
                                  result['seed'], SPLITS, trains=False), source))
    return plans


def retest_runs(folders: Sequence[str | Path], out: str | Path, cfg_options: Mapping[str, Any] | None,
                gpus: Sequence[int] | None = None, **how: Any) -> list[Outcome]:
    """Test the best checkpoint of every finished run again; reuse what is done.

    Args:
        folders: As in :func:`plan_retests`.
        out: As in :func:`plan_retests`.
        cfg_options: As in :func:`plan_retests`.
        gpus: As in :func:`~mmwindow.experiments.devices.choose_devices`.
        **how: ``command_line``, ``overwrite`` and ``display`` of
            :func:`~mmwindow.experiments.cross_validation.run_plans`.

    Returns:
        Of the tests that had to be done. Their folders are read like those of
        runs, by ``tools/make_tables.py``.

    Raises:
        ValueError: As :func:`plan_retests`, or a folder holds a test of other settings.
    """
    plans = plan_retests(folders, out, cfg_options or {})
    sources = {plan.folder: source for plan, source in plans}

    def prepare(plan: RunPlan, command_line: str, overwrite: bool) -> None:
        prepare_retest(plan, sources[plan.folder], command_line, overwrite)

    return run_plans([plan for plan, _ in plans], choose_devices(gpus), prepare=prepare, **how)


def prepare_retest(plan: RunPlan, source: Path, command_line: str, overwrite: bool = False) -> None:
    """Make a folder in which a worker finds a trained run that lacks its test.

    Args:
        plan: Of the test.
        source: Folder of the run.
        command_line: Is noted in the result.
        overwrite: Delete a test of other settings.
    """
    prepare_folder(plan, plan.cfg.pretty_text, overwrite)
    training = plan.folder / 'training'
    training.unlink(missing_ok=True)  # a link, and the runs may have moved
    training.symlink_to((source / 'training').resolve(), target_is_directory=True)
    # What run.json of older runs lacks stands in their result.
    state = {**(read_result(source) or {}), **(read_state(source) or {})}
    for name in RESULT_ENTRIES:
        state.pop(name, None)
    write_json(plan.folder / 'run.json', {
        **STATE_HEAD, **state, 'mark': plan.mark, 'scoring_code': scoring_code(),
        'settings_mark': plan.settings_mark, 'splits': SPLITS,
        'command': command_line, 'training_command': state.get('training_command', state['command']),
        'trained': True})
