"""What the runner needs beyond mmengine: hooks, CPU launches, bfloat16, safe resuming."""
from mmwindow.engine.checkpoint import allow_own_checkpoints
from mmwindow.engine.cpu.bfloat16 import BFloat16OptimWrapper
from mmwindow.engine.cpu.distributed import close_process_group, init_cpu_process_group
from mmwindow.engine.hooks import ChannelsLastHook, ProgressHook
from mmwindow.engine.pretrained import load_torchvision_weights

__all__ = ['BFloat16OptimWrapper', 'ChannelsLastHook', 'ProgressHook', 'allow_own_checkpoints',
           'close_process_group', 'init_cpu_process_group', 'load_torchvision_weights']

allow_own_checkpoints()
