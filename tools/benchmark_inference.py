#!/usr/bin/env python
"""What a prediction costs in torch, in ONNX Runtime and with 8-bit weights, side by side in one run.

Timed is the network alone, from frames to maps and image scores, one image at a time: reading and
findings are the same functions in both. Weights are random, which does not matter to speed; 8-bit
weights are calibrated on synthetic radiographs. CPU time is that of the process, all threads of it;
calls take turns, and the median of some repeats (a third as many for ResNet-50) is printed. Images
per second are what the threads would do at that CPU time, each on a core of its own. Starts are timed
in fresh processes, CPU time, too.

    python tools/benchmark_inference.py --out results/inference.json
"""
import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault('OMP_WAIT_POLICY', 'passive')  # waiting threads would count as work

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
import torch  # noqa: E402
from mmdet.registry import MODELS  # noqa: E402
from mmengine.registry import init_default_scope  # noqa: E402

from mmwindow.apis.config import load_config  # noqa: E402
from mmwindow.apis.export import write_model  # noqa: E402
from mmwindow.apis.export_decoder import make_decoder_info  # noqa: E402
from mmwindow.apis.export_graph import make_graphs  # noqa: E402
from mmwindow.apis.int8_recipes import quantise  # noqa: E402
from mmwindow.runtime import ModelInfo, load_model  # noqa: E402
from mmwindow.runtime.model_info import Preprocessing  # noqa: E402
from mmwindow.synthetic.radiograph import generate_radiograph  # noqa: E402
from mmwindow.utils.command_line import one_line_errors  # noqa: E402
from mmwindow.utils.environment import describe_versions  # noqa: E402
from mmwindow.utils.files import load_json, write_json  # noqa: E402
from mmwindow.utils.markdown import markdown_table  # noqa: E402

CONFIGS = Path(__file__).parents[1] / 'configs' / 'windowloss'
CASES = (('wl_kld_lite0_fpn', 256), ('wl_kld_lite0_fpn', 384), ('wl_kld_r50_fpn', 512),
         ('wl_kld_r50_fpn', 1024))
LIBRARIES = 'import onnxruntime, numpy, cv2'
RUNTIME = f'{LIBRARIES}; import mmwindow.runtime'


def build(name: str, side: int) -> Any:
    """Return a detector of random weights."""
    weights = 'pretrained' if 'lite0' in name else 'init_cfg'
    options = {'input_size': side, f'model.backbone.{weights}': False if 'lite0' in name else None}
    cfg = load_config(CONFIGS / f'{name}.py', cfg_options=options)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    return MODELS.build(cfg.model).eval()


def torch_call(model: Any, pixels: np.ndarray, channels_last: bool) -> Callable[[], object]:
    """Return a call of the network in torch, as a test calls it."""
    images = torch.from_numpy(pixels).repeat(1, 3, 1, 1)
    head, preprocessor = model.bbox_head, model.data_preprocessor

    def call() -> object:
        with torch.no_grad():
            levels = (images.float() - preprocessor.mean) / preprocessor.std
            if channels_last:
                levels = levels.contiguous(memory_format=torch.channels_last)
            maps = head.score_maps(head(model.neck(model.backbone(levels))))
            return maps, maps.amax(dim=(2, 3))

    return call


