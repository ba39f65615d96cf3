"""What a test does: which model, config and images, and what is written."""
import contextlib
import copy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwindow.apis.config import load_config
from mmwindow.apis.config_parts import annotation_files, files_digest
from mmwindow.apis.external_data import DataPlace, read_files
from mmwindow.apis.folds_folder import is_of_folds
from mmwindow.apis.model_files import describe_config, read_checkpoint
from mmwindow.apis.model_places import ModelPlace
from mmwindow.apis.reporting import TRAINING_FOLDER
from mmwindow.apis.run_numbers import ReportSettings
from mmwindow.apis.validation_watch import Choice
from mmwindow.utils.messages import name_some, shorten
from mmwindow.utils.operating_points import ModelOperatingPoints


@dataclass(frozen=True)
class TestJob:
    """What a test does besides scoring.

    Attributes:
        title: Of the report.
        folder: Of the report.
        split: Where the images are from: 'test', 'val' or the name of a data set.
        classes: Of the model.
        points: Its thresholds; None where it has none.
        choose: How they are chosen again; None: they are not.
        report: How the report is made; None for none.
        data: Another place's images, as they were named; '' for those of the config.
        warnings: What a user must know.
    """

    title: str
    folder: Path
    split: str
    classes: tuple[str, ...]
    points: ModelOperatingPoints | None
    choose: Choice | None
    report: ReportSettings | None
    data: str
    warnings: tuple[str, ...] = ()

    @property
    def is_external(self) -> bool:
        """Whether the images are another place's."""
        return bool(self.data)


def load_model_config(files: ModelPlace, place: DataPlace | None, work_dir: str | Path | None,
                      cfg_options: dict[str, Any] | None, launcher: str) -> Config:
    """Return the config of a model.

    Raises:
        ValueError: It cannot be read; or a checkpoint alone comes without data or with overrides.
    """
    if files.config is not None:
        return load_config(files.config, work_dir or files.folder, cfg_options, launcher)
    name = shorten(str(files.weights))
    if place is None:
        raise ValueError(f'checkpoint {name}: it says what its model is, but not which images to '
                         'test; give --data FOLDER, or --config')
    if cfg_options:
        raise ValueError(f'checkpoint {name}: --cfg-options are overrides of a config; give '
                         '--config, too')
    cfg = describe_config(files.weights, work_dir or files.folder)
    cfg.launcher = launcher
    return cfg


def prepare_job(cfg: Config, files: ModelPlace, place: DataPlace | None, data: str | Path | None,
                choose: Choice | None, report: ReportSettings | None) -> TestJob:
    """Return what a test does besides scoring; the config tests the validation images to choose on.

    Raises:
        ValueError: The checkpoint has no class names that other data needs, or there are no
            validation images to choose on.
    """
    content = read_checkpoint(files.weights)
    split = 'test' if place is None else re.sub(r'[^\w.-]', '-', (
        Path(data or '').resolve().name.removesuffix('.json')))
    if choose is not None and not content.has_description:
        raise ValueError(f'--choose-threshold: checkpoint {shorten(str(files.weights))} does not '
                         'describe its model, or lies at an address, so that no threshold can be '
                         'stored in it; trainings since mmwindow 0.2 write the description')
    if choose is not None and place is None:
        if not cfg.get('val_dataloader'):
            raise ValueError('--choose-threshold: the config has no val_dataloader; give the '
                             'validation images by --data')
        split = 'val'
        cfg.test_dataloader, cfg.test_evaluator = (
            copy.deepcopy(cfg.val_dataloader), copy.deepcopy(cfg.val_evaluator))
    if place is not None and not content.classes:
        raise ValueError(f'checkpoint {shorten(str(files.weights))}: it has no class names '
                         '(meta.dataset_meta), by which those of --data would be recognised')
    title = f'{"Validation" if split == "val" else "Test"} of {describe_model_name(files)}'
    return TestJob(title + ('' if place is None else f' on {split}'),
                   Path(cfg.work_dir) / f'{TRAINING_FOLDER}_{split}', split, content.classes,
                   content.points, choose, report, '' if place is None else str(data))


def describe_model_name(files: ModelPlace) -> str:
    """Return a short name of a model."""
    if files.folder is not None:
        return files.folder.resolve().name
    return files.config.stem if files.config is not None else Path(files.weights).stem


def check_is_unseen(files: ModelPlace, cfg: Config) -> None:
    """Reject to test the final model of folds on the images that it was trained on.

    Raises:
        ValueError: The images are those of the config that trained it.
    """
    if files.run is None or not is_of_folds(files.run.best):
        return
    seen, tested = (set(annotation_files(cfg, split)) for split in ('train', 'test'))
    if seen & tested:
        raise ValueError(f'{shorten(files.name)}: this final model was trained on all images, so '
                         'that none is left to test it on; "mmwindow test" on the folder of its '
                         'folds shows what to expect of it, and --data OTHER tests it on other '
                         'images')


def check_same_data(files: ModelPlace, cfg: Config) -> None:
    """Reject to test a training whose annotation files have been divided again since.

    Which images it saw is then unknown: those to test may be among them. The files that the
    training noted are compared only where its own config names them.

    Raises:
        ValueError: The test images are others than when it began, and so are those that it saw.
    """
    folder = Path(files.weights).absolute().parent
    if files.run is None or files.config is None or (
            folder not in files.config.absolute().parents):
        return
    changed = set()
    for split, digest in files.run.data.items():
        with contextlib.suppress(ValueError):  # a file that is missing is named by its data set
            if files_digest(cfg, split) != digest:
                changed.add(split)
    seen = sorted(changed & {'train', 'val'})
    if seen and ('test' in changed or 'test' not in files.run.data):
        names = name_some([str(path) for split in [*seen, 'test']
                           for path in annotation_files(cfg, split)])
        raise ValueError(f'{shorten(files.name)}: {names} have changed since the training, so that '
                         'it may have seen images of this test. Train in another --work-dir, or give '
                         'images that it has not seen by --data')


def check_fields_to_report(cfg: Config, job: TestJob) -> None:
    """Reject a field to report by that no image has, before the work.

    Raises:
        ValueError: Such a field; the message names those that there are.
    """
    if job.report is None or not job.report.by:
        return
    records = read_files(cfg, ['test']).records
    known = {key for record in records for key in record.fields} | {'is_positive'} | (
        {'group'} if any(record.group is not None for record in records) else set())
    for key in job.report.by:
        if records and key not in known:
            raise ValueError(f'--by {shorten(key)}: no image of the test has this field; there are '
                             f'{", ".join(sorted(known))}')
