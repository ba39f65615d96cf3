"""Acting after an import, whatever is imported first."""
import importlib
import sys

from mmwindow._registration import after_import


def test_a_module_that_is_being_imported_is_acted_on_when_it_is_complete(tmp_path, monkeypatch):
    """With the forks `from mmdet.registry import MODELS` as the first import failed on its circle."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / 'own_registry.py').write_text('import own_engine\nVALUE = 1\n')
    (tmp_path / 'own_engine.py').write_text(
        'import own_registry\nfrom mmwindow._registration import after_import\n'
        'calls = []\n'
        'after_import("own_registry", lambda module: calls.append(module.VALUE))\n')
    try:
        module = importlib.import_module('own_registry')
        engine = sys.modules['own_engine']
        assert engine.calls == []
        assert module.VALUE == 1 and engine.calls == [1]
        assert module.VALUE == 1 and engine.calls == [1]      # once
        after_import('own_registry', lambda module: engine.calls.append(2))
        assert engine.calls == [1, 2]                         # complete by now: at once
    finally:
        for name in ('own_registry', 'own_engine'):
            sys.modules.pop(name, None)
