#!/usr/bin/env bash
# Set up both stacks and run everything that must hold: lint, types and the everyday tests on the default
# stack, the numeric ones a second time on the instructions of another processor, and the smoke tests
# (registration, real tiny trainings) on the maintained forks. A part that fails does not stop the others.
#
#   tools/run_tests.sh            both stacks, what CI runs
#   tools/run_tests.sh openmmlab  the default stack alone (or onedl; MMWINDOW_STACK says the same)
#
# MMWINDOW_WORKERS: test processes at a time (default 2).
# MMWINDOW_TUTORIALS=off: without the commands of docs/tutorials, a minute of processor time.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
stacks=${1:-${MMWINDOW_STACK:-openmmlab onedl}}
for stack in $stacks; do
  case $stack in openmmlab|onedl) ;; *)
    echo "run_tests: the stacks are openmmlab and onedl, not '$stack'" >&2; exit 2 ;;
  esac
done
# One thread a process, so that the processes do not compete; the second run below takes two. Threads that
# wait sleep: spinning, two processes of two threads on two busy cores took four times the processor time.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
# Contiguous halves of the tests, so that what a module's tests share is made once.
pytest=(-m pytest -n "${MMWINDOW_WORKERS:-2}" --dist worksteal)
# An older processor without AVX-512, plain torch kernels, other threads, no numba: numbers that hold on
# one processor alone fail here. All are known names that do nothing where they do not apply.
other_processor=(OPENBLAS_CORETYPE=Haswell ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=AVX2
  OPENCV_IPP=disabled OPENCV_CPU_DISABLE=AVX512-SKX MMWINDOW_TEST_NUMBA=off OMP_NUM_THREADS=2
  NPY_DISABLE_CPU_FEATURES='X86_V4 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR')

failed=()   # names of the parts that failed
counts=''   # the last line of pytest; of a run that failed, if there is one
faults=()   # tests that failed, named once more at the end: of a long log the end is what is read
output=$(mktemp)
trap 'rm -f "$output"' EXIT

part() {  # NAME COMMAND...: run it, show its output, remember whether it failed
  local name=$1 status lines; shift
  echo "== $name"
  "$@" 2>&1 | tee "$output"
  status=${PIPESTATUS[0]}
  if [ "$status" -ne 0 ]; then failed+=("$name"); fi
  case $* in *pytest*)
    if [ "$status" -ne 0 ] || [[ $counts != *failed* && $counts != *error* ]]; then
      counts=$(tail -n 1 "$output")
    fi
    mapfile -t lines < <(grep -E '^(FAILED|ERROR) ' "$output" | cut -c 1-300)
    faults+=("${lines[@]/#/$name: }") ;;
  esac
}

for stack in $stacks; do
  # Each stack in the environment of its own, wherever MMWINDOW_VENV points.
  if ! MMWINDOW_STACK=$stack MMWINDOW_VENV='' tools/setup.sh; then
    failed+=("set-up ($stack)"); continue
  fi
  case $stack in
    openmmlab)
      part 'ruff' .venv/bin/python -m ruff check .
      part 'mypy' .venv/bin/python -m mypy mmwindow
      part "tests ($stack)" .venv/bin/python "${pytest[@]}" --durations=10
      if [ "${MMWINDOW_TUTORIALS:-on}" != off ]; then
        part "commands of docs/tutorials" .venv/bin/python -m pytest -m long tests/test_tutorials
      fi
      part 'mutated files for every reader' .venv/bin/python tools/fuzz.py --seconds 50 --seed 0
      part "numeric tests on another processor's instructions ($stack)" env "${other_processor[@]}" \
        .venv/bin/python "${pytest[@]}" -m 'numeric and not long' ;;
    onedl)
      part "smoke tests ($stack)" .venv-onedl/bin/python "${pytest[@]}" -m 'smoke and not long' ;;
  esac
done
if [ ${#failed[@]} -gt 0 ]; then
  if [ ${#faults[@]} -gt 0 ]; then printf '%s\n' "${faults[@]}"; fi
  printf 'run_tests: failed: %s\n' "${failed[@]}"
  echo "${counts:-run_tests: ${#failed[@]} failed}"
  exit 1
fi
echo "run_tests: all passed ($stacks)"
