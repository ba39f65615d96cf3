"""Checkpoints whose tensors have more numbers than their file: torch makes the rest up."""
import io
import pickle
import zipfile

import pytest
import torch

from mmwindow.engine.checkpoint import load_own_checkpoint
from mmwindow.engine.storage_check import check_storages

WEIGHTS = dict(meta=dict(epoch=1), state_dict={
    'a': torch.arange(12.).reshape(3, 4), 'b': torch.tensor(7), 'empty': torch.zeros(0, 3),
    'part': torch.arange(10.)[2:8:2], 'half': torch.ones(2, dtype=torch.bfloat16)})


def write(path, content=WEIGHTS, **options):
    torch.save(content, path, **options)
    return path


def rewrite(path, change):
    """Write the archive again, its parts changed, with right check sums."""
    with zipfile.ZipFile(path) as archive:
        parts = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, 'w') as archive:
        for name, data in parts:
            archive.writestr(name, change(name, data))
    return path


def test_views_and_empty_tensors_lie_within_their_numbers(tmp_path):
    check_storages(write(tmp_path / 'a.pth'))
    content = load_own_checkpoint(tmp_path / 'a.pth')
    assert content['state_dict']['part'].tolist() == [2., 4., 6.]
    assert content['state_dict']['empty'].shape == (0, 3)


def test_a_tensor_that_lacks_numbers_is_an_error_and_not_what_was_in_memory(tmp_path):
    path = rewrite(write(tmp_path / 'a.pth'),
                   lambda name, data: data[:-4] if name.endswith('data/0') else data)
    with pytest.raises(ValueError, match=r'a.pth: it is damaged .*\(3, 4\) has 11 numbers'):
        load_own_checkpoint(path)


def test_a_tensor_of_gigabytes_in_a_small_file_is_rejected_before_it_is_made(tmp_path):
    # The shape (3, 4) becomes (3, 1000000000).
    path = rewrite(write(tmp_path / 'a.pth'), lambda name, data: data.replace(
        b'K\x03K\x04\x86', b'K\x03J\x00\xca\x9a;\x86') if name.endswith('data.pkl') else data)
    with pytest.raises(ValueError, match=r'a.pth: it is damaged .*1000000000\) has 12 numbers'):
        load_own_checkpoint(path)


@pytest.mark.parametrize('content', ['mean', 3, [1], None, torch.zeros(2)])
def test_a_checkpoint_that_holds_no_dict_is_named(content, tmp_path):
    with pytest.raises(ValueError, match='a.pth: it holds .*a dict with the state_dict'):
        load_own_checkpoint(write(tmp_path / 'a.pth', content))


@pytest.mark.parametrize('kept', [3, 20, 100, 300, 500])
def test_the_older_format_cut_short_is_one_line(kept, tmp_path):
    stream = io.BytesIO()
    torch.save(WEIGHTS, stream, _use_new_zipfile_serialization=False)
    (tmp_path / 'a.pth').write_bytes(stream.getvalue()[:kept])
    with pytest.raises(ValueError, match='a.pth: ') as error:
        load_own_checkpoint(tmp_path / 'a.pth')
    assert len(str(error.value).splitlines()) == 1 and len(str(error.value)) <= 700


@pytest.mark.parametrize('content', [b'', b'a text\n' * 9, b'PK', b'\x80\x02', pickle.dumps({}, 4)])
def test_an_empty_file_or_a_text_is_no_checkpoint(content, tmp_path):
    (tmp_path / 'a.pth').write_bytes(content)
    with pytest.raises(ValueError, match='a.pth: ') as error:
        load_own_checkpoint(tmp_path / 'a.pth')
    assert len(str(error.value).splitlines()) == 1


def test_the_check_says_nothing_of_torchs_own_formats(tmp_path, recwarn):
    path = write(tmp_path / 'a.pth')
    check_storages(path)
    assert not [warning for warning in recwarn if 'TypedStorage' in str(warning.message)]
