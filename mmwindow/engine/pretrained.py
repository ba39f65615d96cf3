"""``torchvision://`` weights without torchvision, and a way out where they cannot be fetched."""
from typing import Any
from urllib.error import URLError

from mmengine.runner.checkpoint import (
    CheckpointLoader,
    load_from_http,
    load_from_torchvision,
)

# What torchvision calls IMAGENET1K_V1, the weights of the paper's time.
TORCHVISION_URLS = {
    'resnet18': 'https://download.pytorch.org/models/resnet18-f37072fd.pth',
    'resnet34': 'https://download.pytorch.org/models/resnet34-b627a593.pth',
    'resnet50': 'https://download.pytorch.org/models/resnet50-0676ba61.pth',
    'resnet101': 'https://download.pytorch.org/models/resnet101-63fe2227.pth',
}


@CheckpointLoader.register_scheme(prefixes='torchvision://', force=True)
def load_torchvision_weights(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Load ``torchvision://NAME``; torchvision need not be installed for the ResNets.

    Args:
        filename: For example ``torchvision://resnet50``.
        map_location: As in ``torch.load``.

    Raises:
        ValueError: The weights cannot be fetched, or the name needs torchvision; the
            message says what to do.
    """
    name = filename.removeprefix('torchvision://')
    url = TORCHVISION_URLS.get(name)
    way_out = (f'Fetch {url or "the file"} on a machine with internet and give its place with '
               '--cfg-options model.backbone.init_cfg.checkpoint=FILE, or start from random '
               'weights with --cfg-options model.backbone.init_cfg=None. Without a download: '
               'the EfficientNetLite configs, whose weights come with a Python package.')
    try:
        if url is None:
            return load_from_torchvision(filename, map_location=map_location)
        return load_from_http(url, map_location=map_location)
    except ModuleNotFoundError as error:
        raise ValueError(f'{filename}: only {", ".join(TORCHVISION_URLS)} are known without '
                         f'torchvision, which is not installed. {way_out}') from error
    except (URLError, OSError, RuntimeError) as error:
        raise ValueError(
            f'{filename}: the weights could not be fetched ({error}). {way_out}') from error
