"""Starting several processes on machines without a GPU."""
import os
from datetime import timedelta

import torch
import torch.distributed as torch_distributed

# Seconds that an exchange between ranks may take. RankWatchHook names a silent rank long before;
# torch's own limits (10 minutes with NCCL) end a training without a name.
PATIENCE = 24 * 3600


def init_cpu_process_group(launcher: str) -> bool:
    """Set up a gloo process group where there is no GPU; return whether it was.

    mmengine's ``init_dist`` calls ``torch.cuda.set_device`` for every backend, gloo
    included, and so cannot start on a CPU. It leaves an existing process group
    alone, so this is called before the runner is built. With a GPU nothing is done
    here and mmengine starts NCCL.

    Args:
        launcher: 'none', 'pytorch', 'slurm' or 'mpi', as on the command line.

    Raises:
        ValueError: A launcher other than pytorch's on a machine without a GPU, or
            torchrun's variables are missing.
    """
    if launcher == 'none' or torch.cuda.is_available():
        return False
    if launcher != 'pytorch':
        raise ValueError(f"--launcher {launcher} needs GPUs and this machine shows none. For "
                         "several CPU processes use tools/dist_train.sh (--launcher pytorch).")
    missing = [name for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')
               if name not in os.environ]
    if missing:
        raise ValueError(f"--launcher pytorch reads {', '.join(missing)} from the environment, "
                         "which torchrun sets: start with tools/dist_train.sh or torchrun.")
    torch_distributed.init_process_group('gloo', timeout=timedelta(seconds=PATIENCE))
    return True


def close_process_group() -> None:
    """Leave the process group together, once all ranks are done; nothing happens without one.

    gloo's threads must be joined before the interpreter ends: a rank that exits with them
    running aborts now and then ("terminate called without an active exception"), and torchrun
    then reports a finished training as failed.
    """
    if torch_distributed.is_available() and torch_distributed.is_initialized():
        torch_distributed.barrier()
        torch_distributed.destroy_process_group()
