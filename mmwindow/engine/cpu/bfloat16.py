"""Mixed precision where mmengine's own wrapper does not work."""
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmdet.registry import OPTIM_WRAPPERS
from mmengine.optim import OptimWrapper


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """An ``OptimWrapper`` whose forward pass runs under bfloat16 autocast, CPU or GPU.

    mmengine's ``AmpOptimWrapper`` rejects machines without a GPU. bfloat16 has
    float32's exponents, so no loss scale is needed and nothing else changes.
    ``tools/train.py --amp`` takes this one where there is no GPU. Processors with
    AMX train dense convolutions about four times faster under it; those without
    bfloat16 instructions train slower.
    """

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        """Run the forward pass under bfloat16 autocast."""
        device_type = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device_type, dtype=torch.bfloat16):
            yield
