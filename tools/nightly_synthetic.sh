#!/usr/bin/env bash
# The eight systems of the paper's Table 1 and WL+ on the embedded synthetic radiographs, CPU-sized, and
# their tables and figures: what runs every night. The same command after a cut resumes.
#
#   tools/nightly_synthetic.sh [OUT]     OUT: default work_dirs/nightly_synthetic
#
# Variables (optional): MMWINDOW_SYNTHETIC, the data set's folder (written if need be); MMWINDOW_STACK
# and MMWINDOW_VENV as in tools/setup.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-work_dirs/nightly_synthetic}
tools/setup.sh
venv=.venv
if [ "${MMWINDOW_STACK:-openmmlab}" = onedl ]; then venv=.venv-onedl; fi
python="${MMWINDOW_VENV:-$venv}/bin/python -W ignore"

$python tools/make_synthetic.py "${MMWINDOW_SYNTHETIC:-data/synthetic}"
# In the order of Table 1. Three epochs, validated at their end: less than half an hour for all on two
# slow cores.
$python tools/run_folds.py configs/{chexnet/chexnet,wspl/wspl,ufdet/ufdet}_lite0_synthetic.py \
  configs/{faster_rcnn/faster_rcnn,retinanet/retinanet,fcos/fcos}_lite0_fpn_synthetic.py \
  configs/windowloss/{wl_mse,wl_kld,wl_plus}_lite0_fpn_synthetic.py --out "$out/runs" \
  --cfg-options train_cfg.max_epochs=3 train_cfg.val_interval=3
$python tools/make_tables.py "$out/runs" --out "$out/tables" --results "$out/results"
printf 'nightly_synthetic: done in %d min\n' $(((SECONDS + 30) / 60))
