"""Running statistics of batch normalisation for weights that no training has seen: measured again."""
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.runner.utils import set_random_seed
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from mmwindow.apis.config import load_config
from mmwindow.apis.runner import config_errors, quiet_mmengine

MAX_STEPS = 100  # batches: 800 images of 8 tell a mean of a channel to a few per cent of its spread


def measure_statistics(config: str | Path, weights: Mapping[str, Tensor], names: Sequence[str],
                       max_steps: int = MAX_STEPS) -> dict[str, Tensor]:
    """Return running statistics of a model's layers on training images, as its batches have them.

    The mean of the batches' statistics, over one epoch or so many steps, with seed 0. What
    ``torch.optim.swa_utils.update_bn`` does for a model that takes tensors.

    Args:
        config: Of the training; its training images are read.
        weights: Of the complete model.
        names: Of the statistics, such as 'backbone.bn1.running_mean'; other layers keep theirs.
        max_steps: Batches at most.

    Raises:
        ValueError: The config cannot be used, or the weights are not its model's.

    Source: Izmailov et al., UAI 2018, section 3.2.
    """
    with quiet_mmengine():
        cfg = load_config(config)
        set_random_seed(0)
        init_default_scope(cfg.get('default_scope', 'mmdet'))
        with config_errors(cfg):
            model = MODELS.build(cfg.model)
            loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    try:
        model.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise ValueError(f'{config}: the weights are not those of its model '
                         f'({str(error).splitlines()[0]}); give the config of the training'
                         ) from error
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, _BatchNorm)}
    wanted = [layers[name] for name in dict.fromkeys(name.rpartition('.')[0] for name in names)]
    if torch.cuda.is_available():
        model.cuda()
    model.train()
    for layer in wanted:
        layer.train()
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over batches
    with torch.no_grad():
        for data in islice(loader, max_steps):
            model(**model.data_preprocessor(data, True), mode='loss')
    state = model.state_dict()
    return {name: state[name].cpu() for name in names}
