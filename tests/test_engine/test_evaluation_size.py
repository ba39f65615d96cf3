"""The hook that metrics need no more is still there under its name."""
import pytest

pytest.importorskip('mmdet')

from mmdet.registry import HOOKS  # noqa: E402

import mmwindow  # noqa: E402, F401  (registers the hook)


def test_the_hook_does_nothing_and_says_so():
    with pytest.warns(FutureWarning, match='does nothing any more'):
        hook = HOOKS.build(dict(type='EvaluationSizeHook'))
    hook.before_val_epoch(None)
    hook.before_test_epoch(None)
