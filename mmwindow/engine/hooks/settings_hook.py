"""Check that the parts of a run agree on input size and classes."""
from typing import Any

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmwindow.utils.config_pipelines import check_applied
from mmwindow.utils.messages import count_words, shorten


@HOOKS.register_module()
class SettingsHook(Hook):
    """Stop before the first batch where training, validation, test and model contradict each other.

    mmengine copies a config's variables when it reads the file, so a size or a list of classes can
    be changed in one place and stay as it was in another; the numbers would be wrong without a word.
    """

    def before_run(self, runner: Runner) -> None:
        """Check sizes and classes.

        Raises:
            ValueError: Pipelines have different input sizes; data loaders have different classes, or
                another order of them; or a head has another number of classes.
        """
        check_applied(runner.cfg)
        classes = {}
        for name in ('train', 'val', 'test'):
            loader = getattr(getattr(runner, f'_{name}_loop'), 'dataloader', None)
            names = read_class_names(getattr(loader, 'dataset', None), f'{name}_dataloader')
            if names:
                classes[f'{name}_dataloader'] = names
        check_equal_classes(classes)
        for place, names in classes.items():
            for name, head in runner.model.named_modules():
                # A proposal head tells objects from background, whatever their class.
                number = getattr(head, 'num_classes', None)
                if (name.rpartition('.')[2] == 'bbox_head' and isinstance(number, int)
                        and number != len(names)):
                    raise ValueError(
                        f'{place} has {count_words(len(names), "class", "classes")} '
                        f'({list_names(names)}), model.{name} has '
                        f'num_classes={number}; set model.{name}.num_classes')

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Check that a checkpoint to be tested was trained for the classes of the data.

        Raises:
            ValueError: It has others, or another order of them.
        """
        loader = getattr(runner._test_loop, 'dataloader', None)
        ours = read_class_names(getattr(loader, 'dataset', None), 'test_dataloader')
        theirs = ((checkpoint.get('meta') or {}).get('dataset_meta') or {}).get('classes')
        if ours and theirs:
            check_equal_classes({'the checkpoint': tuple(theirs), 'test_dataloader': ours})


def read_class_names(dataset: Any, place: str) -> tuple[str, ...]:
    """Return the class names of a data set; none where it names none.

    mmdet concatenates data sets whatever their classes are, and its ``ConcatDataset`` then has a list
    of metainfos where one is expected.

    Raises:
        ValueError: The parts of a ``ConcatDataset`` differ in their classes or another entry.
    """
    metainfo = getattr(dataset, 'metainfo', {})
    if isinstance(metainfo, list):
        check_equal_classes({f'{place}.dataset.datasets.{index}': tuple(part.get('classes') or ())
                             for index, part in enumerate(metainfo)})
        raise ValueError(f'{place}: the parts of its ConcatDataset have the same classes but differ '
                         'in another entry of their metainfo; give all the same metainfo')
    return tuple(metainfo.get('classes') or ())


def check_equal_classes(classes: dict[str, tuple[str, ...]]) -> None:
    """Check that all places have the same classes in the same order.

    Args:
        classes: Place -> names of its classes.

    Raises:
        ValueError: They differ.
    """
    if len(set(classes.values())) > 1:
        found = '; '.join(f'{place}: {list_names(names)}' for place, names in classes.items())
        raise ValueError(f'different classes, or another order of them: {found}. Give all point '
                         'files the same categories, or set dataset.metainfo.classes')


def list_names(names: tuple[str, ...]) -> str:
    """Return names in their order, in bounded length."""
    return shorten(', '.join(map(str, names)))
