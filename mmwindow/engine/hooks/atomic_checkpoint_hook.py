"""Checkpoints that are complete or not there."""
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdet.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook``, safe against a kill while it writes.

    A checkpoint gets its name when it is complete (:mod:`mmwindow.engine.file_backends`), and the
    best one of before is deleted when the new one is there, not before it is written. The file names
    and arguments are mmengine's.
    """

    def before_train(self, runner: Any) -> None:
        """Prepare as mmengine; delete best checkpoints that a kill kept from being deleted."""
        super().before_train(runner)
        if not self.save_best or not is_main_process() or 'auto' in self.key_indicators:
            return
        for key, path in self._best_paths().items():
            if path and self.file_backend.isfile(path):
                name = f'best_{key}_{self.filename_tmpl}'.replace('/', '_')
                pattern = re.compile(re.escape(name).replace(re.escape('{}'), r'(\d+)'))
                best = pattern.fullmatch(Path(path).name)
                for other in Path(path).parent.glob('best_*.pth'):
                    match = pattern.fullmatch(other.name)
                    if best and match and int(match[1]) < int(best[1]):
                        other.unlink()

    def _save_best_checkpoint(self, runner: Any, metrics: Mapping[str, float]) -> None:
        if not self.save_best:
            return
        before = self._best_paths()
        self._set_best_paths({})  # so that mmengine deletes none
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            new = {key: path for key, path in self._best_paths().items() if path}
            self._set_best_paths({**before, **new})
        for key, path in new.items():
            old = before.get(key)
            if old and old != path and is_main_process() and self.file_backend.isfile(old):
                self.file_backend.remove(old)

    def _best_paths(self) -> dict[str, str | None]:
        if hasattr(self, 'best_ckpt_path_dict'):
            return dict(self.best_ckpt_path_dict)
        return {self.key_indicators[0]: self.best_ckpt_path}

    def _set_best_paths(self, paths: Mapping[str, str | None]) -> None:
        if hasattr(self, 'best_ckpt_path_dict'):
            self.best_ckpt_path_dict = {key: paths.get(key) for key in self.key_indicators}
        else:
            self.best_ckpt_path = paths.get(self.key_indicators[0])
