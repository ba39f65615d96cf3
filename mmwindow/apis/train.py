"""Training the model of a config, as mmdet's tools/train.py does it."""
import contextlib
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmwindow.apis.config import load_config
from mmwindow.apis.config_parts import files_digest
from mmwindow.apis.reporting import report_training
from mmwindow.apis.runner import (
    build_runner,
    config_errors,
    describe_place,
    is_first_process,
    quiet_mmengine,
    register_once,
    say,
)
from mmwindow.apis.test_outputs import describe_metrics
from mmwindow.apis.validation_watch import ValidationWatch
from mmwindow.engine.checkpoint import (
    check_checkpoint,
    find_newest_checkpoint,
    fix_last_checkpoint,
)
from mmwindow.engine.cpu.distributed import close_process_group
from mmwindow.engine.data_check import check_batches
from mmwindow.engine.hooks import (
    CheckpointContentHook,
    DataCheckHook,
    ExactResumeHook,
    NonFiniteHook,
    RunFileHook,
    ValidateOnResumeHook,
)
from mmwindow.engine.run_file import TrainingRun, read_run
from mmwindow.utils.environment import (
    describe_machine,
    describe_versions,
    fingerprint,
    training_code,
)
from mmwindow.utils.locks import hold_folder
from mmwindow.utils.messages import count_words
from mmwindow.utils.outputs import check_output_folder, warn_about_space

SPLITS = ('train', 'val', 'test')


def use_mixed_precision(cfg: Config) -> None:
    """Switch the optimizer wrapper of ``cfg`` to mixed precision (``--amp``)."""
    if torch.cuda.is_available():
        cfg.optim_wrapper.type = 'Float16OptimWrapper'
        cfg.optim_wrapper.loss_scale = 'dynamic'
    else:
        cfg.optim_wrapper.type = 'BFloat16OptimWrapper'


def scale_learning_rate(cfg: Config) -> None:
    """Switch on mmengine's linear scaling of the learning rate (``--auto-scale-lr``)."""
    if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
        raise ValueError('--auto-scale-lr: the config has no auto_scale_lr.base_batch_size; add '
                         'auto_scale_lr = dict(base_batch_size=48) with the batch size that '
                         'its learning rate was chosen for')
    cfg.auto_scale_lr.enable = True


def train(config: str | Path, work_dir: str | Path | None = None,
          cfg_options: dict[str, Any] | None = None, launcher: str = 'none', amp: bool = False,
          resume: str | Path | None = None, auto_scale_lr: bool = False,
          verbose: bool = False, report: bool = True) -> Runner:
    """Train the model of a config; return the runner when it is done.

    The work dir receives ``run.json`` (:mod:`mmwindow.engine.run_file`) besides what mmengine writes.

    Args:
        config: The config file.
        work_dir: Where logs and checkpoints go; the config's, or ``work_dirs/<config>``, if None.
        cfg_options: Overrides of the config.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.
        amp: Mixed precision: float16 with a loss scale on GPUs, bfloat16 on CPUs.
        resume: 'auto' for the newest complete checkpoint in ``work_dir`` (a fresh start, or one from
            the config's ``load_from``, where there is none; incomplete ones are deleted), or a
            checkpoint's path.
        auto_scale_lr: Scale the learning rate with the global batch size.
        verbose: Show mmengine's complete log on the screen, too.
        report: Write the report of the best validation into the work dir (docs/testing.md).

    Raises:
        ValueError: The config, an override or a checkpoint cannot be used; or the work dir cannot be
            written, or another command works there.
    """
    with quiet_mmengine(not verbose):
        cfg = load_config(config, work_dir, cfg_options, launcher)
    with contextlib.ExitStack() as stack:
        if launcher == 'none' or is_first_process():  # of several ranks one holds it for all
            check_output_folder(cfg.work_dir, '--work-dir')
            stack.enter_context(hold_folder(cfg.work_dir, 'or choose another --work-dir'))
        runner = _train(cfg, config, launcher, amp, resume, auto_scale_lr, verbose)
        if report:
            report_training(runner)
        return runner


