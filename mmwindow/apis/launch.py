"""Training and testing from a config, as mmdet's tools do it."""
import os
import zipfile
from pathlib import Path

import torch
from mmdet.utils import setup_cache_size_limit_of_dynamo
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

import mmwindow.engine  # noqa: F401  (allows own checkpoints before the first one is read)
from mmwindow.apis.runs import find_newest_checkpoint, mend_last_checkpoint
from mmwindow.engine.distributed import close_process_group, init_cpu_process_group
from mmwindow.engine.hooks import EvaluationSizeHook
from mmwindow.engine.memory import keep_freed_memory

# Variables of the config files under configs/_base_, and where reading a file copies them to.
COPIED_VARIABLES = {
    'annotations': 'train_dataloader.dataset.ann_file',
    'augmented': 'train_dataloader.dataset.pipeline',
    'box_pipeline': 'train_dataloader.dataset.pipeline',
    'channels': 'model',
    'classes': 'train_dataloader.dataset.metainfo.classes',
    'data_root': 'train_dataloader.dataset.data_root',
    'dataset': 'train_dataloader.dataset',
    'input_side': 'train_dataloader.dataset.input_side',
    'label_pipeline': 'train_dataloader.dataset.pipeline',
    'test_pipeline': 'test_dataloader.dataset.pipeline',
    'train_pipeline': 'train_dataloader.dataset.pipeline',
    'vis_backends': 'visualizer.vis_backends',
    'window': 'train_dataloader.dataset.window'}


def check_options(options):
    """Refuse overrides of variables that only the config file itself reads.

    By the time options are merged the file's values have been copied to where they are used: with
    ``window.lower_radius=100`` a training would go on with the file's radius, without a word.

    Args:
        options (dict): Overrides, keys dotted as in mmengine.

    Raises:
        ValueError: Such a variable is named.
    """
    for key in options:
        name, _, rest = key.partition('.')
        if name not in COPIED_VARIABLES:
            continue
        place = COPIED_VARIABLES[name] + (f'.{rest}' if rest else '')
        others = (' (and the same of val_dataloader and test_dataloader)'
                  if place.startswith('train_dataloader') else '')
        raise ValueError(
            f'--cfg-options {key}: {name} is a variable that only the config file reads, so that '
            f'nothing would change; set {place}{others}, or write a config of a few lines, as those '
            'in configs/windowloss/ablations')


def find_list_items(cfg, options):
    """Return overrides with each item of a list named by its index.

    ``train_dataloader.dataset.pipeline.PointsToPseudoBoxes.size`` reads better than with an index in
    place of the type, and stays right when a transform is put before it.

    Args:
        cfg (Config): Complete.
        options (dict): Overrides, keys dotted.

    Raises:
        ValueError: A list has no item, or several items, of a type that a key names.
    """
    found = {}
    for key, value in options.items():
        parts, place = key.split('.'), cfg.to_dict()
        for index, part in enumerate(parts):
            if isinstance(place, (list, tuple)) and not part.isdigit():
                types = [item.get('type') if isinstance(item, dict) else None for item in place]
                if types.count(part) != 1:
                    raise ValueError(
                        f'--cfg-options {key}: {".".join(parts[:index])} has {types.count(part)} '
                        f'items of type {part}; its types are {", ".join(map(str, types))}: name one '
                        'of them, or an item by its index')
                parts[index] = part = str(types.index(part))
            if isinstance(place, (list, tuple)):
                place = place[int(part)] if int(part) < len(place) else None
            else:
                place = place.get(part) if isinstance(place, dict) else None
        found['.'.join(parts)] = value
    return found


def load_config(config, work_dir=None, cfg_options=None, launcher='none'):
    """Read a config file and apply what the command line asks for.

    Args:
        config (str | Path): The config file.
        work_dir (str | Path, optional): Overrides the config's; without either it is
            ``work_dirs/<name of the config>``.
        cfg_options (dict, optional): Overrides, keys dotted as in mmengine; an item of a list, such
            as a pipeline, may be named by its type instead of its index.
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        ValueError: The file is missing, an override would change nothing
            (:func:`check_options`) or names no single item (:func:`find_list_items`).
    """
    if not Path(config).is_file():
        raise ValueError(f'config {config}: there is no such file; the configs lie in configs/')
    cfg = Config.fromfile(str(config))
    cfg.launcher = launcher
    if cfg_options:
        check_options(cfg_options)
        cfg.merge_from_dict(find_list_items(cfg, cfg_options))
    if work_dir is not None:
        cfg.work_dir = str(work_dir)
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(config).stem)
    return cfg


