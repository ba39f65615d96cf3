#!/usr/bin/env bash
# Make the virtual environment that everything runs in; safe to run again (a finished one is reused).
#
#   tools/setup.sh
#
# Variables (all optional):
#   MMWINDOW_STACK   openmmlab (default: mmengine, mmcv, mmdet) or onedl (their maintained forks)
#   MMWINDOW_DEVICE  cpu (default where nvidia-smi shows no GPU) or cuda
#   MMWINDOW_VENV    the environment's folder (default .venv, or .venv-onedl)
#   MMWINDOW_CACHE   compiled mmcv wheels are kept here (default ~/.cache/mmwindow)
#   MMWINDOW_LOCK    new: take the newest versions that requirements/ allow and write them down in
#                    requirements/locked/ (default: take those written there, where Python is 3.11)
#   PYTHON           the interpreter to start from (default python3.11, else python3)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
step() { printf '\n== [%3ds] %s\n' "$SECONDS" "$*"; }

stack=${MMWINDOW_STACK:-openmmlab}
case $stack in
  openmmlab) mmcv_name=mmcv;       venv=.venv ;;
  onedl)     mmcv_name=onedl-mmcv; venv=.venv-onedl ;;
  *) fail "MMWINDOW_STACK is '$stack'; it must be openmmlab or onedl" ;;
esac
venv=${MMWINDOW_VENV:-$venv}
if command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q GPU; then device=cuda; else device=cpu; fi
device=${MMWINDOW_DEVICE:-$device}
case $device in cpu|cuda) ;; *) fail "MMWINDOW_DEVICE is '$device'; it must be cpu or cuda" ;; esac
cache=${MMWINDOW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mmwindow}
base_python=${PYTHON:-$(command -v python3.11 || command -v python3 || true)}
[ -n "$base_python" ] || fail "no python3 found; install Python 3.11 (Debian: apt-get install python3 python3-venv)"

# A finished environment carries the fingerprint of all that it was made from.
fingerprint=$(cat requirements/*.txt requirements/locked/$stack.txt setup.py tools/setup.sh tools/build_mmcv_wheel.py | cksum | tr ' ' '-')-$stack-$device
if [ "$(cat "$venv/.mmwindow-ready" 2>/dev/null)" = "$fingerprint" ]; then
  echo "setup: $venv is ready (delete it to make it again)"
  exit 0
fi

command -v g++ >/dev/null || command -v c++ >/dev/null ||
  fail "no C++ compiler found; mmcv's operators are compiled here (Debian: apt-get install g++)"
"$base_python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' ||
  fail "$base_python is $("$base_python" -V 2>&1); Python 3.10 to 3.12 is needed (3.11 is tested): set PYTHON"

step "virtual environment $venv ($("$base_python" -V 2>&1), $stack, $device)"
rm -f "$venv/.mmwindow-ready"
[ -x "$venv/bin/python" ] || "$base_python" -m venv "$venv" ||
  fail "could not make $venv (Debian: apt-get install python3-venv)"
python=$PWD/$venv/bin/python
case $venv in /*) python=$venv/bin/python ;; esac
pip() { "$python" -m pip --disable-pip-version-check "$@"; }
pip install --quiet -r requirements/build.txt

step "torch"
torch=$(grep -o '^torch==[^ ]*' requirements/torch.txt)
if ! "$python" -W ignore -c "import torch, sys; sys.exit(torch.__version__.split('+')[0] != '${torch#torch==}')" 2>/dev/null; then
  source=()
  if [ "$device" = cpu ]; then
    # Ask what the index would give before taking it: a CUDA build names gigabytes of nvidia packages.
    pip install --quiet --dry-run --no-deps --ignore-installed --report "$venv/torch.json" "$torch"
    if grep -qiE '"(nvidia-|cuda-|triton)' "$venv/torch.json"; then
      source=(--index-url https://download.pytorch.org/whl/cpu)
    fi
  fi
  pip install "${source[@]}" "$torch"
fi
torch_version=$("$python" -W ignore -c 'import torch; print(torch.__version__)')
has_cuda=$("$python" -W ignore -c 'import torch; print(torch.version.cuda or "")')
if [ "$device" = cpu ] && [ -n "$has_cuda" ]; then fail "a CUDA build of torch ($torch_version) is in $venv though the CPU one was asked for; delete $venv, or set MMWINDOW_DEVICE=cuda"; fi
# No later requirement may exchange this torch for another build, and no version may come in that the
# tests have not run on.
locked=requirements/locked/$stack.txt
echo "torch==$torch_version" > "$venv/constraints.txt"
if [ "${MMWINDOW_LOCK:-}" != new ] && "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
  cat "$locked" >> "$venv/constraints.txt"
fi
constrained() { pip install --quiet --constraint "$venv/constraints.txt" "$@"; }

step "compiled operators of mmcv"
mmcv=$(grep -o "^$mmcv_name==[^ ]*" "requirements/$stack.txt")
tag=$("$python" -c 'import sys, platform; print(f"cp{sys.version_info[0]}{sys.version_info[1]}-{platform.machine()}")')
wheels=$cache/wheels/${mmcv/==/-}-torch$torch_version-$tag-$device
if ! compgen -G "$wheels/*.whl" >/dev/null; then
  echo "no wheel in $wheels yet: about 4 minutes on two cores, once"
  if [ "$device" = cuda ]; then export FORCE_CUDA=1; fi
  "$python" tools/build_mmcv_wheel.py "$mmcv" --wheel-dir "$wheels"
fi
constrained "$wheels"/*.whl

step "$stack stack, extras and test tools"
constrained -r "requirements/$stack.txt" -r requirements/core.txt -r requirements/train.txt \
  -r requirements/plots.txt -r requirements/dicom.txt -r requirements/export.txt -r requirements/reports.txt \
  -r requirements/cluster.txt -r requirements/tests.txt
# opencv-python needs a display library (libGL) that servers lack; its headless twin is the same cv2.
if ! "$python" -c 'import cv2' 2>/dev/null; then
  opencv=$("$python" -c 'import importlib.metadata as m; print(m.version("opencv-python"))')
  pip uninstall --quiet --yes opencv-python
  pip install --quiet --force-reinstall --no-deps "opencv-python-headless==$opencv"
fi
if [ "${MMWINDOW_LOCK:-}" = new ]; then
  { grep '^#' "$locked"
    pip freeze --exclude mmcv --exclude onedl-mmcv --exclude torch --exclude mmwindow | grep ==
  } > "$locked.$$.part" && mv "$locked.$$.part" "$locked"
fi

step "mmwindow"
pip install --quiet --no-build-isolation --no-deps --editable .
"$python" -W ignore -c 'import mmwindow, mmdet, mmcv.ops, torch; print(f"mmwindow {mmwindow.__version__}, mmdet {mmdet.__version__}, torch {torch.__version__}")'
echo "$fingerprint" > "$venv/.mmwindow-ready.$$.part" && mv "$venv/.mmwindow-ready.$$.part" "$venv/.mmwindow-ready"
printf '\nsetup: done in %d s; activate with: source %s/bin/activate\n' "$SECONDS" "$venv"
