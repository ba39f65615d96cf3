"""The folder of a training over folds: the folds' runs, their report, and the final model."""
from dataclasses import dataclass
from pathlib import Path

from mmwindow.engine.run_file import RUN_FILE, BestCheckpoint, read_run

TRAINING = 'training'  # where a run of folds has its work dir
FINAL = 'final'  # where the final model is trained, next to the folds' runs
# Before the numbers of a final model: they are means over folds, none is its own.
OF_FOLDS = 'folds/'


@dataclass(frozen=True)
class FoldsFolder:
    """What a training over folds left.

    Attributes:
        folder: Of all of it.
        runs: Of the folds, in the order of their numbers.
        final: Work dir of the final model; None where there is none, or it is not finished.
    """

    folder: Path
    runs: tuple[Path, ...]
    final: Path | None


def find_folds(folder: Path) -> FoldsFolder | None:
    """Return what a training over folds left in a folder; None where it is no such folder.

    Args:
        folder: The work dir of ``mmwindow train --data``, ``--out`` of ``mmwindow folds``, or the
            folder of one of its configs.
    """
    if (folder / RUN_FILE).is_file() or any(folder.glob('best_*.pth')):
        return None  # a training's own; start_*.pth of --from may lie with folds, too
    found = [path for pattern in ('fold*', '*/fold*') for path in folder.glob(pattern)
             if path.name[4:].isdecimal() and (path / TRAINING).is_dir()]
    if not found:
        return None
    runs = tuple(sorted(found, key=lambda path: (path.parent.name, int(path.name[4:]))))
    final = folder / FINAL
    return FoldsFolder(folder, runs, final if is_final(final) else None)


def is_final(folder: Path) -> bool:
    """Tell whether a work dir holds a finished final model, with its thresholds chosen by the folds.

    Raises:
        ValueError: Its ``run.json`` is damaged.
    """
    run = read_run(folder)
    if run is None or run.best is None or not run.is_finished or not is_of_folds(run.best):
        return False
    return (folder / run.best.checkpoint).is_file()


def is_of_folds(best: BestCheckpoint | None) -> bool:
    """Tell whether the numbers of a checkpoint are means over folds: it saw all images itself."""
    return best is not None and best.metric.startswith(OF_FOLDS)
