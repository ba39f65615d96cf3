#!/usr/bin/env python
"""Build a wheel of mmcv (or onedl-mmcv) with its compiled CPU or CUDA ops, quickly.

mmcv compiles 77 small C++ files, and each of them spends about 20 s on reading
torch's headers and next to nothing on its own lines. Reading the headers once
for many files cuts a CPU build from 13 minutes to 4 on two slow cores. So
the files are gathered into a few larger ones before compiling ("unity build");
not a line of them is changed. Files that cannot stand together (they define the
same helper or a macro called ``max``) are compiled alone. Should a gathered
build fail, the untouched sources are compiled instead.

The finished wheel is moved into its cache folder in one step, so an interrupted
build leaves nothing that a later run would take for whole.

    python tools/build_mmcv_wheel.py mmcv==2.1.0 --wheel-dir ~/.cache/mmwindow/wheels/KEY
"""
import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

# CPU kernels that define helpers of the same name (PreCalc, add,
# bilinear_interpolate_gradient), or macros called `min` and `max`.
COMPILE_ALONE = {
    'mmcv/ops/csrc/pytorch': {'pybind.cpp'},
    'mmcv/ops/csrc/pytorch/cpu': {
        'psamask.cpp', 'roi_align.cpp', 'roi_align_rotated.cpp', 'rotated_feature_align.cpp'},
}


def gather_sources(folder, alone, num_files):
    """Replace the ``*.cpp`` of ``folder`` by ``num_files`` files that include them."""
    sources = sorted(path for path in folder.glob('*.cpp') if path.name not in alone)
    for part in range(num_files):
        lines = ['#include <torch/extension.h>', '#include <torch/types.h>']
        for path in sources[part::num_files]:
            path.rename(path.with_suffix('.cpp.inc'))
            lines.append(f'#include "{path.name}.inc"')
        (folder / f'gathered_{part}.cpp').write_text('\n'.join(lines) + '\n')


def download_source(requirement, folder):
    """Fetch and unpack the source distribution; return the folder it unpacks to."""
    subprocess.run([sys.executable, '-m', 'pip', 'download', '--quiet', '--no-deps', '--no-binary',
                    ':all:', '--no-build-isolation', '--dest', str(folder), requirement], check=True)
    archives = list(folder.glob('*.tar.gz'))
    if len(archives) != 1:
        raise SystemExit(f'{requirement}: expected one source archive, the index gave {archives}')
    with tarfile.open(archives[0]) as archive:
        archive.extractall(folder / 'source', filter='data')
    return next((folder / 'source').iterdir())


def build_wheel(source, folder, log):
    """Compile; return the wheel's path, or None where compiling failed."""
    env = dict(os.environ, MMCV_WITH_OPS='1')
    env.setdefault('MAX_JOBS', str(len(os.sched_getaffinity(0))))
    # -g0: the debug information that Python's own flags ask for is never read here.
    env['CFLAGS'] = env.get('CFLAGS', '') + ' -O2 -g0 -w'
    with open(log, 'ab') as stream:
        process = subprocess.Popen(
            [sys.executable, '-m', 'pip', 'wheel', '-v', '--no-deps', '--no-build-isolation',
             '--wheel-dir', str(folder), str(source)], env=env, stdout=stream, stderr=stream)
        started = time.time()
        while process.poll() is None:
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                done = len(list(source.glob('build/temp*/**/*.o')))
                total = len(list(source.glob('mmcv/ops/csrc/pytorch/*.cpp'))) + len(
                    list(source.glob('mmcv/ops/csrc/pytorch/cpu/*.cpp')))
                print(f'  compiled {done} of {total} files, {time.time() - started:.0f} s',
                      flush=True)
    wheels = list(folder.glob('*.whl'))
    return wheels[0] if process.returncode == 0 and wheels else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('requirement', help='for example mmcv==2.1.0')
    parser.add_argument('--wheel-dir', type=Path, required=True, help='where the wheel is put')
    parser.add_argument('--plain', action='store_true', help='compile the sources as they come')
    args = parser.parse_args()
    args.wheel_dir.mkdir(parents=True, exist_ok=True)
    log = args.wheel_dir / 'build.log'
    log.write_bytes(b'')
    with tempfile.TemporaryDirectory(prefix='mmwindow-mmcv-') as temporary:
        for attempt in ('plain',) if args.plain else ('gathered', 'plain'):
            folder = Path(temporary) / attempt
            folder.mkdir()
            source = download_source(args.requirement, folder)
            if attempt == 'gathered':
                for name, alone in COMPILE_ALONE.items():
                    gather_sources(source / name, alone, 1)
            print(f'Compiling {args.requirement} ({attempt} sources; all output in {log})',
                  flush=True)
            wheel = build_wheel(source, folder, log)
            if wheel is not None:
                part = args.wheel_dir / f'.{wheel.name}.{os.getpid()}.part'
                shutil.copyfile(wheel, part)
                os.replace(part, args.wheel_dir / wheel.name)
                print(f'Built {args.wheel_dir / wheel.name}')
                return
            print(f'The build of the {attempt} sources failed; see {log}', flush=True)
    raise SystemExit(f'{args.requirement} could not be compiled. A C++ compiler with C++20 is '
                     f'needed (Debian: apt-get install g++). The compiler said, at the end of '
                     f'{log}:\n' + ''.join(log.read_text(errors="replace").splitlines(True)[-15:]))


if __name__ == '__main__':
    main()
