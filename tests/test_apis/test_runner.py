"""What building a runner leaves in its work dir."""
import pytest

from mmwindow.apis.config import load_config
from mmwindow.apis.runner import build_runner


@pytest.mark.parametrize('made_by, is_test, is_kept', [
    ('run.json', True, True), ('epoch_1.pth', True, True), (None, True, False),
    ('run.json', False, False)])
def test_a_test_leaves_the_config_of_a_trained_model_alone(
        write_tiny_config, tmp_path, made_by, is_test, is_kept):
    """From it later tests read what the model is, and what it is tested on."""
    cfg = load_config(write_tiny_config(tmp_path / 'tiny.py'))
    work_dir = tmp_path / 'model'
    work_dir.mkdir()
    (work_dir / 'tiny.py').write_text('# of the training\n')
    if made_by:
        (work_dir / made_by).touch()
    cfg.work_dir, cfg.launcher = str(work_dir), 'none'
    build_runner(cfg, verbose=False, is_test=is_test)
    assert ((work_dir / 'tiny.py').read_text() == '# of the training\n') == is_kept