def _train(cfg: Config, config: str | Path, launcher: str, amp: bool, resume: str | Path | None,
           auto_scale_lr: bool, verbose: bool) -> Runner:
    """Train in a work dir that no other command works in; see :func:`train`."""
    checkpoint_hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    if checkpoint_hook.get('type') == 'CheckpointHook':
        checkpoint_hook['type'] = 'AtomicCheckpointHook'  # configs that are not ours, or older
    if amp:
        use_mixed_precision(cfg)
    if auto_scale_lr:
        scale_learning_rate(cfg)
    if resume == 'auto':
        if launcher == 'none' or is_first_process():
            # The others read it after the process group has formed, so after this.
            fix_last_checkpoint(Path(cfg.work_dir))
        if find_newest_checkpoint(cfg.work_dir) is not None:
            cfg.resume, cfg.load_from = True, None
    elif resume is not None:
        cfg.resume, cfg.load_from = True, str(resume)
    if cfg.get('load_from') is not None:
        check_checkpoint(cfg.load_from, 'checkpoint' if cfg.get('resume') else 'load_from')
    run = describe_run(cfg, config)
    runner = build_runner(cfg, verbose)
    if is_first_process():
        # The two newest with the optimizer's state, the best, and the one that is being written.
        weights = sum(value.nbytes for value in runner.model.state_dict().values())
        warn_about_space(cfg.work_dir, '--work-dir', 10 * weights)
    # Our configs have most of them; other configs and older ones do not.
    for hook in (CheckpointContentHook(is_fine_tuned=not cfg.get('resume')), RunFileHook(run),
                 DataCheckHook(), ExactResumeHook(), ValidateOnResumeHook(), NonFiniteHook(),
                 ValidationWatch()):
        register_once(runner, hook)
    with config_errors(cfg):  # the loaders are built when they are asked for
        sizes = [f'{count_words(len(loader.dataset), "image")} to {verb}' for loader, verb in (
            (runner.train_dataloader, 'train'),
            (runner.val_loop and runner.val_loop.dataloader, 'validate')) if loader is not None]
        check_batches(runner.train_dataloader, 'train_dataloader')
    if not verbose:
        say(runner, dict(train=f'{config} ({cfg.model.type})', data=', '.join(sizes),
                         **describe_place(runner)))
    runner.train()
    close_process_group()
    return runner


def describe_run(cfg: Config, config: str | Path) -> TrainingRun:
    """Return what is known of a training before it begins."""
    seed = (cfg.get('randomness') or {}).get('seed')
    data = {}
    for split in SPLITS:
        with contextlib.suppress(ValueError):  # a file that is missing is named by its data set
            data[split] = files_digest(cfg, split)
    return TrainingRun(
        config=str(config), seed=seed, mark=fingerprint(cfg, seed, str(data)),
        training_code=training_code(), data=data, versions=describe_versions(),
        machine=describe_machine(), preprocessing=Config(dict(
            pipeline=((cfg.get('test_dataloader') or {}).get('dataset') or {}).get('pipeline'),
            data_preprocessor=cfg.model.get('data_preprocessor')))._cfg_dict.to_dict())


def describe_training(runner: Runner) -> str:
    """Return the best epoch of a finished training as lines of text; nothing on other ranks."""
    return describe_run_file(runner.work_dir) if is_first_process() else ''


def describe_run_file(work_dir: str | Path) -> str:
    """Return the best epoch of the training in a work dir as lines of text; '' without one."""
    run = read_run(work_dir)
    if run is None:
        return ''
    if run.best is None:
        return f'no best checkpoint: no validation gave a number; the last is in {work_dir}\n'
    return (f'best epoch by {run.best.metric}: {run.best.epoch} of {run.epoch}, '
            f'{Path(work_dir) / run.best.checkpoint}\n{describe_metrics(run.best.metrics)}')