def median_ms(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the median CPU time of each call, in ms; they take turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(repeats + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if repeat:  # the first one plans and fills caches
                times[name].append(1000 * (time.process_time() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def time_case(name: str, side: int, threads: int, repeats: int, folder: Path) -> dict[str, float]:
    """Return CPU ms an image of each way, for one network and input."""
    model = build(name, side)
    info = ModelInfo(name, ('finding', ), (side, side), Preprocessing(None, 10 ** 8),
                     make_decoder_info(model))
    plain, int8 = folder / 'model.onnx', folder / 'int8.onnx'
    write_model(plain, [graph.content for graph in make_graphs(model, (side, side))], info)
    quantise(plain, int8, info, [generate_radiograph(seed).img for seed in range(2)])
    pixels = np.random.default_rng(0).integers(0, 256, (1, 1, side, side)).astype(np.uint8)
    runtimes = {key: load_model(path, threads) for key, path in (('onnx', plain), ('int8', int8))}
    other = build(name, side).to(memory_format=torch.channels_last)
    calls = {'torch': torch_call(model, pixels, False),
             'torch channels_last': torch_call(other, pixels, True),
             **{key: lambda runtime=runtime: runtime.run_graph(0, dict(images=pixels))
                for key, runtime in runtimes.items()}}
    times = median_ms(calls, repeats)
    return {**times, 'MB': plain.stat().st_size / 1e6, 'MB int8': int8.stat().st_size / 1e6}


def start_seconds(code: str) -> float:
    """Return the CPU time of a fresh process."""
    before = os.times()
    subprocess.run([sys.executable, '-c', code], check=True)
    after = os.times()
    return (after.children_user + after.children_system
            - before.children_user - before.children_system)


def time_start(repeats: int) -> dict[str, float]:
    """Return the least CPU time of importing the libraries alone, and the runtime with them."""
    pairs = [(start_seconds(LIBRARIES), start_seconds(RUNTIME)) for _ in range(repeats)]
    libraries, runtime = (min(values) for values in zip(*pairs, strict=True))
    return dict(libraries=libraries, runtime=runtime, ratio=runtime / libraries)


def describe(result: dict[str, Any]) -> str:
    """Return the table of a result, and the time to start."""
    rows = []
    for case in result['cases']:
        plain, last, onnx, int8 = (case[key] for key in ('torch', 'torch channels_last', 'onnx',
                                                         'int8'))
        rows.append([f'{case["network"]}, {case["side"]}',
                     *(f'{time:.1f}' for time in (plain, last, onnx, int8)),
                     *(f'{1000 * result["threads"] / time:.1f}'
                       for time in (plain, last, onnx, int8)),
                     *(f'{time:.2f}' for time in (onnx / plain, onnx / last, int8 / plain)),
                     f'{case["MB"]:.1f}', f'{case["MB int8"]:.1f}'])
    table = markdown_table([
        ['network, input', 'torch, ms', 'channels_last, ms', 'ONNX, ms', '8 bits, ms',
         'torch, images/s', 'channels_last, images/s', 'ONNX, images/s', '8 bits, images/s',
         'ONNX / torch', 'ONNX / channels_last', '8 bits / torch', 'MB', '8 bits, MB'], *rows])
    start = result.get('start')
    return table if start is None else table + (
        f'\nStart: {1000 * start["libraries"]:.0f} ms of CPU time for onnxruntime, numpy and OpenCV, '
        f'{1000 * start["runtime"]:.0f} ms with mmwindow.runtime: {start["ratio"]:.2f} times.\n')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=9)
    parser.add_argument('--out', type=Path, help='JSON file for the result')
    parser.add_argument('--show', type=Path, help='print the table of such a file, and time nothing')
    args = parser.parse_args()
    if args.show:
        print(describe(load_json(args.show, 'result of a benchmark')))
        return
    torch.set_num_threads(args.threads)
    result: dict[str, Any] = dict(
        command=' '.join(['python', *sys.argv]), seed=0, threads=args.threads, repeats=args.repeats,
        load=os.getloadavg()[0], machine=platform.machine(), versions=dict(
            describe_versions(), onnxruntime=onnxruntime.__version__),
        start=time_start(args.repeats), cases=[])
    with tempfile.TemporaryDirectory() as folder:
        for name, side in CASES:
            repeats = args.repeats if 'lite0' in name else max(3, args.repeats // 3)
            times = time_case(name, side, args.threads, repeats, Path(folder))
            result['cases'].append(dict(network=name, side=side, **times))
            print(name, side, times, file=sys.stderr, flush=True)
            if args.out:  # what is done is kept
                write_json(args.out, result)
    print(describe(result))


if __name__ == '__main__':
    with one_line_errors('benchmark_inference'):
        main()
