"""The line of a validation shows the numbers that were asked for, or all."""
import io
from types import SimpleNamespace

import pytest

from mmwindow.engine.hooks import ProgressHook


@pytest.mark.parametrize('names, expected', [
    (None, 'a 0.250, b 0.500'), (['x/b', 'x/none'], 'b 0.500'), (['x/b', 'x/a'], 'b 0.500, a 0.250')])
def test_the_line_of_a_validation_shows_what_was_asked_for(names, expected):
    stream = io.StringIO()
    hook = ProgressHook(stream=stream, metrics=names)
    runner = SimpleNamespace(epoch=1, max_epochs=2)
    hook.before_val_epoch(runner)
    hook.after_val_epoch(runner, {'x/a': .25, 'x/b': .5})
    assert stream.getvalue() == f'  epoch 1 of 2 done; validation: {expected}\n'
    hook.after_val_epoch(runner, None)
    assert stream.getvalue().endswith('done; validation: \n')
