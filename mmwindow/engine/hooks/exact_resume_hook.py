"""Make a resumed training end as the uncut one does."""
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import HOOKS
from mmengine.dist import barrier, get_dist_info, is_main_process
from mmengine.hooks import EarlyStoppingHook, Hook
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import BatchSampler

from mmwindow.engine.announce import announce
from mmwindow.engine.checkpoint import fix_last_checkpoint
from mmwindow.engine.random_streams import (
    MODEL,
    TRAINING_IMAGES,
    VALIDATION,
    VALIDATION_IMAGES,
    BatchStream,
    SeededSampler,
    seed_generators,
    seed_loader,
)
from mmwindow.utils.environment import describe_machine, describe_versions, training_code

ENTRY = 'resuming'  # of a checkpoint's meta
VERSION = 1
# What must be as it was, and what messages call it.
CONDITIONS = dict(
    version='how random numbers are drawn', processes='the number of processes',
    batch_size='the batch size', num_images='the number of images',
    accumulated='the number of batches to a step', machine='the machine',
    versions='the versions of the packages', training_code='the code that trains')


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Draw the random numbers of a training by its seed and step, and note what resuming depends on.

    With it a training that is cut at any moment and resumed ends with the weights and the numbers of
    the uncut one, bit for bit on one machine (docs/resuming.md says under which conditions). All
    random numbers of a step follow from seed, step and rank, all of an image from seed, pass and its
    place in the pass (:mod:`mmwindow.engine.random_streams`), so a checkpoint needs no states of
    generators, and neither a validation nor the number of data loader workers changes them.

    Where resuming cannot be exact, one line says so and why. The hook is in our configs;
    ``mmwindow.apis`` registers it where a config has none.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.sampler: SeededSampler | None = None
        self.val_sampler: SeededSampler | None = None
        self.loaded: dict[str, Any] | None = None
        self.conditions: dict[str, Any] = {}
        self.validated_at: int | None = None  # step of the last validation, also of a checkpoint's

    def before_run(self, runner: Any) -> None:
        """Let mmengine find the newest complete checkpoint, which it does not look for itself."""
        if runner._resume and runner._load_from is None:
            if is_main_process():
                fix_last_checkpoint(Path(runner.work_dir))
            barrier()

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Keep what the checkpoint notes, until the training begins."""
        self.loaded = dict(note=(checkpoint.get('meta') or {}).get(ENTRY),
                           optimizer='optimizer' in checkpoint)

    def before_train(self, runner: Any) -> None:
        """Seed the data loaders, and take them to where the training resumes.

        Raises:
            ValueError: It would resume in the middle of an epoch whose batches a sampler of its own
                kind makes.
        """
        loaded = self.loaded if runner._resume else None
        note = (loaded or {}).get('note') or {}
        self.validated_at = runner.iter if note.get('is_validated') else None
        loader = runner.train_loop.dataloader
        sampler = find_sampler(loader)
        if note.get('sampler_seed') is not None and hasattr(sampler, 'seed'):
            sampler.seed = note['sampler_seed']  # chance has chosen it where the config gives none
        self.words = (runner.seed, get_dist_info()[0])
        self.sampler = seed_loader(loader, runner.seed, TRAINING_IMAGES, *get_dist_info())
        if runner.val_loop is not None:
            self.val_sampler = seed_loader(runner.val_loop.dataloader, runner.seed,
                                           VALIDATION_IMAGES, *get_dist_info())
        self.conditions = describe_conditions(runner)
        if hasattr(runner.train_loop, 'dataloader_iterator'):
            restart_stream(runner.train_loop, self.sampler)
        elif loaded is not None:
            skip_batches(runner, self.sampler, note.get('num_batches', len(loader)))
        stopping = (hook for hook in runner.hooks if isinstance(hook, EarlyStoppingHook))
        for hook, state in zip(stopping, note.get('early_stopping', ()), strict=False):
            hook.wait_count, hook.best_score = state
        reasons = [] if loaded is None else self._reasons(runner, note, loaded['optimizer'])
        if reasons:
            announce(runner, f'resuming is not exact: {"; ".join(reasons)}. The training resumes, '
                             'but may end with other weights than without the cut')
        self.loaded = None

    def before_train_epoch(self, runner: Any) -> None:
        """Tell the sampler which pass begins."""
        if self.sampler is not None and not hasattr(runner.train_loop, 'dataloader_iterator'):
            self.sampler.next_pass = runner.epoch
        seed_generators(MODEL, *self.words, runner.iter, with_devices=True)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Seed what the model draws in this step."""
        seed_generators(MODEL, *self.words, runner.iter, with_devices=True)

    def before_val_epoch(self, runner: Any) -> None:
        """Seed what a validation during the training draws."""
        if self.conditions:
            if self.val_sampler is not None:
                self.val_sampler.next_pass = runner.iter
            seed_generators(VALIDATION, *self.words, runner.iter, with_devices=True)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Keep which step has been validated: the hooks that come later take its numbers."""
        self.validated_at = runner.iter

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Note what resuming depends on; only plain values, which ``torch.load`` checks."""
        loader = runner.train_loop.dataloader
        seed = getattr(find_sampler(loader), 'seed', None)
        checkpoint['meta'][ENTRY] = dict(
            **self.conditions, num_batches=len(loader), is_validated=self.validated_at == runner.iter,
            sampler_seed=None if seed is None else int(seed),
            early_stopping=[(hook.wait_count, float(hook.best_score)) for hook in runner.hooks
                            if isinstance(hook, EarlyStoppingHook)])

    def _reasons(self, runner: Any, note: dict[str, Any], has_optimizer: bool) -> list[str]:
        """Return why a resumed training can end otherwise than the uncut one."""
        reasons = []
        if not note:
            reasons.append('the checkpoint was written without ExactResumeHook, as by version 0.1')
        else:
            reasons += [f'{name} is not that of the checkpoint' for key, name in CONDITIONS.items()
                        if note.get(key) != self.conditions[key]]
        if not has_optimizer:
            reasons.append('the checkpoint has no state of the optimizer, as best_*.pth')
        if self.sampler is None:
            kind = type(runner.train_loop.dataloader.batch_sampler).__name__
            reasons.append(f'{kind} chooses images by itself')
        if runner.iter % self.conditions['accumulated']:
            reasons.append('the gradients of the batches before a step are in no checkpoint')
        is_inside = (hasattr(runner.train_loop, 'dataloader_iterator')
                     or runner.iter != runner.epoch * len(runner.train_loop.dataloader))
        if get_dist_info()[1] > 1 and is_inside and keeps_statistics(runner.model):
            reasons.append('between epochs each process has statistics of batch normalisation of its '
                           'own, of which the checkpoint has those of the first')
        keeping = sorted(name for name in find_transforms(runner.train_loop.dataloader.dataset)
                         if name.startswith('Cached'))
        if keeping:
            reasons.append(f'{", ".join(keeping)} keeps images between batches')
        return reasons


