"""What a list of configs over folds comes to: one plan for each run, checked before any begins."""
import os
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from mmwindow.apis.config import load_config
from mmwindow.datasets.folds import SPLITS, file_checksum
from mmwindow.evaluation.froc import DEFAULT_BUDGETS
from mmwindow.utils.config_pipelines import find_steps
from mmwindow.utils.environment import fingerprint

SINGLE = 'single'  # folder of a run on the config's own split


@dataclass(frozen=True)
class RunPlan:
    """One training with its tests.

    Attributes:
        system (str): Name of the config file.
        config (Path): The config file.
        fold (int, optional): None: the config's own split.
        folder (Path): Of the run.
        cfg (Config): Complete, fold and options merged.
        mark (str): Fingerprint of config, data, seed and number of processes.
        settings_mark (str, optional): The same for all folds of one system: what they may be pooled
            by. None where it is not known.
        seed (int): Of the training.
        splits (tuple[str]): What the best checkpoint is tested on.
        trains (bool): Whether the run is trained too.
    """

    system: str
    config: Path
    fold: int | None
    folder: Path
    cfg: Config
    mark: str
    settings_mark: str | None
    seed: int
    splits: tuple = ('test', 'val')
    trains: bool = True

    @property
    def name(self):
        """Names the run in messages."""
        return self.system if self.fold is None else f'{self.system} fold {self.fold}'


def innermost_dataset(dataset):
    """Return the part of a data set's config that names the annotation file.

    Raises:
        ValueError: There is none, as in a concatenation.
    """
    while 'ann_file' not in dataset and isinstance(dataset.get('dataset'), dict):
        dataset = dataset['dataset']
    if 'ann_file' not in dataset:
        raise ValueError(f'a data set of type {dataset.get("type")!r} has no ann_file; the folds are '
                         'set there: one data set with an ann_file, wrapped or not, is expected')
    return dataset


def set_annotation_files(cfg, files):
    """Let each split of a config read its file.

    Args:
        cfg (Config): Changed in place.
        files (dict[str, Path]): ``train``, ``val`` and ``test``.
    """
    for split in SPLITS:
        # An absolute path stays as it is where mmengine joins it to data_root.
        innermost_dataset(cfg[f'{split}_dataloader'].dataset)['ann_file'] = str(
            Path(files[split]).absolute())


def annotation_file(cfg, split):
    """Return the annotation file of a split of a config."""
    dataset = innermost_dataset(cfg[f'{split}_dataloader'].dataset)
    return Path(os.path.join(dataset.get('data_root') or '', dataset['ann_file']))


def find_froc_metric(evaluator):
    """Return the config of the one FROCMetric of an evaluator's config.

    Raises:
        ValueError: There is none, or several.
    """
    metrics = evaluator if isinstance(evaluator, list) else [evaluator]
    mine = [metric for metric in metrics if metric.get('type') == 'FROCMetric']
    if len(mine) != 1:
        raise ValueError(f'the evaluator has {len(mine)} FROCMetric; one is needed, its record is '
                         'the result of a run')
    return mine[0]


def check_config(config, cfg):
    """Refuse a config whose run could only fail, or give no table, after its training.

    Args:
        config (str | Path): Its file, for the message.
        cfg (Config): Complete.

    Raises:
        ValueError: A split has no FROCMetric, 0.1 is none of its budgets, no best checkpoint would
            be kept, or ``load_from`` names no file.
    """
    for split in ('val', 'test'):
        try:
            metric = find_froc_metric(cfg.get(f'{split}_evaluator') or {})
        except ValueError as error:
            raise ValueError(f'{config}: {split}_evaluator: {error}') from error
        budgets = metric.get('budgets', DEFAULT_BUDGETS)
        if 0.1 not in budgets:
            raise ValueError(f'{config}: {split}_evaluator.budgets is {list(budgets)}; the tables '
                             'report recall at 0.1: put it among them')
    if not (cfg.get('default_hooks') or {}).get('checkpoint', {}).get('save_best'):
        raise ValueError(f'{config}: default_hooks.checkpoint has no save_best, so that no best '
                         "checkpoint would be there to test; set it, as to 'froc/auroc'")
    if cfg.get('load_from') and '://' not in cfg.load_from and not Path(cfg.load_from).is_file():
        raise ValueError(f'{config}: load_from is {cfg.load_from}; there is no such file')


