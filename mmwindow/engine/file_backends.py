"""What mmengine writes is complete or not there, and a YAML file that it reads is data."""
import os
from pathlib import Path
from typing import Any

import yaml
from mmengine.fileio import LocalBackend, register_backend, register_handler
from mmengine.fileio.handlers import YamlHandler

from mmwindow.utils.files import atomic_file

# libyaml's where PyYAML has it: to find one config of MMDetection, mmengine reads a hundred files of
# YAML. It rejects more than a thousand levels.
PLAIN_LOADER = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)


@register_backend('local', force=True, prefixes='')
class AtomicLocalBackend(LocalBackend):
    """mmengine's backend of local files, which writes each under a temporary name first.

    A kill while a checkpoint is written leaves no incomplete ``epoch_N.pth``. The content is on the
    disk before the file has its name, so that a power failure does not leave an empty one either.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes, as a checkpoint."""
        with atomic_file(filepath) as part, open(part, 'wb') as stream:
            stream.write(obj)
            stream.flush()
            os.fsync(stream.fileno())

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text, as a config."""
        self.put(obj.encode(encoding), filepath)


@register_handler(['yaml', 'yml'])
class SafeYamlHandler(YamlHandler):
    """mmengine's reader of YAML, which builds plain data only: its own runs ``!!python`` tags."""

    def load_from_fileobj(self, file: Any, **kwargs: Any) -> Any:
        """Return the content of a file.

        Raises:
            ValueError: It is no YAML of plain data.
        """
        try:
            return yaml.load(file, Loader=PLAIN_LOADER)  # noqa: S506  (it is the safe one)
        except (yaml.YAMLError, ValueError, RecursionError) as error:  # no date is a ValueError
            raise ValueError(f'no YAML of plain data ({" ".join(str(error).split())[:200]})'
                             ) from error
