"""All steps from a folder of data to a training that is ready to begin."""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwindow.apis.config import load_config
from mmwindow.apis.fine_tuning import find_source, find_trained_config, prepare_fine_tuning
from mmwindow.apis.folds_folder import FINAL, is_final
from mmwindow.apis.own_data.choice import (
    Machine,
    choose_length,
    choose_model,
    class_option,
    count_epoch_images,
    find_machine,
    has_own_schedule,
    needs_balance,
    spread_validations,
)
from mmwindow.apis.own_data.config_file import OPTIONS, PLACES, OwnConfig, write_own_config
from mmwindow.apis.own_data.division import (
    Division,
    check_kinds,
    describe_rare_classes,
    divide_data,
    find_changed_files,
    part_file,
    write_division,
)
from mmwindow.apis.own_data.source import OwnData, find_data
from mmwindow.apis.own_data.timing import describe_work, estimate_seconds, time_training
from mmwindow.apis.package_configs import PREFIX, base_name, config_file
from mmwindow.apis.runner import quiet_mmengine
from mmwindow.datasets.splits import SPLITS
from mmwindow.engine.checkpoint import find_newest_checkpoint
from mmwindow.engine.mixed_precision import gains_from_bfloat16
from mmwindow.engine.run_file import TrainingRun, read_run
from mmwindow.utils.files import write_text
from mmwindow.utils.locks import hold_folder
from mmwindow.utils.messages import count_words, name_some, shorten
from mmwindow.utils.outputs import check_output_folder
from mmwindow.utils.progress import describe_seconds

BUSY = 1.5  # from this on other work is said to slow a training down


@dataclass(frozen=True)
class OwnTraining:
    """A training on a user's data, ready to begin.

    Attributes:
        data: The images.
        division: Of them.
        config: The config file, in the work dir.
        work_dir: Of the training, or of the folds.
        lines: What was chosen, and why.
        cfg: Complete.
    """

    data: OwnData
    division: Division
    config: Path
    work_dir: Path
    lines: tuple[str, ...]
    cfg: Config

    @property
    def is_folded(self) -> bool:
        """Whether several folds are trained and tested."""
        return len(self.division.parts) > 1


