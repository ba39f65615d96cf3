"""Settings that are tried on several systems, by name: what each means for a config."""
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwindow.apis.config import load_config
from mmwindow.apis.package_configs import configs_folder
from mmwindow.apis.runner import quiet_mmengine
from mmwindow.utils.files import load_json
from mmwindow.utils.json_fields import OBJECT, TEXT
from mmwindow.utils.messages import quote, shorten

SAYS = 'says'
KINDS = ('all', 'classifier', 'pyramid', 'boxes', 'retinanet', 'map')
RETINANET, OTHER_BOXES = ('RetinaHead', 'RetinaImageHead'), ('RPNHead', 'FCOSHead')


def read_settings(path: str | Path | None = None) -> dict[str, dict[str, Any]]:
    """Return the settings of a file: name -> ``says`` and, for each kind of config, its overrides.

    Args:
        path: None: ``configs/settings.json``.

    Raises:
        ValueError: The file is missing, or an entry is not as described there.
    """
    path = Path(path) if path is not None else Path(configs_folder()) / 'settings.json'
    content = load_json(path, 'settings')
    if not isinstance(content, Mapping):
        raise ValueError(f'{shorten(str(path))}: an object of settings by name is expected')
    for name, entry in content.items():
        if not OBJECT.fits(entry) or not TEXT.fits(entry.get(SAYS)) or len(entry) < 2 or any(
                kind not in KINDS or not OBJECT.fits(overrides)
                for kind, overrides in entry.items() if kind != SAYS):
            raise ValueError(f'{shorten(str(path))}: the setting {quote(name)} is {quote(entry)}; '
                             f'"{SAYS}" in words and overrides by kind of config '
                             f'({", ".join(KINDS)}) are expected')
    return dict(content)


def kinds_of(cfg: Config) -> tuple[str, ...]:
    """Return of which kinds a config is: 'all' and others of ``KINDS``."""
    model = cfg.model
    heads = [str(head.get('type')).rpartition('.')[2]
             for head in (model.get('rpn_head'), model.get('bbox_head')) if head]
    found = ['all', 'pyramid' if model.get('neck') else 'classifier']
    if any(head in (*RETINANET, *OTHER_BOXES) for head in heads):
        found.append('boxes')
    found += ['retinanet'] * (heads[0] in RETINANET) + ['map'] * (heads[0] == 'DensePointHead')
    return tuple(found)


def find_overrides(name: str, settings: Mapping[str, Mapping[str, Any]], cfg: Config, config: str
                   ) -> dict[str, Any]:
    """Return the overrides of a setting, or of several joined by '+', for a config.

    Args:
        name: Such as 'long' or 'long+unfrozen'.
        settings: From :func:`read_settings`.
        cfg: The config.
        config: Its name, for ``{config}`` in a value.

    Raises:
        ValueError: A setting is not known, or is none for a config of this kind.
    """
    kinds, found = kinds_of(cfg), {}
    for part in name.split('+'):
        if part not in settings:
            raise ValueError(f'the setting {quote(part)} is not known; {", ".join(settings)} are')
        entry = settings[part]
        if not any(kind in entry for kind in kinds):
            raise ValueError(f'{config}: the setting {part} is for configs of the kind '
                             f'{", ".join(kind for kind in entry if kind != SAYS)} alone; this one '
                             f'is of {", ".join(kinds)}')
        for kind in kinds:
            found.update(entry.get(kind, {}))
    return {key: value.replace('{config}', config) if isinstance(value, str) else value
            for key, value in found.items()}


def tuning_arguments(config: str | Path, names: Sequence[str],
                     settings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the arguments of ``mmwindow tune`` that compare settings of a config by their names.

    The name of several joined settings has '_' in place of '+', as it becomes that of a folder.

    Args:
        config: The config file.
        names: Of the settings, as in :func:`find_overrides`.
        settings: From :func:`read_settings`.

    Raises:
        ValueError: As :func:`find_overrides`.
    """
    with quiet_mmengine():
        cfg = load_config(config)
    arguments = [str(config)]
    for name in names:
        overrides = find_overrides(name, settings, cfg, Path(config).stem)
        arguments += ['--setting', name.replace('+', '_'), *(
            f'{key}={text}' for full, value in overrides.items()
            for key, text in _as_options(full, value))]
    return arguments


def _as_options(key: str, value: Any) -> list[tuple[str, str]]:
    """Return an override as texts that a command line takes; a dict as one for each entry."""
    if isinstance(value, Mapping):
        return [pair for name, item in value.items() for pair in _as_options(f'{key}.{name}', item)]
    return [(key, str(value).replace(' ', '') if isinstance(value, list) else str(value))]
