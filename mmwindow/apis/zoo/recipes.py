"""What the models of the zoo are: their recipes, and which one is recommended."""
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmwindow.apis.config import read_config
from mmwindow.apis.package_configs import configs_folder

POINTS = 'annotations/points.json'  # of the data folder: all of the development part
LAST_EPOCH = 'epoch_{}.pth'


@dataclass(frozen=True)
class Recipe:
    """How a model of the zoo is trained.

    Attributes:
        name: Of the model.
        title: In the card.
        config: Within ``configs/``.
        run: Name of its work dir.
        result: Stem of the committed result of the same recipe in ``results/fracatlas``, where there
            is one.
        outputs: What it predicts, in words.
    """

    name: str
    title: str
    config: str
    run: str
    result: str
    outputs: str

    @property
    def config_path(self) -> Path:
        """The config file."""
        return configs_folder() / self.config

    def options(self, data: Path) -> dict[str, Any]:
        """Return the overrides of the config: all images, validated at the end alone.

        Args:
            data: Folder with ``annotations/points.json``.
        """
        epochs = read_config(self.config_path).train_cfg.max_epochs
        return {'train_dataloader.dataset.ann_file': str(data / POINTS),
                'train_cfg.val_interval': epochs}


MAP = 'a map of scores, whose regions above the threshold are findings'
RECIPES = (
    Recipe('fracatlas-wl-plus', 'WL+, EfficientNet-Lite0, 384 pixels',
           'windowloss/wl_plus_lite0_fpn_fracatlas.py', 'wl_plus', 'wl_plus_lite0_fpn_fracatlas',
           MAP),
    Recipe('fracatlas-wl', 'WL-KLD, EfficientNet-Lite0, 384 pixels',
           'windowloss/wl_kld_lite0_fpn_fracatlas.py', 'wl_kld', 'wl_kld_lite0_fpn_fracatlas', MAP),
    Recipe('fracatlas-retinanet', 'RetinaNet, EfficientNet-Lite0, 384 pixels',
           'retinanet/retinanet_lite0_fpn_fracatlas.py', 'retinanet',
           'retinanet_lite0_fpn_fracatlas', 'boxes with scores'),
)
ALIAS = 'fracatlas'


def find_recipe(name: str) -> Recipe:
    """Return a recipe by the name of its model.

    Raises:
        ValueError: There is none.
    """
    found = next((recipe for recipe in RECIPES if recipe.name == name), None)
    if found is None:
        raise ValueError(f'{name[:100]}: no model of the zoo; '
                         f'{", ".join(recipe.name for recipe in RECIPES)} are expected')
    return found
