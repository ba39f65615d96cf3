"""What a list of configs over folds comes to: one plan for each run, checked before any begins."""
import os
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from mmwindow.apis.launch import load_config
from mmwindow.apis.runs import fingerprint
from mmwindow.datasets.fold_file import SPLITS, file_checksum

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


def annotation_files(cfg):
    """Return the annotation file of each split of a config."""
    datasets = {split: innermost_dataset(cfg[f'{split}_dataloader'].dataset) for split in SPLITS}
    return {split: Path(os.path.join(dataset.get('data_root') or '', dataset['ann_file']))
            for split, dataset in datasets.items()}


def describe_system(cfg, config):
    """Return what the tables need to know of a config: loss and window, and if it ablates.

    Returns:
        dict: ``window`` (lengths in pixels of a frame of side 1024), ``divergence`` (None for
        other losses) and ``is_ablation``.
    """
    head = cfg.model.get('bbox_head') or {}
    loss = head.get('loss') or {}
    window = innermost_dataset(cfg.train_dataloader.dataset).get('window')
    is_window_loss = loss.get('type') == 'WindowLoss'
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
        ValueError: Two configs of one name, or a config or its annotation file is missing.
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
            data = [f'processes {num_processes} amp {amp}']
            if fold is None:
                data += [file_checksum(path) for path in annotation_files(cfg).values()]
            else:
                data += [folds['annotations']['sha256'], str(folds['folds'][fold])]
            # The mark is made before paths of this machine enter the config.
            run_seed = cfg.get('randomness', {}).get('seed', 0)
            mark = fingerprint(cfg, run_seed, ' '.join(data))
            if fold is not None:
                set_annotation_files(cfg, files[fold])
            plans.append(RunPlan(
                system, Path(config), fold, Path(out) / system / (
                    SINGLE if fold is None else f'fold{fold}'), cfg, mark, run_seed,
                tuple(splits)))
    return plans
