"""Mixed precision (``--amp``): float16 on GPUs, bfloat16 on CPUs, and what stays in float32."""
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.registry import OPTIM_WRAPPERS
from mmengine.model import is_model_wrapper
from mmengine.optim import AmpOptimWrapper, OptimWrapper

WORTH_IT = .9  # of the time: bfloat16 that gains less is not worth its rounding


def gains_from_bfloat16() -> bool:
    """Return whether a training on this CPU is faster in bfloat16: measured, in half a second.

    Instructions alone do not tell: the same convolution takes 0.6 of the time on an AMD EPYC with
    AVX-512 BF16 and 1.2 to 1.8 times as long on an Intel Xeon with it and without AMX.
    """
    return (not torch.cuda.is_available() and has_bfloat16_instructions()
            and time_convolution(torch.bfloat16) < WORTH_IT * time_convolution(None))


def has_bfloat16_instructions() -> bool:
    """Return whether the processor has AVX-512 BF16 or AMX; without either bfloat16 is emulated."""
    tests = (getattr(torch.cpu, name, None)  # torch has no public name for them yet
             for name in ('_is_avx512_bf16_supported', '_is_amx_tile_supported'))
    return any(test() for test in tests if test is not None)


def time_convolution(dtype: torch.dtype | None, num_times: int = 5) -> float:
    """Return the processor seconds that a 1 x 1 convolution takes, with its gradients.

    It is one of EfficientNet-Lite0's at 384 pixels, batch 8.

    Args:
        dtype: Of autocast; None for float32.
        num_times: The median of so many is taken, after two that warm up.
    """
    features, weight = (
        torch.ones(shape).contiguous(memory_format=torch.channels_last).requires_grad_()
        for shape in ((8, 112, 24, 24), (672, 112, 1, 1)))
    taken = []
    for _ in range(num_times + 2):
        started = time.process_time()
        with torch.autocast('cpu', dtype=dtype, enabled=dtype is not None):
            output = F.conv2d(features, weight)
        output.float().mean().backward()
        taken.append(time.process_time() - started)
    return statistics.median(taken[2:])


def to_float32(value: Any) -> Any:
    """Return a tensor of floats, or those in tuples and lists, in float32; all else as it is."""
    if isinstance(value, tuple | list):
        parts = [to_float32(one) for one in value]
        return type(value)(*parts) if hasattr(value, '_fields') else type(value)(parts)
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.float()
    return value


@contextmanager
def losses_in_float32(model: torch.nn.Module) -> Iterator[None]:
    """Give losses, and mmcv's operators, the outputs of a model's heads in float32.

    mmcv's focal loss on a GPU computes in the type that it is given, and in float16 a logit below -11
    of an anchor that shows nothing makes it NaN (0 times log 0). Its NMS and RoIAlign take no
    bfloat16 on a CPU. So what heads return is cast, and the features that regions are cut out of;
    the convolutions and fully connected layers of the heads stay in half precision. The heads of
    this package compute their losses in float32 anyway.
    """
    inner: Any = model
    while is_model_wrapper(inner):
        inner = inner.module
    regions = getattr(inner, 'roi_head', None)
    heads = (getattr(inner, 'rpn_head', None), getattr(inner, 'bbox_head', None),
             getattr(regions, 'bbox_head', None))
    handles = [head.register_forward_hook(lambda module, inputs, outputs: to_float32(outputs))
               for head in heads if head is not None]
    extractor = getattr(regions, 'bbox_roi_extractor', None)
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
    """An ``OptimWrapper`` whose forward pass runs under bfloat16 autocast.

    mmengine's ``AmpOptimWrapper`` rejects machines without a GPU. bfloat16 has
    float32's exponents, so no loss scale is needed and nothing else changes.
    ``tools/train.py --amp`` takes this one where there is no GPU. Some processors with
    bfloat16 instructions train 1.5 times as fast under it, others slower
    (docs/configs.md); those without train slower.
    """

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        """Run the forward pass under bfloat16 autocast."""
        device_type = next(model.parameters()).device.type
        with super().optim_context(model), losses_in_float32(model), torch.autocast(
                device_type, dtype=torch.bfloat16):
            yield


@OPTIM_WRAPPERS.register_module()
class Float16OptimWrapper(AmpOptimWrapper):
    """mmengine's ``AmpOptimWrapper`` whose losses are in float32 (:func:`losses_in_float32`).

    ``tools/train.py --amp`` takes this one where there is a GPU.

    Raises:
        AssertionError: There is no GPU.
    """

    @contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        """Run the forward pass under float16 autocast."""
        with super().optim_context(model), losses_in_float32(model):
            yield
