"""Checkpoints, configs, files of runs and command lines."""
import ast
import contextlib
import io
import json
import math
import pickle
import random
import re
import zipfile
from pathlib import Path
from typing import Any

from fuzzing.byte_mutators import mutate_bytes
from fuzzing.harness import Case, Reader, Seed, SkipComparison
from fuzzing.json_mutators import NAMES, mutate_json
from fuzzing.pickle_mutators import mutate_pickle
from fuzzing.readers_annotations import finite, mutate_named
from fuzzing.readers_predictions import IMAGES, POINTS, box_rows
from fuzzing.text_mutators import mutate_tokens
from fuzzing.zip_mutators import mutate_zip


def checkpoint_seeds() -> list[Seed]:
    """Return checkpoints as mmengine writes them, in torch's format and in the one before."""
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

    content = dict(
        meta=dict(epoch=3, iter=30, cfg='a = 1\n', seed=0, dataset_meta=dict(CLASSES=('fracture', ))),
        state_dict={'backbone.weight': torch.arange(12.).reshape(3, 4), 'head.bias': torch.zeros(2),
                    'bn.num_batches_tracked': torch.tensor(7)},
        message_hub=dict(log_scalars={'train/loss': HistoryBuffer([1., .5], [1, 1])},
                         runtime_info={'best_score': .5, 'epoch': np.int64(3)}, resumed_keys={}),
        optimizer=dict(state={0: dict(exp_avg=torch.ones(3, 4))}, param_groups=[dict(lr=.1)]))
    seeds = []
    for is_zip in (True, False):
        stream = io.BytesIO()
        torch.save(content, stream, _use_new_zipfile_serialization=is_zip)
        seeds.append(Seed({'epoch_3.pth': stream.getvalue()}, 'epoch_3.pth'))
    return seeds


def mutate_checkpoint(name: str, data: bytes, rng: random.Random) -> bytes:
    """Return a mutated checkpoint: its archive, the pickle in it, or bytes."""
    def mutate_member(member: str, content: bytes, rng: random.Random) -> bytes:
        if member.endswith('data.pkl') and content:
            from fuzzing.pickle_mutators import mutate_opcodes
            return mutate_opcodes(content, rng)
        return mutate_bytes(content or b'\0', rng)

    if rng.random() < .05:
        return rng.choice([b'', b'PK', b'\x80\x02', b'a text\n' * 20, b'PK\3\4',
                           b'PK\5\6' + bytes(18), pickle.dumps({}, 2),
                           pickle.dumps('a', 2), pickle.dumps(3, 4),
                           mutate_pickle(pickle.dumps({'state_dict': {}}, 2), rng)])
    if data[:2] == b'PK' and rng.random() < .8:
        return mutate_zip(data, rng, mutate_member)
    return mutate_bytes(data, rng)


def read_checkpoint(case: Case) -> Any:
    """Check and load a checkpoint as testing and resuming do."""
    from mmwindow.engine.checkpoint import check_checkpoint, load_own_checkpoint

    check_checkpoint(case.path)
    content = load_own_checkpoint(case.path)
    state = content['state_dict'] if isinstance(content,
                                                dict) and 'state_dict' in content else content
    return {str(key): value.tolist() for key, value in state.items() if hasattr(value, 'tolist')}


