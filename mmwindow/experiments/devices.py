"""What the jobs of a list run on: GPUs, shares of the processor, or a cluster."""
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

import mmwindow
from mmwindow.experiments.job_queue import Job, Running

MANY = 1000  # jobs at once on a cluster, where nobody says how many


@dataclass(frozen=True)
class Devices:
    """What jobs run on.

    Attributes:
        environments: Variables added to the environment of a job, one for each device.
        num_processes: Of one job.
        start: Starts a job; None: a process here.
    """

    environments: Sequence[Mapping[str, str]]
    num_processes: int = 1
    start: Callable[[Job, int, Mapping[str, str]], Running] | None = None


def choose_devices(gpus: Sequence[int] | None = None, all_gpus: bool = False,
                   jobs: int | None = None, slurm: Mapping[str, str] | None = None,
                   out: str | Path = '.') -> Devices:
    """Return the devices for a list of jobs.

    Args:
        gpus: One job on each of these; None: on each there is, or one job at a time on the CPU
            where there is none.
        all_gpus: One job at a time, on all of them.
        jobs: So many at once, each with its share of the cores, on the GPUs in turn where there are
            any: a small model leaves a GPU idle between its launches. On a cluster: at most so many
            submitted at once.
        slurm: Submit each job to Slurm with these parameters; None: run it here.
        out: Folder for what the cluster notes.

    Raises:
        ValueError: A GPU was asked for that is not there, or one twice, more jobs than cores, or
            several jobs that each take all GPUs.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f'--jobs {jobs}: 1 or more is expected')
    if gpus is not None and len(set(gpus)) < len(gpus):
        raise ValueError(f'--gpus {",".join(map(str, gpus))} names a GPU twice; for two '
                         f'trainings on one GPU say --jobs 2 --gpus {gpus[0]}')
    count = torch.cuda.device_count()
    wrong = [gpu for gpu in gpus or [] if not 0 <= gpu < count]
    if wrong or (all_gpus and not count):
        raise ValueError(f'GPUs {wrong or "all"} were asked for; this machine shows {count}')
    # This package is found where it was imported from, installed or not.
    root = str(Path(mmwindow.__file__).parents[1])
    common = dict(PYTHONPATH=os.pathsep.join(filter(None, [root, os.environ.get('PYTHONPATH')])))
    if slurm is not None:
        from mmwindow.experiments.slurm_queue import SlurmStarter
        if gpus is not None or all_gpus:
            raise ValueError('--gpus is of this machine; with --queue slurm say --slurm gpus=1')
        return Devices([common] * (jobs or MANY), 1, SlurmStarter(Path(out) / 'slurm', slurm))
    if all_gpus and jobs not in (None, 1):
        raise ValueError(f'--jobs {jobs} --all-gpus: one run takes all GPUs, so that one is trained '
                         'at a time; leave one of the two out')
    if not count or all_gpus:
        shares = [common] if jobs is None else [dict(common, **share_of_cores(jobs))] * jobs
        return Devices(shares, max(1, count))
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    names = visible.split(',') if visible else [str(gpu) for gpu in range(count)]
    chosen = [names[gpu] for gpu in (range(count) if gpus is None else gpus)]
    if jobs is None:
        return Devices([dict(common, CUDA_VISIBLE_DEVICES=name) for name in chosen])
    return Devices([dict(common, CUDA_VISIBLE_DEVICES=chosen[job % len(chosen)],
                         **share_of_cores(jobs)) for job in range(jobs)])


def share_of_cores(num_jobs: int) -> dict[str, str]:
    """Return the variables that give a job its share of the cores.

    Raises:
        ValueError: There are more jobs than cores.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    if num_jobs > cores:
        raise ValueError(f'--jobs {num_jobs}: this machine gives {cores} cores; give at most so many')
    threads = cores // num_jobs
    limit = os.environ.get('OMP_NUM_THREADS', '')  # what the user asks for is not exceeded
    return dict(OMP_NUM_THREADS=str(min(threads, int(limit)) if limit.isdigit() and int(limit)
                                    else threads))
