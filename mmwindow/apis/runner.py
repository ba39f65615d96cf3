"""Building mmengine's runner, and what it tells the screen."""
import contextlib
import io
import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

import torch
from mmdet.utils import setup_cache_size_limit_of_dynamo
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

import mmwindow.engine  # noqa: F401  (allows own checkpoints before the first one is read)
from mmwindow.engine.checkpoint import check_checkpoint  # noqa: F401  (its place in version 0.1)
from mmwindow.engine.cpu.distributed import PATIENCE, init_cpu_process_group
from mmwindow.engine.cpu.memory import keep_freed_memory
from mmwindow.engine.hooks import ProgressHook, RankWatchHook
from mmwindow.engine.run_file import RUN_FILE
from mmwindow.evaluation.metric_names import PAPER_METRICS
from mmwindow.utils.environment import describe_machine
from mmwindow.utils.processes import rank_of_environment

RUNNERS_BUILT = itertools.count()


def is_first_process() -> bool:
    """Return whether this is rank 0, also before and after there is a process group."""
    return rank_of_environment() == 0


@contextlib.contextmanager
def quiet_mmengine(is_quiet: bool = True) -> Iterator[None]:
    """Keep mmengine's information off the screen where no runner has a log yet; warnings stay.

    Args:
        is_quiet: False: change nothing, as for ``--verbose``.
    """
    logger = MMLogger.get_current_instance()
    level = logger.level
    handlers = [(handler, handler.level) for handler in logger.handlers
                if not isinstance(handler, logging.FileHandler)] if is_quiet else []
    for handler, _ in handlers:
        handler.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        for handler, old_level in handlers:
            handler.setLevel(old_level)


def build_runner(cfg: Config, verbose: bool = True, is_test: bool = False) -> Runner:
    """Build the runner; on a machine without GPUs with a gloo process group.

    Args:
        cfg: Complete.
        verbose: Let mmengine's log go to the screen as well as to its file; without it the screen
            gets a line of progress.
        is_test: In the folder of a training the config stays the training's, from which later tests
            read what the model is and what it is tested on; mmengine would write this test's over it.

    Raises:
        ValueError: The config names a type or an argument that is not known.
    """
    setup_cache_size_limit_of_dynamo()
    if not torch.cuda.is_available():
        keep_freed_memory()
    if cfg.launcher != 'none':
        cfg.merge_from_dict({'env_cfg.dist_cfg.timeout': cfg.get('env_cfg', {}).get(
            'dist_cfg', {}).get('timeout', PATIENCE)})
    if init_cpu_process_group(cfg.launcher):
        # mmengine hands the wrapper device_ids, which it rejects on a CPU.
        cfg.setdefault('model_wrapper_cfg', dict(
            type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False)))
    name_experiment(cfg)
    with config_errors(cfg), contextlib.nullcontext() if verbose else contextlib.redirect_stdout(
            io.StringIO()):
        with keep_config(cfg) if is_test else contextlib.nullcontext():
            runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    if not verbose:
        runner.logger.handlers[:] = [handler for handler in runner.logger.handlers
                                     if isinstance(handler, logging.FileHandler)]
    register_once(runner, ProgressHook(metrics=[f'froc/{name}' for name in PAPER_METRICS]))
    register_once(runner, RankWatchHook())
    return runner


@contextlib.contextmanager
def keep_config(cfg: Config) -> Iterator[None]:
    """Let a runner write no config into a work dir that a training has made."""
    work_dir = Path(cfg.work_dir)
    dump = Runner.dump_config
    if (work_dir / RUN_FILE).exists() or any(work_dir.glob('*.pth')):
        Runner.dump_config = lambda runner: None
    try:
        yield
    finally:
        Runner.dump_config = dump


def name_experiment(cfg: Config) -> None:
    """Give a second runner of this process a name of its own, where its config gives none.

    mmengine shares its message hub, logger and visualizer by this name, which is that of the config
    with the time in seconds: two short trainings would share their best score.
    """
    number = next(RUNNERS_BUILT)
    if number and not cfg.get('experiment_name'):
        cfg.experiment_name = f'{Path(cfg.filename or "config").stem}_{number}'


@contextlib.contextmanager
def config_errors(cfg: Config) -> Iterator[None]:
    """Name the config in the error of a type or an argument that is not known."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ImportError) as error:
        raise ValueError(f'{cfg.filename}: nothing can be built of it: '
                         f'{str(error).strip(chr(34))}') from error


def register_once(runner: Runner, hook: object) -> None:
    """Register a hook, unless the config has one of its type."""
    if not any(type(other) is type(hook) for other in runner.hooks):
        runner.register_hook(hook)


def say(runner: Runner, lines: dict[str, str]) -> None:
    """Print a short head of named lines, on the first process."""
    if is_main_process():
        width = max(map(len, lines))
        print('\n'.join(f'{name:{width}}  {text}' for name, text in lines.items()), flush=True)


def describe_place(runner: Runner) -> dict[str, str]:
    """Return the lines of a head that trainings and tests share."""
    processes = f'{runner.world_size} processes, ' if runner.world_size > 1 else ''
    log = Path(runner.log_dir) / f'{runner.timestamp}.log'
    return dict(device=processes + describe_machine(),
                 output=f'{runner.work_dir}, complete log in {log}')