class Storages(pickle.Unpickler):
    """Rebuild the tensors of an archive of torch by numpy; any other class is left empty."""

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(archive.read(f'{root}/data.pkl')))
        self.archive, self.root = archive, root

    def find_class(self, module: str, name: str) -> Any:
        """Return functions of our own."""
        if name == '_rebuild_tensor_v2':
            return build
        if module == 'collections' and name == 'OrderedDict':
            return dict
        if module == 'torch':
            return name
        return Empty

    def persistent_load(self, key: Any) -> Any:
        """Return the numbers of a storage."""
        import numpy as np

        dtype = np.dtype(dict(FloatStorage='<f4', LongStorage='<i8', DoubleStorage='<f8',
                              IntStorage='<i4')[key[1]])
        data = self.archive.read(f'{self.root}/data/{key[2]}')
        return np.frombuffer(data[:len(data) // dtype.itemsize * dtype.itemsize], dtype)


class Empty:
    """Of a class that does not matter here."""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def build(storage: Any, offset: int, shape: Any, stride: Any, *_: Any) -> Any:
    """Return a tensor as an array."""
    import numpy as np

    if not len(shape):
        return storage[offset]
    size = storage.itemsize
    if math.prod(shape) and offset + sum((side - 1) * step for side, step in zip(shape, stride,
                                                            strict=True)) >= len(storage):
        raise TypeError('beyond the storage')
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, [step * size for step in stride])


def reread_checkpoint(case: Case) -> Any:
    """Read the weights of a checkpoint by numpy; damage in any member of the archive counts."""
    if not zipfile.is_zipfile(case.path):
        raise SkipComparison('the format before torch 1.6')
    with zipfile.ZipFile(case.path) as archive:
        if archive.testzip() is not None:
            raise TypeError('a member is damaged')
        root = next(name
                    for name in archive.namelist() if name.endswith('data.pkl')).rpartition('/')[0]
        try:
            content = Storages(archive, root).load()
        except pickle.UnpicklingError as error:  # torch's reader takes what C's does not
            raise SkipComparison(str(error)) from error
    state = content['state_dict'] if 'state_dict' in content else content
    return {str(key): value.tolist() for key, value in state.items() if hasattr(value, 'tolist')}


CONFIG = """a = 1
b = dict(c=[1, 2, 'three'], d=(4, 5.5), e=None)
_base_ = './base.py'
model = dict(type='FCOS', head=dict(num_classes=1, name="x"))
"""
BASE = """model = dict(type='A', depth=18, head=dict(num_classes=2))
val = [dict(type='B'), dict(type='C')]
"""
BASES = ("'./missing.py'", "'./config.py'", "['./base.py', './config.py']", "'.'", "'/'", "''",
         "'./base'", '3', 'None', '[]', '[[]]', "'base.json'",
         "'\\0'", "'" + 'x' * 5000 + "'", "['./base.py', './base.py']", "'mmwindow::missing.py'",
         "'mmwindow::'", "'::'", "'a::b::c'",
         "'mmdet::../x.py'", '{}', "'./base.py' './base.py'", "('./base.py',)", "'./loop.py'",
         'dict()', "'~/x.py'", "'$HOME/x.py'", "b'base.py'")


def config_seeds() -> list[Seed]:
    """Return configs of literals, which inherit another; a third inherits the first."""
    loop = b"_base_ = './config.py'\n"
    return [Seed({'config.py': CONFIG.encode(), 'base.py': BASE.encode(), 'loop.py': loop},
                 'config.py')]


def mutate_config(name: str, data: bytes, rng: random.Random) -> bytes:
    """Return a mutated config; no mutation writes a name that does harm."""
    if name.endswith('.json'):
        return mutate_json(data, rng)
    if rng.random() < .25:
        return data.replace(b"'./base.py'",
                            rng.choice(BASES).encode()) if b'_base_' in data else data + (
            b'_base_ = ' + rng.choice(BASES).encode() + b'\n')
    return mutate_tokens(data, rng)


def literals(path: Path, depth: int = 0) -> dict[str, Any]:
    """Return the variables of a config of literals and of what it inherits, merged."""
    found: dict[str, Any] = {}
    content = path.read_bytes()
    if b'{{' in content:
        raise SkipComparison('variables of mmengine')  # {{ fileDirname }}, {{ _base_.name }}
    tree = ast.parse(content)
    values: dict[str, Any] = {}
    for statement in tree.body:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1 or not isinstance(
                statement.targets[0], ast.Name):
            raise SkipComparison('more than assignments')
        values[statement.targets[0].id] = literal(statement.value)
    bases = values.pop('_base_', [])
    for base in [bases] if isinstance(bases, str) else bases:
        if depth > 5 or not (path.parent / base).is_file():
            raise TypeError(f'the base {base!r} is missing, or its own')
        if '::' in base:
            raise SkipComparison('a base of a package')
        for key, value in literals(path.parent / base, depth + 1).items():
            if key in found:
                raise TypeError('a key in two bases')
            found[key] = value
    for key, value in values.items():
        found[key] = merge(found.get(key), value)
    return {key: value for key, value in found.items() if not key.startswith('__')}


def literal(node: ast.expr) -> Any:
    """Return the value of a literal, ``dict(...)`` included."""
    is_dict = isinstance(node, ast.Call) and getattr(node.func, 'id', '') == 'dict'
    if isinstance(node, ast.Call) and is_dict and not node.args:
        return {str(word.arg): literal(word.value) for word in node.keywords}
    if isinstance(node, ast.List | ast.Tuple):
        values = [literal(entry) for entry in node.elts]
        return values if isinstance(node, ast.List) else tuple(values)
    if isinstance(node, ast.Dict) and all(node.keys):
        return {ast.literal_eval(key): literal(value) for key, value in zip(node.keys, node.values,
                                                            strict=True) if key}
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise SkipComparison('no literal') from error


def merge(base: Any, value: Any) -> Any:
    """Return a value merged into that of a base."""
    if not isinstance(value, dict):
        return value
    value = dict(value)
    deletes = value.pop('_delete_', False)
    if deletes or not isinstance(base, dict):
        return {key: merge(None, entry) for key, entry in value.items()}
    return {**base, **{key: merge(base.get(key), entry) for key, entry in value.items()}}


def read_config(case: Case) -> Any:
    """Load a config as training does."""
    from mmwindow.apis.config import load_config

    cfg = load_config(case.path).to_dict()
    return {key: value for key, value in cfg.items() if key not in ('work_dir', 'launcher')}


def reread_config(case: Case) -> Any:
    """Return the variables that a config's literals say."""
    if case.path.suffix == '.json':
        content = json.loads(case.path.read_bytes())
        if not isinstance(content, dict):
            raise TypeError('no object')
        raise SkipComparison('JSON')
    found = literals(case.path)
    if any(key in found for key in ('input_size', 'window', 'bit_depth', 'data_root')):
        raise SkipComparison('a setting that is applied')
    return found


def run_seeds() -> list[Seed]:
    """Return folders of two finished runs, folds of one system."""
    import tempfile

    from mmwindow.evaluation import Target, evaluate

    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for fold in (0, 1):
            numbers = range(fold * 12, fold * 12 + 12)
            targets = [Target(number, 80, 100, points=[[20.,
                                                        30.]] * (number % 2)) for number in numbers]
            boxes = [dict(image_id=number, boxes=[[10., 20., 30., 40.]],
                          scores=[.3 + .5 * (number % 2) - number * .01])
                     for number in numbers]
            from mmwindow.evaluation.files.predictions import Prediction
            path = Path(folder) / 'test.json'
            evaluate([Prediction(**entry) for entry in boxes], targets).write(path)
            state = dict(system='wl_kld', fold=fold, seed=0, config='configs/x/wl_kld.py',
                         divergence='kld',
                         window=dict(lower_radius=50, upper_radius=200, softness=2),
                         is_ablation=False, command='run it',
                         mark='m', settings_mark='s', machine='x86_64', versions=dict(torch='2'),
                         trained=True,
                         training_seconds=3.5, records=dict(test='test.json'))
            files[f'runs/fold{fold}/run.json'] = json.dumps(state).encode()
            files[f'runs/fold{fold}/result.json'] = json.dumps(state).encode()
            files[f'runs/fold{fold}/test.json'] = path.read_bytes()
    return [Seed(files, 'runs')]


def read_runs(case: Case) -> Any:
    """Read the systems of run folders, as tables are made of them."""
    from mmwindow.experiments.results import load_systems

    systems = load_systems([case.path])
    return {name: {str(fold): [len(events), sum(event.is_positive for event in events)]
                   for fold, events in system.events.items()} for name, system in systems.items()}


def reread_runs(case: Case) -> Any:
    """Return systems and folds that result files name."""
    found: dict[str, Any] = {}
    for path in sorted(case.path.glob('*/result.json')):
        result = json.loads(path.read_bytes().decode('utf-8-sig'))
        state = json.loads((path.parent / 'run.json').read_bytes().decode('utf-8-sig'))
        if not any(isinstance(content, dict) and entry in content for content, entry in (
                (state, 'system'), (result, 'records'))):
            continue
        place = path.parent / result['records']['test']
        record = json.loads(place.read_bytes().decode('utf-8-sig'))
        images = record['classes'][0]['images']
        found.setdefault(result['system'], {})[str(result['fold'])] = [
            len(images), sum(image['is_positive'] for image in images)]
    return found


def run_file_seeds() -> list[Seed]:
    """Return ``run.json`` of a work dir, and the checkpoint it names."""
    import tempfile

    from mmwindow.engine.run_file import BestCheckpoint, TrainingRun, write_run

    with tempfile.TemporaryDirectory() as folder:
        write_run(folder, TrainingRun(
            config='configs/a.py', seed=0, mark='m', training_code='c', classes=('fracture', ),
            input_size=(64, 96),
            data=dict(train='0'), versions=dict(torch='2'), machine='x86', epoch=3, seconds=9.5,
            best=BestCheckpoint('best_a.pth', 'froc/auroc', .5, 2, {'froc/auroc': .5})))
        content = (Path(folder) / 'run.json').read_bytes()
    checkpoint = checkpoint_seeds()[0].files['epoch_3.pth']
    return [Seed({'work/run.json': content, 'work/best_a.pth': checkpoint,
                  'work/best_b.pth': checkpoint}, 'work')]


def read_run_file(case: Case) -> Any:
    """Read what is known of a training, its seconds and its best checkpoint."""
    from mmwindow.engine.checkpoint import find_best_checkpoint
    from mmwindow.engine.run_file import read_run, read_training_seconds

    run = read_run(case.path)
    if run is None:
        raise TypeError('there is a run.json')
    return dict(seconds=float(read_training_seconds(case.path)),
                best=find_best_checkpoint(case.path).name, epoch=run.epoch,
                classes=list(run.classes),
                size=None if run.input_size is None else list(run.input_size))


def reread_run_file(case: Case) -> Any:
    """Read the same by the standard library."""
    content = json.loads((case.path / 'run.json').read_bytes().decode('utf-8-sig'))
    best = content.get('best') or {}
    name = best.get('checkpoint', '')
    seconds, = finite([content.get('seconds') or 0.])
    size = content.get('input_size')
    return dict(seconds=seconds, best=name if name and (case.path / name).is_file() else 'best_a.pth',
                epoch=content.get('epoch') or 0, classes=list(content.get('classes') or ()),
                size=None if not size else list(size))


ARGUMENTS = ('--points-from', '--classes', '--image-ids', '--name', '--rule', '--hit-radius',
             '--max-overlap', '--min-iou', '--budgets',
             '--convention', '--denominator', '--map-extent', '--missing', '--intervals', '--seed',
             '--statistics', '--by', '--compare',
             '--operating-point', '--choose', '--choose-target', '--nothing', '-x', '--out')
VALUES = ('0', '1', '-1', '.5', '1e-300', '1e308', '1e400', 'nan', 'inf', '-inf', '100', '99',
          '2000000000', '99999999999999999999', '1,2,3', '.1,.1',
          ',', '', ' ', 'paper', 'luna16', 'auto', 'keypoints', 'bbox', 'polygon', 'distance',
          'box_iou', 'centre_in_box', 'disk_overlap',
          'empty', 'refuse', 'normals', 'all', 'image', 'frame', 'first_crossing', 'best',
          'interpolated', 'group', 'body_part', 'file_name', 'age',
          'sensitivity', 'specificity', 'fp_budget', 'youden', 'fracture', 'a,b', 'record.json',
          'boxes.json', 'points.json', 'missing.json', '.',
          '/dev/null', '/proc/self/mem', '1' * 400, '٣', '0x10', '1_0', '--', '-', '{}')


def argument_seeds() -> list[Seed]:
    """Return a command line with its files."""
    return [Seed({'boxes.json': json.dumps(box_rows()).encode(), 'points.json': POINTS,
                  'arguments': b''}, 'arguments')]


def mutate_arguments(name: str, data: bytes, rng: random.Random) -> bytes:
    """Return options with values of any kind, as JSON."""
    arguments: list[str] = []
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        arguments.append(rng.choice(ARGUMENTS))
        if rng.random() < .9:
            arguments.append(rng.choice(VALUES if rng.random() < .8 else [entry
                                                            for entry in NAMES if '\0' not in entry]))
    return json.dumps(arguments).encode()


def read_arguments(case: Case) -> Any:
    """Run ``tools/evaluate.py`` in this process; its one line is the error."""
    from mmwindow.apis import evaluate_files
    from mmwindow.apis.commands import evaluate
    from mmwindow.utils.command_line import run_command

    evaluate_files.find_spec = lambda name: None  # no figures: they take a second
    out, errors = io.StringIO(), io.StringIO()
    arguments = json.loads(case.path.read_bytes() or b'[]')
    folder = contextlib.chdir(case.path.parent)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors), folder:
            run_command(evaluate, 'tools/evaluate.py', [
                'boxes.json', 'points.json', '--out', 'results', '--missing', 'empty', *arguments])
    except SystemExit as error:
        lines = [line for line in errors.getvalue().splitlines()
                 if not re.match(r'.*\d+ of \d+ images|evaluate: no figures', line)]
        if error.code == 2:  # argparse shows how the tool is called before its line
            lines = lines[-1:]
        if error.code not in (1, 2):
            raise TypeError(f'status {error.code}') from error
        raise ValueError('arguments: ' + '\n'.join(line.rpartition('\r')[2]
                                                   for line in lines)) from error
    record = json.loads(next(case.path.parent.rglob('record.json')).read_text())
    return {key: value for key, value in record['metrics'].items() if key == 'auroc'}


def reread_arguments(case: Case) -> Any:
    """Return the AUROC of images, which no option but the labels' source changes."""
    if case.options.get('any') or not IMAGES:
        raise SkipComparison('')
    from fuzzing.readers_predictions import image_auroc, reread_boxes
    rows = reread_boxes(Case(case.path.parent / 'boxes.json', {}))['images']
    return dict(auroc=image_auroc(rows))


READERS = (
    Reader('checkpoint', checkpoint_seeds, mutate_checkpoint, read_checkpoint, reread_checkpoint),
    Reader('config', config_seeds, mutate_config, read_config, reread_config, names=('base.py',
                                                            'loop.py')),
    Reader('runs', run_seeds, mutate_named, read_runs, reread_runs, names=('runs', 'wl_kld')),
    Reader('run-file', run_file_seeds, mutate_named, read_run_file, reread_run_file,
           mutated=('work/run.json', ),
           names=('run.json', 'best_')),
    Reader('arguments', argument_seeds, mutate_arguments, read_arguments, reread_arguments,
           mutated=('arguments', ), tolerance=1e-9, share=.1))
