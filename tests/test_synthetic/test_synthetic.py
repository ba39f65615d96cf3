"""The synthetic radiographs: normals, truth on bone, no shortcut, files, reuse."""
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmwindow import synthetic
from mmwindow.synthetic import contact_sheet, generate_radiograph, write_dataset
from mmwindow.synthetic.writing import plan_images

SETTINGS = dict(seed=3, num_train=14, num_val=4, num_test=6, side=128, progress=False, workers=1)


def digest(made):
    """Hash of the image and its points."""
    return hashlib.sha256(made.img.tobytes() + made.points.tobytes()).hexdigest()


@pytest.fixture(scope='module')
def pairs():
    """Forty seeds, each once whole and once broken, at 128 pixels."""
    return [tuple(generate_radiograph(seed, 128, broken) for broken in (False, True))
            for seed in range(40)]


@pytest.fixture(scope='module')
def small():
    """240 seeds at 64 pixels, as the seed decides."""
    return [generate_radiograph(seed, 64) for seed in range(240)]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A small data set."""
    return write_dataset(tmp_path_factory.mktemp('synthetic') / 'set', **SETTINGS)


def read(folder, split):
    """One COCO point file."""
    return json.loads((folder / 'annotations' / f'{split}.json').read_text(encoding='utf-8'))


def test_normals_have_no_truth(pairs):
    for whole, _ in pairs:
        assert not whole.has_fracture
        assert whole.points.shape == (0, 2) and whole.owners.shape == (0,)
        assert whole.polygons == [] and whole.fractures == [] and whole.faint == []
        assert whole.img.dtype == np.uint8 and whole.img.ndim == 2 and max(whole.img.shape) == 128


def test_every_broken_image_is_marked_on_bone_inside_the_image(pairs):
    for _, broken in pairs:
        height, width = broken.img.shape
        assert 1 <= len(broken.fractures) <= 3
        assert sorted(set(broken.owners.tolist())) == list(range(len(broken.fractures)))
        for x, y in broken.points:
            assert 3 < x < width - 3 and 3 < y < height - 3
            assert broken.bone_mask[int(y), int(x)]


def test_points_lie_in_or_by_the_extent_of_their_fracture(pairs):
    far = []
    for _, broken in pairs:
        for point, owner in zip(broken.points, broken.owners, strict=True):
            outline = broken.polygons[owner].astype(np.float32)
            far.append(-cv2.pointPolygonTest(outline, point.tolist(), True))
    assert np.mean(np.array(far) <= 0) > .75
    assert max(far) < 12


def test_a_fracture_changes_the_image_where_it_is_and_hardly_elsewhere(pairs):
    near, distant = [], []
    for whole, broken in pairs:
        change = np.abs(whole.img.astype(float) - broken.img)
        y, x = np.mgrid[:change.shape[0], :change.shape[1]] + .5
        distance = np.min([np.hypot(x - px, y - py) for px, py in broken.points], axis=0)
        near.append(change[distance < 4].mean())
        distant.append(change[distance > 45].mean())
    assert np.median(near) > 8
    assert np.median(distant) < 1.5


def test_fractures_change_no_look_alike(pairs):
    kinds = set()
    for whole, broken in pairs:
        assert whole.lookalikes == broken.lookalikes
        kinds |= set(whole.lookalikes)
    assert {'vessel_groove', 'skin_fold', 'gas_edge', 'growth_plate', 'plate_and_screws'} <= kinds


def test_half_of_the_seeds_are_negative(small):
    assert 90 <= sum(made.has_fracture for made in small) <= 150  # four standard deviations are 31


def test_the_same_seed_gives_the_same_image_in_a_process_without_the_training_stack():
    # On this machine: on another processor an exponential differs in its last bit, so may a pixel.
    here = digest(generate_radiograph(11, 96))
    code = ('import hashlib, sys; from mmwindow.synthetic import generate_radiograph as g; '
            'm = g(11, 96); '
            'print(hashlib.sha256(m.img.tobytes() + m.points.tobytes()).hexdigest(), '
            '*{"torch", "mmengine", "matplotlib"} & set(sys.modules))')
    there = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True,
                           cwd=Path(synthetic.__file__).parents[2])
    assert there.stdout.split() == [here]
    assert digest(generate_radiograph(11, 96)) == here


def test_seeds_are_independent(small):
    assert len({digest(made) for made in small}) == len(small)


def test_grey_values_look_like_radiographs(pairs):
    # Measured once on seeds 0 to 39 with numpy 2.4 and OpenCV 5.0; wide enough for others.
    means = np.array([whole.img.mean() for whole, _ in pairs])
    spreads = np.array([whole.img.std() for whole, _ in pairs])
    on_bone = np.array([whole.img[whole.bone_mask].mean() for whole, _ in pairs])
    assert means.mean() == pytest.approx(91.8, abs=6)
    assert spreads.mean() == pytest.approx(66.7, abs=5)
    assert on_bone.mean() == pytest.approx(134.6, abs=6)
    assert (on_bone > means + 15).all()


def test_thumbnails_do_not_give_the_label_away(small):
    linear_model = pytest.importorskip('sklearn.linear_model')
    from sklearn.metrics import roc_auc_score
    thumbs, labels = [], []
    for made in small:
        square = np.zeros((64, 64), np.uint8)
        square[:made.img.shape[0], :made.img.shape[1]] = made.img
        thumbs.append(cv2.resize(square, (16, 16), interpolation=cv2.INTER_AREA).ravel() / 255)
        labels.append(made.has_fracture)
    model = linear_model.LogisticRegression(C=.1, max_iter=500).fit(thumbs[:150], labels[:150])
    scores = model.decision_function(thumbs[150:])
    assert .37 <= roc_auc_score(labels[150:], scores) <= .63  # 90 images: one sigma is 0.061


@pytest.mark.parametrize('arguments', [dict(seed=-1), dict(seed=1, side=32),
                                       dict(seed=1, patient=-2)])
def test_impossible_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match='expected seeds >= 0 and a side >= 64'):
        generate_radiograph(**arguments)


def test_plan_balances_the_splits_and_never_divides_a_patient():
    plan = plan_images(0, dict(train=480, val=81, test=160))
    assert [sum(e.split == s for e in plan) for s in ('train', 'val', 'test')] == [480, 81, 160]
    assert [sum(e.has_fracture for e in plan if e.split == s)
            for s in ('train', 'val', 'test')] == [240, 40, 80]
    assert [entry.id for entry in plan] == list(range(1, 722))
    assert len({entry.seed for entry in plan}) == 721
    split_of = {}
    for entry in plan:
        assert split_of.setdefault(entry.group, entry.split) == entry.split
        assert split_of.setdefault(entry.patient, entry.group) == entry.group
    assert len({entry.group for entry in plan}) == 721 - 20 - 3 - 6


def test_plans_of_different_seeds_share_no_image():
    counts = dict(train=20, val=5, test=5)
    first, second = ({e.seed for e in plan_images(seed, counts)} for seed in (0, 1))
    assert not first & second


def test_files_follow_the_format(folder):
    seen, annotations = [], []
    for split, count in (('train', 14), ('val', 4), ('test', 6)):
        content = read(folder, split)
        assert content['categories'] == [dict(id=1, name='fracture')]
        assert content['info']['side'] == 128 and content['info']['split'] == split
        assert len(content['images']) == count
        owners = {a['image_id'] for a in content['annotations']}
        assert len(owners) == count // 2  # normals have no annotation
        assert owners <= {image['id'] for image in content['images']}
        seen += content['images']
        annotations += content['annotations']
        assert [a['id'] for a in content['annotations']] == list(
            range(1, len(content['annotations']) + 1))
    assert sorted(image['id'] for image in seen) == list(range(1, 25))
    for image in seen:
        img = cv2.imread(str(folder / 'images' / image['file_name']), cv2.IMREAD_UNCHANGED)
        assert img.shape == (image['height'], image['width']) and img.dtype == np.uint8
    sizes = {image['id']: (image['width'], image['height']) for image in seen}
    for record in annotations:
        x, y, flag = record['keypoints']
        width, height = sizes[record['image_id']]
        assert 0 < x < width and 0 < y < height and flag == 2
        assert record['num_keypoints'] == 1 and record['category_id'] == 1
        left, top, wide, high = record['bbox']
        corners = np.array(record['segmentation'][0]).reshape(-1, 2)
        assert corners.min(0) == pytest.approx((left, top), abs=.02)
        assert corners.max(0) == pytest.approx((left + wide, top + high), abs=.02)
        assert 0 <= left and left + wide <= width + .01 and top + high <= height + .01


def test_files_are_what_the_seeds_say(folder):
    content = read(folder, 'test')
    for image in content['images'][:3]:
        points = [a['keypoints'][:2] for a in content['annotations']
                  if a['image_id'] == image['id']]
        made = generate_radiograph(image['seed'], 128, bool(points), image['patient'])
        img = cv2.imread(str(folder / 'images' / image['file_name']), cv2.IMREAD_UNCHANGED)
        assert (img == made.img).all()
        assert np.array(points).reshape(-1, 2) == pytest.approx(made.points, abs=.006)


def test_two_processes_write_the_same_files(folder, tmp_path):
    other = write_dataset(tmp_path / 'set', **{**SETTINGS, 'workers': 2})
    for path in sorted(p for p in folder.rglob('*') if p.is_file()):
        assert (other / path.relative_to(folder)).read_bytes() == path.read_bytes()
    assert not (tmp_path / 'set.part').exists()


def test_a_finished_folder_is_used_as_it_is(folder, capsys):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob('*')}
    assert write_dataset(folder, **{**SETTINGS, 'progress': True}) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob('*')} == before
    assert 'used as it is' in capsys.readouterr().out


def test_other_settings_are_refused(folder):
    with pytest.raises(ValueError, match='delete the folder or name another one'):
        write_dataset(folder, **{**SETTINGS, 'seed': 4})


def test_an_unfinished_folder_is_made_anew(tmp_path, capsys):
    settings = dict(seed=1, num_train=2, num_val=1, num_test=1, side=64)
    (tmp_path / 'set.part' / 'images').mkdir(parents=True)
    (tmp_path / 'set.part' / 'images' / '000001.png').write_bytes(b'half')
    (tmp_path / 'set').mkdir()  # empty: nothing of anybody's
    folder = write_dataset(tmp_path / 'set', **settings)
    assert sorted(path.name for path in folder.iterdir()) == ['annotations', 'images',
                                                              'settings.json']
    assert cv2.imread(str(folder / 'images' / '000001.png')) is not None
    assert not (tmp_path / 'set.part').exists()
    assert '4 of 4 radiographs' in capsys.readouterr().err


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / 'thesis.docx').write_text('mine')
    with pytest.raises(ValueError, match='thesis.docx'):
        write_dataset(tmp_path, **SETTINGS)
    assert (tmp_path / 'thesis.docx').read_text() == 'mine'


def test_an_empty_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match='at least one image in every split'):
        write_dataset(tmp_path / 'set', **{**SETTINGS, 'num_val': 0})


def test_contact_sheet(tmp_path):
    path = contact_sheet(tmp_path / 'new' / 'sheet.png', 5, rows=2, columns=3, side=64)
    sheet = cv2.imread(str(path))
    assert sheet.shape == (128, 192, 3)
    first = generate_radiograph(5, 64).img
    assert (sheet[:first.shape[0], :first.shape[1], 0] == first).all()
