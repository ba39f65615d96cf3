"""What data must contain for the numbers and the best checkpoint that a config asks for."""
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from mmengine.hooks import CheckpointHook

from mmwindow.engine.announce import announce
from mmwindow.utils.messages import count_words, none_of

NO_BEST = ('to train without a best checkpoint, set default_hooks.checkpoint.save_best=None '
           '(--cfg-options)')


def image_labels(dataset: Any) -> list[set[int]] | None:
    """Return the labels of the points of each image; None where a data set does not tell them."""
    try:
        return [{instance['bbox_label'] for instance in dataset.get_data_info(index)['instances']}
                for index in range(len(dataset))]
    except (AttributeError, KeyError, TypeError):
        return None


def lacking_kinds(labels: Sequence[set[int]]) -> dict[str, str]:
    """Return which kinds of numbers data cannot give, each with the reason in words.

    AUROC needs images with a point and images without, of one class at least; recall and the FROC
    score need a point.

    Args:
        labels: Of the points of each image.

    Returns:
        'auroc' and 'froc' -> reason; nothing where all can be given.

    >>> lacking_kinds([{0}, {0}])
    {'auroc': 'all 2 images have a point'}
    >>> sorted(lacking_kinds([set(), set()]))
    ['auroc', 'froc']
    """
    counts = Counter(label for image in labels for label in image)
    if not counts:
        reason = f'{none_of(len(labels), "image")} has a point'
        return dict(auroc=reason, froc=reason)
    if all(count == len(labels) for count in counts.values()):
        return dict(auroc=f'all {count_words(len(labels), "image has", "images have")} a point')
    return {}


def describe_files(dataset: Any) -> str:
    """Return the annotation files of a data set and of those that it wraps, for a message."""
    files: list[str] = []
    waiting = [dataset]
    while waiting:
        part = waiting.pop(0)
        names = getattr(part, 'ann_file', None) or []
        files += [names] if isinstance(names, str) else list(names)
        if not names:
            inner = [getattr(part, 'dataset', None), *(getattr(part, 'datasets', None) or ())]
            waiting += [one for one in inner if one is not None]
    return ', '.join(files) or type(dataset).__name__


def froc_metrics(evaluator: Any) -> list[Any]:
    """Return the FROCMetrics of an evaluator; the type is asked by name: engine imports no metric."""
    return [metric for metric in getattr(evaluator, 'metrics', ())
            if type(metric).__name__ == 'FROCMetric']


def check_training_data(runner: Any) -> None:
    """Reject, before the first step, a training that could not give what its config asks for.

    Args:
        runner: With data loaders that are built or can be.

    Raises:
        ValueError: No batch to train with, no image to validate with, or a validation set that
            cannot choose the best checkpoint. The message names file and setting.
    """
    check_batches(runner.train_dataloader, 'train_dataloader')
    labels = image_labels(runner.train_dataloader.dataset)
    if labels is not None and not any(labels):
        announce(runner, f'{describe_files(runner.train_dataloader.dataset)}: '
                         f'{none_of(len(labels), "image")} has a point; a model that is trained on '
                         'them alone learns to find nothing')
    if runner.val_loop is None:  # mmengine's own property for its loader would fail
        return
    check_batches(runner.val_dataloader, 'val_dataloader')
    metrics = froc_metrics(runner.val_evaluator)
    keys = saved_keys(runner.hooks)
    dataset = runner.val_dataloader.dataset
    labels = image_labels(dataset) if metrics and keys else None
    if labels is None:
        return
    lacking = lacking_kinds(labels)
    for key in keys:
        kind = 'auroc' if key == 'auto' or key.rpartition('/')[2].startswith('auroc') else 'froc'
        if kind in lacking and (key == 'auto' or any(
                key.startswith(f'{metric.prefix}/') for metric in metrics)):
            other = ('' if 'froc' in lacking else
                     f'set it to {metrics[0].prefix}/froc_score, which needs no negative images; ')
            raise ValueError(
                f'{describe_files(dataset)}: {lacking[kind]}, so no validation could give {key}, '
                'which default_hooks.checkpoint.save_best names, and no best checkpoint would be '
                f'kept. Validate with images of both kinds; {other}or, {NO_BEST}')
    loop = runner.train_loop
    last = loop.max_iters if hasattr(loop, 'dataloader_iterator') else loop.max_epochs
    if keys and loop.val_begin > last:
        raise ValueError(f'train_cfg.val_begin is {loop.val_begin}, but the training ends at {last}: '
                         f'it would never be validated. Set val_begin to 1; or, {NO_BEST}')


def check_batches(loader: Any, name: str) -> None:
    """Check that a data loader gives a batch.

    Raises:
        ValueError: It gives none.
    """
    if loader is None or len(loader):
        return
    number = len(loader.dataset)
    if not number:
        raise ValueError(f'{name}: {describe_files(loader.dataset)} has no image; check ann_file')
    raise ValueError(
        f'{name}: {count_words(number, "image")} ({describe_files(loader.dataset)}) '
        f'{"gives" if number == 1 else "give"} no batch of '
        f'{loader.batch_size} on each process, and drop_last=True drops incomplete ones; set '
        f'{name}.drop_last=False or a smaller {name}.batch_size')


def saved_keys(hooks: Iterable[Any]) -> list[str]:
    """Return the numbers by which a best checkpoint is kept."""
    return [key for hook in hooks if isinstance(hook, CheckpointHook)
            for key in hook.save_best or ()]


def announce_missing_numbers(runner: Any) -> None:
    """Say before a test which numbers its images cannot give; nothing where all can be given."""
    text = describe_missing_numbers(runner.test_dataloader.dataset, runner.test_evaluator)
    if text:
        announce(runner, text)


def describe_missing_numbers(dataset: Any, evaluator: Any) -> str:
    """Return one line on the numbers that a test cannot give; nothing where all can be given."""
    labels = image_labels(dataset) if froc_metrics(evaluator) else None
    lacking = lacking_kinds(labels) if labels else {}
    if not lacking:
        return ''
    numbers = 'neither AUROC nor recall' if 'froc' in lacking else 'no AUROC'
    return f'{describe_files(dataset)}: {next(iter(lacking.values()))}: {numbers} can be given'
