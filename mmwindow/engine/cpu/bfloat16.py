"""Mixed precision where mmengine's own wrapper does not work."""
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.registry import OPTIM_WRAPPERS
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper


def gains_from_bfloat16() -> bool:
    """Return whether a training here is faster in bfloat16: on a CPU with instructions for it."""
    if torch.cuda.is_available():
        return False
    tests = (getattr(torch.cpu, name, None)  # torch has no public name for them yet
             for name in ('_is_avx512_bf16_supported', '_is_amx_tile_supported'))
    return any(test() for test in tests if test is not None)


def to_float32(value: Any) -> Any:
    """Return a tensor of floats, or those in tuples and lists, in float32; all else as it is."""
    if isinstance(value, tuple | list):
        return type(value)(to_float32(one) for one in value)
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.float()
    return value


@contextmanager
def regions_in_float32(model: torch.nn.Module) -> Iterator[None]:
    """Give mmcv's operators of a two-stage detector float32: its NMS and RoIAlign take no bfloat16.

    The outputs of the region proposal network, and the features that regions are cut out of, are
    cast; convolutions and fully connected layers stay in bfloat16. Other models are left alone.
    """
    inner: Any = model
    while is_model_wrapper(inner):
        inner = inner.module
    handles = []
    if hasattr(inner, 'rpn_head'):
        handles.append(inner.rpn_head.register_forward_hook(
            lambda module, inputs, outputs: to_float32(outputs)))
    extractor = getattr(getattr(inner, 'roi_head', None), 'bbox_roi_extractor', None)
    if extractor is not None:
        handles.append(extractor.register_forward_pre_hook(
            lambda module, inputs: to_float32(inputs)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """An ``OptimWrapper`` whose forward pass runs under bfloat16 autocast, CPU or GPU.

    mmengine's ``AmpOptimWrapper`` rejects machines without a GPU. bfloat16 has
    float32's exponents, so no loss scale is needed and nothing else changes.
    ``tools/train.py --amp`` takes this one where there is no GPU. Processors with
    bfloat16 instructions (AVX-512 BF16, AMX) train 1.5 times as fast under it
    (docs/configs.md); those without train slower.
    """

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        """Run the forward pass under bfloat16 autocast."""
        device_type = next(model.parameters()).device.type
        with super().optim_context(model), regions_in_float32(model), torch.autocast(
                device_type, dtype=torch.bfloat16):
            yield
