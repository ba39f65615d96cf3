#!/usr/bin/env bash
# Test in several processes: tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [options of test.py]
# The metric is the one a single process gives: events are gathered, in the data set's order.
# Several nodes: NNODES, NODE_RANK, MASTER_ADDR and PORT, as in MMDetection.
set -euo pipefail
if [ $# -lt 3 ]; then sed -n '2,4s/^# //p' "$0" >&2; exit 2; fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHONPATH="$here/..:${PYTHONPATH:-}" exec python -m mmwindow.utils.launcher \
  --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
  --nproc_per_node="$3" "$here/test.py" "$1" "$2" --launcher pytorch "${@:4}"