def use_mixed_precision(cfg):
    """Switch the optimizer wrapper of ``cfg`` to mixed precision (``--amp``).

    Raises:
        ValueError: A two-stage detector on a CPU.
    """
    if torch.cuda.is_available():
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.loss_scale = 'dynamic'
    elif 'roi_head' in cfg.model:
        raise ValueError(f'--amp: {cfg.model.type} cannot train in bfloat16 on a CPU, where the NMS '
                         'of mmcv, which chooses its proposals, takes float32 only; leave --amp out')
    else:
        cfg.optim_wrapper.type = 'BFloat16OptimWrapper'


def scale_learning_rate(cfg):
    """Switch on mmengine's linear scaling of the learning rate (``--auto-scale-lr``)."""
    if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
        raise ValueError('--auto-scale-lr: the config has no auto_scale_lr.base_batch_size; add '
                         'auto_scale_lr = dict(base_batch_size=48) with the batch size that '
                         'its learning rate was chosen for')
    cfg.auto_scale_lr.enable = True


def check_checkpoint(path):
    """Refuse a checkpoint path that cannot be loaded, before anything is built."""
    if '://' not in str(path) and not Path(path).is_file():
        raise ValueError(f'checkpoint {path}: there is no such file; training writes '
                         'best_*.pth and epoch_*.pth into its work_dir')
    if '://' in str(path):
        return
    with open(path, 'rb') as stream:
        is_archive = stream.read(2) == b'PK'  # torch's format since 1.6; its index comes last
    if is_archive and not zipfile.is_zipfile(path):
        raise ValueError(f'checkpoint {path}: it is cut short, as a kill while it was written leaves '
                         'it; delete it and take another, or --resume without a path for the newest '
                         'whole one')


def is_first_process():
    """Return whether this is rank 0, before any process group says so."""
    names = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
    return next((os.environ[name] for name in names if name in os.environ), '0') == '0'


def build_runner(cfg):
    """Build the runner; on a machine without GPUs with a gloo process group."""
    setup_cache_size_limit_of_dynamo()
    if not torch.cuda.is_available():
        keep_freed_memory()
    if init_cpu_process_group(cfg.launcher):
        # mmengine hands the wrapper device_ids, which it refuses on a CPU.
        cfg.setdefault('model_wrapper_cfg', dict(
            type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False)))
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    runner.register_hook(EvaluationSizeHook())
    return runner


def train(config, work_dir=None, cfg_options=None, launcher='none', amp=False, resume=None,
          auto_scale_lr=False):
    """Train the model of a config; return the runner when it is done.

    Args:
        config (str | Path): The config file.
        work_dir (str | Path, optional): Where logs and checkpoints go.
        cfg_options (dict, optional): Overrides of the config.
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'.
        amp (bool): Mixed precision: float16 with a loss scale on GPUs, bfloat16 on CPUs.
        resume (str, optional): 'auto' for the newest whole checkpoint in ``work_dir`` (a fresh
            start, or one from the config's ``load_from``, where there is none; one that a kill
            cut short is deleted), or a checkpoint's path.
        auto_scale_lr (bool): Scale the learning rate with the global batch size.
    """
    cfg = load_config(config, work_dir, cfg_options, launcher)
    if amp:
        use_mixed_precision(cfg)
    if auto_scale_lr:
        scale_learning_rate(cfg)
    if resume == 'auto':
        if launcher == 'none' or is_first_process():
            # The others read it after the process group has formed, so after this.
            mend_last_checkpoint(Path(cfg.work_dir))
        if find_newest_checkpoint(cfg.work_dir) is not None:
            cfg.resume, cfg.load_from = True, None
    elif resume is not None:
        cfg.resume, cfg.load_from = True, str(resume)
    if cfg.get('load_from') is not None:
        check_checkpoint(cfg.load_from)
    runner = build_runner(cfg)
    runner.train()
    close_process_group()
    return runner


def test(config, checkpoint, work_dir=None, cfg_options=None, launcher='none', out=None,
         show_dir=None):
    """Test a checkpoint; return the metrics as a dict.

    Args:
        config (str | Path): The config file.
        checkpoint (str | Path): The weights.
        work_dir (str | Path, optional): Where the log goes.
        cfg_options (dict, optional): Overrides of the config.
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'.
        out (str | Path, optional): A ``.pkl`` that receives every prediction, for
            evaluation offline.
        show_dir (str | Path, optional): Where mmdet's visualizer paints the findings.
    """
    check_checkpoint(checkpoint)
    if out is not None and Path(out).suffix not in ('.pkl', '.pickle'):
        raise ValueError(f'--out {out}: the file must end in .pkl or .pickle')
    cfg = load_config(config, work_dir, cfg_options, launcher)
    cfg.load_from = str(checkpoint)
    if show_dir is not None:
        hook = cfg.default_hooks.setdefault('visualization', dict(type='DetVisualizationHook'))
        hook.update(draw=True, test_out_dir=str(show_dir))
    runner = build_runner(cfg)
    if out is not None:
        from mmdet.evaluation import DumpDetResults
        runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=str(out)))
    metrics = runner.test()
    close_process_group()
    return metrics