def fix_seed(cfg):
    """Return the seed of a config; 0 is set where it leaves it to chance."""
    seed = (cfg.get('randomness') or {}).get('seed')
    if seed is None:
        cfg.merge_from_dict({'randomness.seed': 0})
    return cfg.randomness.seed


def describe_system(cfg, config):
    """Return what the tables need to know of a config: loss and window, and if it ablates.

    Returns:
        dict: ``window`` (lengths in pixels of a frame of side 1024), ``divergence`` (None for
        other losses) and ``is_ablation``.
    """
    head = cfg.model.get('bbox_head') or {}
    loss = head.get('loss') or {}
    is_window_loss = loss.get('type') == 'WindowLoss'
    bounds = next((step for _, step in find_steps(cfg, 'PointToBoundTransform')), None)
    window = bounds and {name: value for name, value in bounds.items()
                         if name in ('lower_radius', 'upper_radius', 'softness')}
    return dict(divergence=loss.get('divergence', 'kld') if is_window_loss else None,
                window=dict(window) if is_window_loss and window else None,
                is_ablation=Path(config).parent.name.startswith('ablation'))


def plan_runs(configs, out, folds=None, files=None, cfg_options=None, seed=None, amp=False,
              num_processes=1, splits=('test', 'val')):
    """Return the plan of every run: every config on every fold, folds outermost.

    Args:
        configs (Sequence[str | Path]): Config files of different names.
        out (str | Path): Folder for all runs.
        folds (dict, optional): From ``check_folds``; None: each config's own split.
        files (dict[int, dict[str, Path]], optional): From ``write_fold_files``.
        cfg_options (dict, optional): Overrides of every config.
        seed (int, optional): Overrides the config's.
        amp (bool): Train in mixed precision.
        num_processes (int): Of each run; the global batch grows with it.
        splits (Sequence[str]): What the best checkpoint is tested on; not part of the mark.

    Raises:
        ValueError: Two configs of one name, a config or its annotation file is missing, or its run
            could only fail (:func:`check_config`).
    """
    systems = [Path(config).stem for config in configs]
    for system in systems:
        if systems.count(system) > 1:
            raise ValueError(f'{systems.count(system)} configs are named {system}; a run\'s folder '
                             'has its config\'s name: give each list an --out of its own')
    options = {**(cfg_options or {}), **({} if seed is None else {'randomness.seed': seed})}
    plans = []
    for fold in [None] if folds is None else sorted(files):
        for system, config in zip(systems, configs, strict=True):
            cfg = load_config(config, cfg_options=options)
            check_config(config, cfg)
            data = [f'processes {num_processes} amp {amp}']
            if cfg.get('load_from') and '://' not in cfg.load_from:
                data += [f'from {file_checksum(cfg.load_from)}']
            if fold is None:
                mine = shared = [file_checksum(annotation_file(cfg, split)) for split in SPLITS]
            else:
                mine = [folds['annotations']['sha256'], str(folds['folds'][fold])]
                shared = [folds['annotations']['sha256'], str(folds['folds'])]
            # The marks are made before paths of this machine enter the config.
            run_seed = fix_seed(cfg)
            mark = fingerprint(cfg, run_seed, ' '.join(data + mine))
            settings_mark = fingerprint(cfg, run_seed, ' '.join(data + shared))
            if fold is not None:
                set_annotation_files(cfg, files[fold])
            plans.append(RunPlan(
                system, Path(config), fold, Path(out) / system / (
                    SINGLE if fold is None else f'fold{fold}'), cfg, mark, settings_mark, run_seed,
                tuple(splits)))
    return plans
