#!/usr/bin/env bash
# From a folder of images and a table of clicks to a tested model: what docs/own_data.md tells, timed.
#
#   tools/own_data_story.sh [NUMBER] [FOLDER]    NUMBER synthetic radiographs (default 120)
#
# Further arguments go to mmwindow train, as --division single.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
number=${1:-120}
folder=${2:-work_dirs/own_data_$number}
python=${MMWINDOW_PYTHON:-.venv/bin/python}
step() {  # NAME COMMAND...
  local name=$1 start; shift
  start=$(date +%s)
  echo "\$ $name"
  "$@"
  echo "-- $(($(date +%s) - start)) s"
}
[ -f "$folder/clicks.csv" ] || "$python" tools/make_synthetic.py "$folder" --clicks "$number" --seed 0
step "mmwindow import clicks.csv --images images --out mine" \
  "$python" -m mmwindow import "$folder/clicks.csv" --images "$folder/images" --out "$folder/mine"
step "mmwindow train --data mine ${*:3}" \
  "$python" -m mmwindow train --data "$folder/mine" --work-dir "$folder/model" "${@:3}"
if [ -d "$folder/model/annotations/fold0" ] && [ ! -d "$folder/model/annotations/fold1" ]; then
  step "mmwindow test model" "$python" -m mmwindow test "$folder/model"
fi
