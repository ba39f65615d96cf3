"""Building mmengine's runner, and what is checked before it."""
import os
import zipfile
from pathlib import Path

import torch
from mmdet.utils import setup_cache_size_limit_of_dynamo
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

import mmwindow.engine  # noqa: F401  (allows own checkpoints before the first one is read)
from mmwindow.engine.cpu.distributed import init_cpu_process_group
from mmwindow.engine.cpu.memory import keep_freed_memory


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
    return runner
