"""What the runner needs beyond mmengine: hooks, CPU launches, bfloat16, safe resuming."""
from .checkpoint import allow_own_checkpoints
from .distributed import close_process_group, init_cpu_process_group
from .hooks import ChannelsLastHook, ProgressHook
from .optim import BFloat16OptimWrapper
from .pretrained import load_torchvision_weights

__all__ = ['BFloat16OptimWrapper', 'ChannelsLastHook', 'ProgressHook', 'allow_own_checkpoints',
           'close_process_group', 'init_cpu_process_group', 'load_torchvision_weights']

allow_own_checkpoints()
