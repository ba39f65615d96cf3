"""What a list of configs over folds comes to: one plan for each run, checked before any begins."""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwindow.apis.config import load_config
from mmwindow.apis.config_parts import files_digest, find_froc_metric, innermost_dataset
from mmwindow.datasets.folds import SPLITS, file_checksum
from mmwindow.engine.checkpoint import check_checkpoint
from mmwindow.evaluation.froc import DEFAULT_BUDGETS
from mmwindow.experiments.weights import parse_weights
from mmwindow.utils.config_pipelines import find_steps
from mmwindow.utils.environment import fingerprint

SINGLE = 'single'  # folder of a run on the config's own split


@dataclass(frozen=True)
class RunPlan:
    """One training with its tests.

    Attributes:
        system: Name of the config file.
        config: The config file.
        fold: None: the config's own split.
        folder: Of the run.
        cfg: Complete, fold and options merged.
        mark: Fingerprint of config, data, seed and number of processes.
        settings_mark: The same for all folds of one system: what they may be pooled by. None where
            it is not known.
        seed: Of the training.
        splits: What the weights are tested on.
        trains: Whether the run is trained, too.
        weights: Which are tested (:mod:`.weights`); not part of the mark.
        views: That a test averages, as :func:`mmwindow.apis.test.test` names them; None: the image.
        amp: Train in mixed precision.
    """

    system: str
    config: Path
    fold: int | None
    folder: Path
    cfg: Config
    mark: str
    settings_mark: str | None
    seed: int
    splits: tuple[str, ...] = ('test', 'val')
    trains: bool = True
    weights: str = 'best'
    views: str | None = None
    amp: bool = False

    @property
    def name(self) -> str:
        """What messages call the run."""
        return self.system if self.fold is None else f'{self.system} fold {self.fold}'


@dataclass(frozen=True)
class PlacedFolds:
    """Folds whose point files are written.

    Attributes:
        content: From ``check_folds``.
        files: Fold -> split -> point file, from ``write_fold_files``.
    """

    content: Mapping[str, Any]
    files: Mapping[int, Mapping[str, Path]]


@dataclass(frozen=True)
class RunSettings:
    """How every run of a list is trained.

    Attributes:
        cfg_options: Overrides of every config.
        seed: Overrides the config's.
        amp: Train in mixed precision.
        num_processes: Of each run; the global batch grows with it.
        splits: What the weights are tested on; not part of the mark.
        weights: Which are tested, as :func:`~mmwindow.experiments.weights.parse_weights` reads it.

    Raises:
        ValueError: ``weights`` names no rule, or another end than that of the training.
    """

    cfg_options: Mapping[str, Any] | None = None
    seed: int | None = None
    amp: bool = False
    num_processes: int = 1
    splits: tuple[str, ...] = ('test', 'val')
    weights: str = 'best'

    def __post_init__(self) -> None:
        if parse_weights(self.weights).end is not None:
            raise ValueError(f'--weights {self.weights}: a training is tested at its end; mmwindow '
                             'retest tests earlier epochs')


def set_annotation_files(cfg: Config, files: Mapping[str, Path]) -> None:
    """Let each split of a config, changed in place, read its file of ``files``."""
    for split in SPLITS:
        # An absolute path stays as it is where mmengine joins it to data_root.
        innermost_dataset(cfg[f'{split}_dataloader'].dataset)['ann_file'] = str(
            Path(files[split]).absolute())


def check_config(config: str | Path, cfg: Config) -> None:
    """Reject a config whose run could only fail, or give no table, after its training.

    Args:
        config: Its file, for the message.
        cfg: Complete.

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
    if cfg.get('load_from'):
        check_checkpoint(cfg.load_from, f'{config}: load_from')


def fix_seed(cfg: Config) -> int:
    """Return the seed of a config; 0 is set where it leaves it to chance."""
    seed = (cfg.get('randomness') or {}).get('seed')
    if seed is None:
        cfg.merge_from_dict({'randomness.seed': 0})
    return cfg.randomness.seed


def describe_system(cfg: Config, config: str | Path) -> dict[str, Any]:
    """Return what the tables need to know of a config: loss and window, and if it ablates.

    Returns:
        dict: ``window`` (lengths in pixels of a frame of side 1024), ``divergence`` (None for
        other losses and for a Window Loss with steps beyond the paper's, which are no rows of its
        Tables 2 and 3) and ``is_ablation``.
    """
    head = cfg.model.get('bbox_head') or {}
    loss = head.get('loss') or {}
    is_window_loss = loss.get('type') == 'WindowLoss'
    bounds = next((step for _, step in find_steps(cfg, 'PointToBoundTransform')), None)
    window = bounds and {name: value for name, value in bounds.items()
                         if name in ('lower_radius', 'upper_radius', 'softness')}
    is_papers = is_window_loss and not loss.get('focus') and not any(
        head.get(part) for part in ('num_convs', 'image_window', 'maximum_window'))
    return dict(divergence=loss.get('divergence', 'kld') if is_papers else None,
                window=dict(window) if is_window_loss and window else None,
                is_ablation=Path(config).parent.name.startswith('ablation')
                or bool(cfg.get('is_ablation')))


def plan_runs(configs: Sequence[str | Path], out: str | Path, settings: RunSettings = RunSettings(),
              folds: PlacedFolds | None = None) -> list[RunPlan]:
    """Return the plan of every run: every config on every fold, folds outermost.

    Args:
        configs: Config files of different names.
        out: Folder for all runs.
        settings: Of all of them.
        folds: None: each config's own split.

    Raises:
        ValueError: Two configs of one name, a config or its annotation file is missing, or its run
            could only fail (:func:`check_config`).
    """
    systems = [Path(config).stem for config in configs]
    for system in systems:
        if systems.count(system) > 1:
            raise ValueError(f'{systems.count(system)} configs are named {system}; a run\'s folder '
                             'has its config\'s name: give each list an --out of its own')
    return [plan_run(config, Path(out), settings, fold, folds)
            for fold in ([None] if folds is None else sorted(folds.files)) for config in configs]


def plan_run(config: str | Path, out: Path, settings: RunSettings, fold: int | None,
             folds: PlacedFolds | None) -> RunPlan:
    """Return the plan of one config on one fold; see :func:`plan_runs`."""
    options = {**(settings.cfg_options or {}),
               **({} if settings.seed is None else {'randomness.seed': settings.seed})}
    cfg = load_config(config, cfg_options=options)
    check_config(config, cfg)
    data = [f'processes {settings.num_processes} amp {settings.amp}']
    if cfg.get('load_from') and '://' not in cfg.load_from:
        data += [f'from {file_checksum(cfg.load_from)}']
    if folds is None or fold is None:
        own = shared = [files_digest(cfg, split) for split in SPLITS]
    else:
        checksum, divided = folds.content['annotations']['sha256'], folds.content['folds']
        own, shared = [checksum, str(divided[fold])], [checksum, str(divided)]
    # The marks are made before paths of this machine enter the config.
    seed = fix_seed(cfg)
    mark = fingerprint(cfg, seed, ' '.join(data + own))
    settings_mark = fingerprint(cfg, seed, ' '.join(data + shared))
    if folds is not None and fold is not None:
        set_annotation_files(cfg, folds.files[fold])
    system = Path(config).stem
    folder = out / system / (SINGLE if fold is None else f'fold{fold}')
    return RunPlan(system, Path(config), fold, folder, cfg, mark, settings_mark, seed,
                   tuple(settings.splits), weights=settings.weights, amp=settings.amp)
