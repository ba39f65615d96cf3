#!/usr/bin/env bash
# Train under Slurm: tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [options of train.py]
# GPUS (4), GPUS_PER_NODE (4), CPUS_PER_TASK (5) and SRUN_ARGS are read from the environment.
set -euo pipefail
if [ $# -lt 4 ]; then sed -n '2,3s/^# //p' "$0" >&2; exit 2; fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# SRUN_ARGS is split on purpose: it holds several arguments.
PYTHONPATH="$here/..:${PYTHONPATH:-}" exec srun -p "$1" --job-name="$2" \
  --gres=gpu:"${GPUS_PER_NODE:-4}" --ntasks="${GPUS:-4}" --ntasks-per-node="${GPUS_PER_NODE:-4}" \
  --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
  python -u "$here/train.py" "$3" --work-dir "$4" --launcher slurm "${@:5}"