def plan_training(data: str | Path, config: str | Path | None = None,
                  work_dir: str | Path | None = None, cfg_options: Mapping[str, Any] | None = None,
                  checkpoint: str | Path | None = None, division: str = 'auto',
                  machine: Machine | None = None) -> OwnTraining:
    """Find, check and divide a user's data, choose how to train on them, and write the config.

    The work dir receives ``config/<name>.py``, which ``mmwindow train`` trains, and
    ``annotations/fold0/train.json`` and so on. All checks come before anything is written.

    Args:
        data: As :func:`~mmwindow.apis.own_data.source.find_data` reads it.
        config: The config to train; None: chosen by the machine.
        work_dir: None: ``work_dirs/<config>_<name of the data>``.
        cfg_options: Overrides of the config.
        checkpoint: To begin with: a file or a run's folder.
        division: As in :func:`~mmwindow.apis.own_data.division.divide_data`.
        machine: None: this one.

    Raises:
        ValueError: The data cannot be trained on, or the work dir holds another training, or one on
            other images or points.
    """
    found = find_data(data)
    source = None if checkpoint is None else find_source(checkpoint)
    choice = _choose_base(config, source, machine or find_machine())
    name = Path(choice.base.rpartition('::')[2]).stem
    folder = Path(work_dir) if work_dir is not None else Path('work_dirs') / f'{name}_{found.name}'
    check_output_folder(folder, '--work-dir')
    parts = divide_data(found, folder, division)
    options = dict(cfg_options or {})
    with quiet_mmengine():
        cfg = load_config(config_file(choice.base), folder, options)
    save_best = ((cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('save_best')
    check_kinds(parts, found, needs_negatives='auroc' in str(save_best))
    own, reasons = _choose_settings(choice, cfg, found, parts, folder,
                                    has_length='train_cfg.max_epochs' in options)
    with hold_folder(folder, 'or choose another --work-dir'):
        _check_trained_data(parts, found, folder)
        if source is not None:
            weights = prepare_fine_tuning(cfg, source, found.classes, folder, own.model)
            own = replace(own, load_from=weights.path)
            reasons += weights.lines
        lines = [found.describe(), parts.describe(), *reasons]
        divided = [file.parent for file in parts.files.values()][:1]
        places = [each for each in (found.source, parts.folds, *divided, config, source)
                  if each is not None]
        notes = _make_notes(lines, options, [*map(Path, places)])
        path = write_own_config(replace(own, notes=notes), folder)
        write_division(parts, found.points, folder)
    with quiet_mmengine():
        complete = load_config(path, folder, options)
        _update_places(complete, folder / path.name)
    return OwnTraining(found, parts, path, folder, tuple(lines), complete)


@dataclass(frozen=True)
class _BaseChoice:
    """The config that a training inherits, and what of it differs by the machine."""

    base: str
    reason: str
    batch_size: int | None = None
    input_size: int | None = None


def _choose_base(config: str | Path | None, source: Path | None, machine: Machine) -> _BaseChoice:
    if config is not None:
        if not Path(config).is_file():
            load_config(config)  # its message says what is expected
        return _BaseChoice(base_name(config), f'config {config}, as asked for')
    trained = None if source is None else find_trained_config(source)
    if trained is not None:
        return _BaseChoice(trained, f'config {trained.removeprefix(PREFIX)}, as the checkpoint was '
                                    'trained with it')
    if source is not None:
        raise ValueError(f'--from {shorten(str(source))}: it does not name a config of mmwindow; '
                         'give the CONFIG of its model, too')
    choice = choose_model(machine)
    return _BaseChoice(PREFIX + choice.config, f'config {choice.config}: {choice.reason}',
                       choice.batch_size, choice.input_size)


def _choose_settings(choice: _BaseChoice, cfg: Config, data: OwnData, division: Division,
                     work_dir: Path, has_length: bool) -> tuple[OwnConfig, list[str]]:
    """Return what the config file says, without weights and notes, and why.

    Args:
        choice: The base.
        cfg: Of the base, with all overrides.
        data: To train on.
        division: Of them.
        work_dir: Of the training.
        has_length: Whether the user has given the number of epochs.
    """
    reasons = [choice.reason]
    first = min(division.parts)
    train_images = division.parts[first]['train']
    is_own_length = choice.base.startswith(PREFIX) and has_own_schedule(choice.base)
    balanced = choice.base.startswith(PREFIX) and needs_balance(train_images)
    batch = choice.batch_size or int(cfg.train_dataloader.batch_size)
    number = count_epoch_images(train_images) if balanced else len(train_images)
    if balanced:
        reasons.append(f'an epoch takes all positive and as many random negative images ({number}), '
                       'because at least two of three images are negative')
    loop: dict[str, Any] = {}
    if is_own_length:
        length = (spread_validations(cfg.train_cfg.max_epochs, -(-number // batch)) if has_length
                  else choose_length(number, batch))
        loop = dict(max_epochs=length.epochs, val_interval=length.interval,
                    val_begin=length.first_validation)
    if is_own_length and not has_length:
        reasons.append(length.reason)
    else:
        number = cfg.train_cfg.get('max_epochs', 'its own number of')
        reasons.append(f'{count_words(number, "epoch")}, as '
                       + ('asked for' if has_length else 'in the config'))
    readers = None
    if len(data.readers) > 1:
        readers = 'merge'
        reasons.append(f'{count_words(len(data.readers), "reader")}: findings of more than half of '
                       f'the readers of '
                       'an image are taken')
    reasons += describe_rare_classes(division, data.classes)
    files = data.files or {split: part_file(work_dir, first, split) for split in SPLITS}
    return OwnConfig(
        choice.base, data.images, files, class_option(cfg, len(data.classes)), balanced, readers,
        choice.batch_size, choice.input_size, loop,
        names=tuple(record.file_name for record in data.records)), reasons


def _check_trained_data(division: Division, data: OwnData, work_dir: Path) -> None:
    """Reject a work dir whose training, finished or not, had other images or points.

    Its parts of the data stay as they are, so that it can still be tested on images that it has not
    seen.

    Raises:
        ValueError: The message names the parts that differ.
    """
    run = read_run(work_dir)
    if run is None or not run.is_finished and find_newest_checkpoint(work_dir) is None:
        return
    changed = find_changed_files(division, data.points, work_dir, run.data)
    if changed:
        raise ValueError(f'--work-dir {shorten(str(work_dir))} holds a training on other data: '
                         f'{name_some([f"{split}.json" for split in changed])} would be other than '
                         'when it began, so that it may have seen images that are now to be tested. '
                         'Choose another --work-dir')


def _update_places(cfg: Config, path: Path) -> None:
    """Let the complete config that a training left find data that have moved since, for its test."""
    if not path.is_file():
        return
    left = Config.fromfile(str(path))
    keys = [key for split in SPLITS if (key := f'{split}_dataloader') in cfg and key in left
            and cfg[key].dataset != left[key].dataset]
    for key in keys:
        left[key]['dataset'] = cfg[key].dataset
    if keys:
        write_text(path, left.pretty_text)


def _make_notes(lines: Sequence[str], options: Mapping[str, Any], places: Sequence[Path]
                ) -> tuple[str, ...]:
    """Return the comment at the head of the config file.

    Args:
        lines: What was chosen, and why.
        options: Overrides of the config.
        places: What the lines name; their folders stand in a line of their own, since the same
            training may be called from another folder, or have moved.
    """
    for place in places:
        lines = [line.replace(str(place), place.name) for line in lines]
    given = ' '.join(f'{key}={value}' for key, value in options.items())
    return ('Written by mmwindow train --data; mmwindow train on this file trains the same again.',
            *lines, PLACES + ', '.join(str(place.absolute()) for place in places),
            *([OPTIONS + shorten(given, 300)] if given else []))


def find_finished(training: OwnTraining) -> TrainingRun | None:
    """Return the training of the work dir where an earlier call has finished it; None of folds.

    It is of the same data: :func:`plan_training` rejects a work dir of others.
    """
    run = None if training.is_folded else read_run(training.work_dir)
    return run if run is not None and run.is_finished else None


def describe_time(training: OwnTraining, with_final: bool = True, amp: bool = False) -> str:
    """Return in one line how long a training will take, or that it resumes.

    Where nothing of it is there yet, a few steps are trained and timed, which takes seconds.

    Args:
        training: From :func:`plan_training`.
        with_final: After folds a final model is trained on all images.
        amp: Train in mixed precision.
    """
    if find_finished(training) is not None:
        return 'time: none, an earlier call has finished this training'
    if training.is_folded and with_final and is_final(training.work_dir / FINAL):
        return 'time: none, an earlier call has finished the folds and the final model'
    done = find_started(training)
    if done:
        return f'time: resumes what an earlier call began ({done})'
    timing = time_training(training.cfg, amp)
    parts = training.division.parts[min(training.division.parts)]
    balanced = needs_balance(parts['train']) and 'BalancedImageSampler' in str(
        training.cfg.train_dataloader.get('sampler'))
    number = count_epoch_images(parts['train']) if balanced else len(parts['train'])
    tested = len(parts['test']) + len(parts['val']) if training.is_folded else 0
    work = describe_work(training.cfg, number, len(parts['val']), tested)
    seconds = estimate_seconds(timing, work)
    folds = len(training.division.parts)
    each = (f'{count_words(work.epochs * work.steps, "step")} of {timing.step:.2f} s and '
            f'{work.validations} '
            f'validations of {count_words(work.num_val, "image")} at {timing.testing:.2f} s')
    last = 0.
    if folds > 1 and with_final:
        records = training.data.records
        last = estimate_seconds(timing, replace(describe_work(
            training.cfg, count_epoch_images(records) if balanced else len(records), 0),
            validations=0))
    total = folds * seconds + last
    idle = (f', about {describe_seconds(total / timing.busy)} where nothing else runs'
            if timing.busy > BUSY else '')
    # docs/configs.md: .67 and .66 of a step of WL-KLD and WL+.
    hint = ('' if amp or not gains_from_bfloat16() else
            '; with --amp a step takes about 0.7 of that on this processor')
    a_fold = f', {describe_seconds(seconds)} a fold' if folds > 1 else ''
    a_fold += f', then at most {describe_seconds(last)} for the final model' if last else ''
    return (f'time: about {describe_seconds(total)} on this machine as it is now{a_fold}'
            f'{idle}: {each}{hint}')


def find_started(training: OwnTraining) -> str:
    """Return in words what an earlier call left in the work dir; '' where it left nothing."""
    if not training.is_folded:
        newest = find_newest_checkpoint(training.work_dir)
        return '' if newest is None else newest.name
    runs = training.work_dir / training.config.stem
    started = [folder.name for folder in sorted(runs.glob('fold*')) if folder.is_dir()]
    return ', '.join(started)
