"""One order of classes for all data of a run."""
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader


def read_class_names(loader: DataLoader, name: str) -> tuple[str, ...] | None:
    """Return the class names of a loader's data set, None where it names none.

    Raises:
        ValueError: The parts of a ``ConcatDataset`` name other classes, or in another order.
    """
    metainfo = getattr(loader.dataset, 'metainfo', None)
    # mmdet keeps a list where the parts of a ConcatDataset differ, in whatever entry.
    parts = metainfo if isinstance(metainfo, list) else [metainfo]
    orders = {tuple(part['classes']) if part and part.get('classes') else None for part in parts}
    if len(orders) > 1:
        raise ValueError(f'{name}: its data sets have the classes {sorted(map(str, orders))}; give '
                         'each the same metainfo=dict(classes=...), in one order')
    if isinstance(metainfo, list):
        raise ValueError(f'{name}: its data sets have the same classes but differ in another entry '
                         'of their metainfo; give each the same metainfo')
    return orders.pop()


@HOOKS.register_module()
class ClassNamesHook(Hook):
    """Reject data sets whose class names differ, before a number is computed with them.

    A label is an index. With another order of the names in validation, or in a part of a
    ``ConcatDataset``, training and metric would silently speak of different classes.
    """

    def before_train(self, runner: Runner) -> None:
        """Compare training and validation."""
        names = read_class_names(runner.train_dataloader, 'train_dataloader')
        if runner.val_loop is not None:
            others = read_class_names(runner.val_dataloader, 'val_dataloader')
            if others != names:
                raise ValueError(f'train_dataloader has the classes {names}, val_dataloader '
                                 f'{others}; give both the same metainfo=dict(classes=...)')

    def before_val(self, runner: Runner) -> None:
        """Look at the parts of the data set."""
        read_class_names(runner.val_dataloader, 'val_dataloader')

    def before_test(self, runner: Runner) -> None:
        """Look at the parts of the data set."""
        read_class_names(runner.test_dataloader, 'test_dataloader')
