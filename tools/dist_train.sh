#!/usr/bin/env bash
# Train in several processes: tools/dist_train.sh CONFIG PROCESSES [options of train.py]
# One process a GPU (NCCL); on a machine without GPUs the processes share the CPU (gloo).
# Several nodes: NNODES, NODE_RANK, MASTER_ADDR and PORT, as in MMDetection.
set -euo pipefail
if [ $# -lt 2 ]; then sed -n '2,4s/^# //p' "$0" >&2; exit 2; fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHONPATH="$here/..:${PYTHONPATH:-}" exec python -m mmwindow.utils.launcher \
  --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
  --nproc_per_node="$2" "$here/train.py" "$1" --launcher pytorch "${@:3}"
