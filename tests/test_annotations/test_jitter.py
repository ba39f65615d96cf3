"""Moved points: how far, where to, and that nothing else of the file changes."""
import numpy as np
import pytest

from mmwindow.annotations.jitter import jitter_points
from mmwindow.annotations.point_file import point_file_content, read_point_file, write_point_file
from mmwindow.annotations.records import ImageRecord, PointFile
from tests.imported_tools import imported_tool


def point_file(num_images, size=(2048, 1024), num_points=2):
    height, width = size
    return PointFile([
        ImageRecord(number, f'{number}.png', height, width, f'patient {number}',
                    [(width / 2, height / 2)] * num_points, [0] * num_points,
                    [(1., 2., 3., 4.)] * num_points, dict(body_part='hand'))
        for number in range(num_images)], ('fracture', ))


def run_tool():
    with imported_tool('jitter_points') as tool:
        tool.main()


def points(found):
    return np.array([record.points for record in found.point_file.records])


def test_distances_are_of_the_frame_and_normal_in_each_direction():
    """2,000 points in images of twice the frame: in image pixels twice as far."""
    found = jitter_points(point_file(1000), 30)
    moves = (points(found) - (512, 1024)).reshape(-1, 2) / 2
    assert found.num_held == 0
    assert np.sqrt((moves ** 2).sum(1).mean()) == pytest.approx(found.distance, abs=.01)
    assert found.distance == pytest.approx(30, rel=.05)  # five standard errors: 2.2 % of 30 each
    assert moves.mean(0) == pytest.approx([0, 0], abs=2.5)
    assert moves.std(0) == pytest.approx([30 / 2 ** .5] * 2, rel=.08)


def test_what_moves_depends_on_seed_and_file_name_alone():
    whole, part = point_file(6), point_file(6)
    part.records[:] = part.records[4:]
    near, far = jitter_points(whole, 10), jitter_points(whole, 20)
    assert np.allclose(points(far) - (512, 1024), 2 * (points(near) - (512, 1024)), atol=.021)
    assert (points(jitter_points(part, 10)) == points(near)[4:]).all()
    assert len(np.unique(points(near).reshape(-1, 2), axis=0)) == 12
    assert (points(jitter_points(whole, 10, seed=1)) != points(near)).all()


def test_a_point_stays_in_its_image_and_is_counted_as_held():
    found = jitter_points(point_file(200, (20, 10), 1), 1000)
    moved = points(found).reshape(-1, 2)
    assert (moved >= .5).all() and (moved <= (9.5, 19.5)).all()
    at_border = (np.isclose(moved, .5) | np.isclose(moved, (9.5, 19.5))).any(1)
    assert found.num_held == at_border.sum()
    # 200 (1 - P(|x| < 4.5) P(|y| < 9.5)) of a standard deviation of 13.8: 174, give or take 4.8.
    assert 150 < found.num_held < 198
    assert found.distance < 600  # the border is 256 and 512 pixels of the frame away


def test_all_else_stays_but_boxes():
    before = point_file(3)
    records = jitter_points(before, 5).point_file.records
    assert before == point_file(3)
    for old, new in zip(before.records, records, strict=True):
        assert new.boxes == [None, None]
        assert (new.img_id, new.file_name, new.group, new.labels, new.fields) == (
            old.img_id, old.file_name, old.group, old.labels, old.fields)


@pytest.mark.parametrize('jitter, seed, message', [
    (0, 0, 'jitter is 0; a distance above 0'), (1024, 0, 'jitter is 1024'),
    (float('nan'), 0, 'jitter is nan'), (5, -1, 'seed is -1; a whole number from 0 on')])
def test_what_is_no_distance_or_seed_is_refused(jitter, seed, message):
    with pytest.raises(ValueError, match=message):
        jitter_points(point_file(1), jitter, seed)


def test_a_file_without_points_is_refused():
    with pytest.raises(ValueError, match='no points in 2 images'):
        jitter_points(point_file(2, num_points=0), 5)


def test_the_tool_writes_what_the_function_returns(tmp_path, monkeypatch, capsys):
    source = write_point_file(tmp_path / 'train.json', point_file_content(point_file(4)))
    call = ['jitter_points', str(source), '--jitter', '50', '--seed', '3', '--out']
    monkeypatch.setattr('sys.argv', [*call, str(tmp_path / 'moved')])
    run_tool()
    expected = jitter_points(read_point_file(source), 50, 3)
    assert read_point_file(tmp_path / 'moved/train.json').records == (
        expected.point_file.records)
    assert capsys.readouterr().out == (
        f'{tmp_path}/moved/train.json: 8 points moved by {expected.distance:.1f} of 1024 pixels '
        '(root mean square), 0 held at the border\n')
    before = source.read_bytes()
    monkeypatch.setattr('sys.argv', [*call, str(tmp_path)])
    with pytest.raises(SystemExit):
        run_tool()
    assert 'train.json: is there already; give another --out' in capsys.readouterr().err
    assert source.read_bytes() == before
    monkeypatch.setattr('sys.argv', [*call[:2], *call[1:], str(tmp_path / 'twice')])
    with pytest.raises(SystemExit):
        run_tool()
    assert 'another FILE has this name, too' in capsys.readouterr().err
    assert not (tmp_path / 'twice').exists()
    empty = write_point_file(tmp_path / 'val.json', point_file_content(point_file(2, num_points=0)))
    monkeypatch.setattr('sys.argv', [*call[:2], str(empty), *call[2:], str(tmp_path / 'none')])
    with pytest.raises(SystemExit):
        run_tool()
    assert 'val.json: no points in 2 images' in capsys.readouterr().err
    assert not (tmp_path / 'none').exists()  # the first file can be given again