def find_sampler(loader: Any) -> Any:
    """Return the sampler of images of a data loader, without our seeds; None if it has none."""
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    return sampler.sampler if isinstance(sampler, SeededSampler) else sampler


def describe_conditions(runner: Any) -> dict[str, Any]:
    """Return what must be the same for a resumed training to be exact, as plain values."""
    loader = runner.train_loop.dataloader
    versions = {name: str(version) for name, version in describe_versions().items()
                if name != 'commit'}
    return dict(
        version=VERSION, processes=get_dist_info()[1],
        batch_size=getattr(loader.batch_sampler, 'batch_size', None),
        num_images=len(loader.dataset),
        accumulated=getattr(runner.optim_wrapper, '_accumulative_counts', 1),
        machine=describe_machine(), versions=versions, training_code=training_code())


def restart_stream(loop: Any, sampler: SeededSampler | None) -> None:
    """Let a loop by iterations read its batches from the step to resume at.

    The iterator that the loop made has started its workers already, without our seeds.

    Args:
        loop: An ``IterBasedTrainLoop``; is changed.
        sampler: Of its loader; None: it begins at the first batch, as mmengine does it.
    """
    loop.dataloader._iterator = None
    if sampler is None:
        return
    if type(loop.dataloader.batch_sampler) is not BatchSampler:
        inner = sampler.sampler
        if hasattr(inner, '_indices_of_rank'):
            inner.indices = inner._indices_of_rank()
        loop.dataloader_iterator = type(loop.dataloader_iterator)(loop.dataloader)
        return
    # OpenMMLab's loop takes all batches before; the maintained fork's calls skip_iter.
    ignored = 0 if hasattr(loop.dataloader_iterator, 'skip_iter') else loop.iter
    loop.dataloader_iterator = BatchStream(loop.dataloader, sampler, loop.iter, ignored)


def skip_batches(runner: Any, sampler: SeededSampler | None, num_batches: int) -> None:
    """Let an epoch that was cut by a checkpoint in its middle begin with the batch after it.

    Args:
        runner: With ``epoch`` and ``iter`` of the checkpoint.
        sampler: Of the training images.
        num_batches: Of an epoch, when the checkpoint was written.

    Raises:
        ValueError: The number of images in these batches is not known.
    """
    done = runner.iter - runner.epoch * num_batches
    # After its last batch the end of the epoch is still to come: an epoch without batches makes it.
    if not 0 < done <= num_batches:
        return
    batches = runner.train_loop.dataloader.batch_sampler
    if sampler is None or type(batches) is not BatchSampler:
        raise ValueError(
            f'the checkpoint is of iteration {runner.iter}, in the middle of epoch '
            f'{runner.epoch + 1}; with {type(batches).__name__} a training resumes at the end of an '
            'epoch alone: set default_hooks.checkpoint.by_epoch=True')
    sampler.num_skipped = done * batches.batch_size


def keeps_statistics(model: torch.nn.Module) -> bool:
    """Return whether batch normalisation of a model learns statistics on each process for itself."""
    model.train()
    return any(isinstance(module, _BatchNorm) and not isinstance(module, torch.nn.SyncBatchNorm)
               and module.training and module.track_running_stats for module in model.modules())


def find_transforms(dataset: Any) -> set[str]:
    """Return the names of the transforms of a data set and of those that it wraps."""
    names: set[str] = set()
    waiting = [dataset]
    while waiting:
        part = waiting.pop()
        pipeline = part.__dict__.get('pipeline', ())
        names |= {type(step).__name__ for step in getattr(pipeline, 'transforms', pipeline) or ()}
        waiting += [inner for inner in (part.__dict__.get('dataset'), *part.__dict__.get(
            'datasets', ())) if hasattr(inner, '__dict__')]
    return names
