"""Training the model of a config, as mmdet's tools/train.py does it."""
from pathlib import Path

import torch

from mmwindow.apis.config import load_config
from mmwindow.apis.runner import build_runner, check_checkpoint, is_first_process
from mmwindow.engine.checkpoint import find_newest_checkpoint, mend_last_checkpoint
from mmwindow.engine.cpu.distributed import close_process_group


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
