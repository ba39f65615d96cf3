"""The model and batch that `mmwindow train --data` chooses on this machine, known without torch."""
import shutil
import subprocess

from mmwindow.apis.doctor.suggestions import Suggestion
from mmwindow.apis.own_data.choice import Machine, choose_model

QUERY = ('nvidia-smi', '--query-gpu=name,memory.total', '--format=csv,noheader,nounits')
TIMEOUT = 20  # seconds


def find_gpus() -> Machine:
    """Return the machine as NVIDIA's driver describes it; one without a GPU where there is none."""
    if shutil.which(QUERY[0]) is None:
        return Machine()
    try:
        done = subprocess.run(QUERY, capture_output=True, text=True, timeout=TIMEOUT, check=True)
    except (OSError, subprocess.SubprocessError):
        return Machine()
    return read_gpus(done.stdout)


def read_gpus(text: str) -> Machine:
    """Return the machine of lines "name, MiB".

    >>> read_gpus('NVIDIA H100, 81559\\nNVIDIA H100, 81559')
    Machine(gpu='NVIDIA H100', gpu_bytes=85520809984, num_gpus=2)
    >>> read_gpus('No devices were found')
    Machine(gpu=None, gpu_bytes=0, num_gpus=0)
    """
    gpus = []
    for line in text.splitlines():
        name, _, memory = line.rpartition(',')
        if name and memory.strip().isdigit():
            gpus.append((name.strip(), int(memory) * 2 ** 20))
    return Machine(gpus[0][0], gpus[0][1], len(gpus)) if gpus else Machine()


def suggest_model(machine: Machine) -> Suggestion:
    """Return the config and batch by the rule of `mmwindow train --data`."""
    choice = choose_model(machine)
    batch = 'its batch' if choice.batch_size is None else f'batch {choice.batch_size}'
    side = '' if choice.input_size is None else f', input {choice.input_size}'
    return Suggestion('model and batch', f'{choice.config}, {batch}{side}', choice.reason)
