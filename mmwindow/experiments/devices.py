"""Which GPUs the jobs of a list run on."""
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

import mmwindow


@dataclass(frozen=True)
class Devices:
    """What jobs run on.

    Attributes:
        environments: Variables added to the environment of a job, one for each device.
        num_processes: Of one job.
    """

    environments: Sequence[Mapping[str, str]]
    num_processes: int = 1


def choose_devices(gpus: Sequence[int] | None = None, all_gpus: bool = False) -> Devices:
    """Return the devices for a list of jobs.

    Args:
        gpus: One job on each of these; None: on each there is, or one job at a time on the CPU
            where there is none.
        all_gpus: One job at a time, on all of them.

    Raises:
        ValueError: A GPU was asked for that is not there, or one twice.
    """
    if gpus is not None and len(set(gpus)) < len(gpus):
        raise ValueError(f'--gpus {",".join(map(str, gpus))} names a GPU twice; its memory would '
                         'hold two trainings')
    count = torch.cuda.device_count()
    wrong = [gpu for gpu in gpus or [] if not 0 <= gpu < count]
    if wrong or (all_gpus and not count):
        raise ValueError(f'GPUs {wrong or "all"} were asked for; this machine shows {count}')
    # This package is found where it was imported from, installed or not.
    root = str(Path(mmwindow.__file__).parents[1])
    common = dict(PYTHONPATH=os.pathsep.join(filter(None, [root, os.environ.get('PYTHONPATH')])))
    if not count or all_gpus:
        return Devices([common], max(1, count))
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    names = visible.split(',') if visible else [str(gpu) for gpu in range(count)]
    return Devices([dict(common, CUDA_VISIBLE_DEVICES=names[gpu])
                    for gpu in (range(count) if gpus is None else gpus)])
