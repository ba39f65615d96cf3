#!/usr/bin/env python
"""Write model-index.yml, and the lists of configs in each system's metafile.yml and README.md.

    python tools/update_model_index.py          rewrite them
    python tools/update_model_index.py --check  exit with 1 where a file says something else

Numbers come from the files under results/.
"""
import re
from pathlib import Path
from typing import NamedTuple

from mmwindow.utils.files import load_json
from mmwindow.utils.generated_files import run_generator
from mmwindow.utils.markdown import format_number, markdown_table

ROOT = Path(__file__).resolve().parents[1]
METRICS = {'AUROC': 'froc/auroc', 'recall@0.1': 'froc/recall@0.1', 'FROC': 'froc/froc_score'}
LABELS = {'wl_kld': 'WL-KLD', 'wl_mse': 'WL-MSE', 'wl_plus': 'WL+', 'chexnet': 'CheXNet',
          'wspl': 'WSPL', 'ufdet': 'UFDet', 'faster_rcnn': 'Faster R-CNN',
          'retinanet': 'RetinaNet', 'fcos': 'FCOS'}
PAPER_KEYS = {'AUROC': 'auroc', 'recall@0.1': 'recall@0.1', 'FROC': 'froc_score'}
# Ending of a config's name -> its data, and the folder of results that its numbers come from.
DATA = {'_fracatlas': ('FracAtlas', 'fracatlas'), '_synthetic': ('synthetic radiographs', 'nightly')}
OLD_FOLDERS = ('synthetic', 'fracatlas')  # old paths, go with version 0.3


class Model(NamedTuple):
    """One config file.

    Attributes:
        path: The file, relative to the repository.
        system: As in ``results/paper.json``.
        data: What it trains on, in words.
        metrics: Column -> number; empty where there is no result.
    """

    path: Path
    system: str
    data: str
    metrics: dict[str, float]


def find_system(stem: str) -> str:
    """Return the system that a config's name begins with."""
    return next(system for system in LABELS if stem.startswith(system))


def read_metrics(stem: str, ending: str, folder: str) -> dict[str, float]:
    """Return a config's numbers, empty where no file under ``results/`` has them."""
    for name in (stem, stem.removesuffix(ending)):
        path = ROOT / 'results' / folder / f'{name}.json'
        if path.is_file():
            numbers = load_json(path)['metrics']
            return {column: numbers[key] for column, key in METRICS.items()}
    return {}


def read_models(folder: Path) -> list[Model]:
    """Return the models of one system's folder, ablations last."""
    models = []
    for path in sorted(folder.rglob('*.py'), key=lambda path: (path.parent != folder, path.stem)):
        ending = next((ending for ending in DATA if path.stem.endswith(ending)), '')
        data, results = DATA.get(ending, ('own points', ''))
        models.append(Model(path.relative_to(ROOT), find_system(path.stem), data,
                            read_metrics(path.stem, ending, results) if ending else {}))
    return models


def render_metafile(text: str, models: list[Model]) -> str:
    """Return a metafile with its list of models written again; its collections stay."""
    lines = [text.partition('\nModels:')[0], 'Models:  # written by tools/update_model_index.py']
    for model in models:
        lines += [f'  - Name: {model.path.stem}', f'    In Collection: {LABELS[model.system]}',
                  f'    Config: {model.path}', '    Metadata:',
                  f'      Training Data: {model.data}']
        if model.metrics:
            lines += ['    Results:', '      - Task: Object Detection',
                      f'        Dataset: {model.data}', '        Metrics:',
                      *(f'          {name}: {value:.3f}' for name, value in model.metrics.items())]
    return '\n'.join(lines) + '\n'


def render_table(models: list[Model]) -> str:
    """Return the table of a README: configs with our numbers, then the paper's."""
    rows = [['config', 'trained on', *METRICS]]
    for model in models:
        if 'ablations' not in model.path.parts:
            link = f'[{model.path.stem}](./{model.path.name})'
            rows.append([link, model.data, *(
                format_number(model.metrics[column]) if model.metrics else '' for column in METRICS)])
    systems = dict.fromkeys(model.system for model in models)
    for entry in load_json(ROOT / 'results/paper.json')['table1']:
        if entry['system'] in systems:
            rows.append([f'{entry["label"]} in the paper', 'pelvic radiographs, not public',
                         *(format_number(entry[key]) for key in PAPER_KEYS.values())])
    return markdown_table(rows)


def render_readme(text: str, models: list[Model]) -> str:
    """Return a README with the table between its markers written again."""
    return re.sub('<!-- models -->.*?<!-- end -->', lambda _: (
        f'<!-- models -->\n{render_table(models)}\n<!-- end -->'), text, flags=re.DOTALL)


def render_files() -> dict[Path, str]:
    """Return every file that this tool writes, with its content."""
    folders = sorted(path for path in (ROOT / 'configs').iterdir()
                     if path.is_dir() and path.name not in ('_base_', *OLD_FOLDERS))
    files = {ROOT / 'model-index.yml': '\n'.join(
        ['Import:', *(f'  - configs/{folder.name}/metafile.yml' for folder in folders)]) + '\n'}
    for folder in folders:
        models = read_models(folder)
        for name, render in (('metafile.yml', render_metafile), ('README.md', render_readme)):
            files[folder / name] = render((folder / name).read_text(encoding='utf-8'), models)
    return files


def main() -> None:
    run_generator(render_files(), ROOT, 'the configs and results/', 'tools/update_model_index.py',
                  __doc__.splitlines()[0])


if __name__ == '__main__':
    main()
