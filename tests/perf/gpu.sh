#!/usr/bin/env bash
# All that a machine with an NVIDIA GPU can say of gpucnn, in one command, useful within nine minutes.
#
#     tests/perf/gpu.sh [--seconds 540] [--only tests,fragments,memcheck,racecheck,bench] [--smoke] OUT
#
# Steps, in this order, each with a share of the time; the benchmark gets what the others leave:
#   tests      pytest -m gpu
#   fragments  every PTX wrapper of kernels/include/mma.cuh against its documented layout
#   memcheck   compute-sanitizer on sanitize.py: addresses
#   racecheck  the same: shared memory
#   bench      gpu.py: gpucnn beside PyTorch; a row of OUT/gpu.json as soon as it is measured
# Logs are OUT/STEP.log. What was passed before with the same files, and rows that are measured, are not done again: call it once more
# to go on. Stopped by Ctrl-C or SIGTERM it prints what it finished. Exit: 0 all well, 1 a step failed or had no time, 2 no GPU or wrong
# arguments, 143 stopped.
#
# Needs Python (PYTHON=…, else python3) with NumPy, CuPy, pytest, and PyTorch with CUDA for the peers. Nothing is installed, no network is
# used; the checkout itself is what is tested. --smoke tries the plumbing without a GPU.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=${PYTHON:-python3}
seconds=540 only=tests,fragments,memcheck,racecheck,bench smoke=0 out=

usage() {
    echo "gpu.sh: $1" >&2
    sed -n '4p' "${BASH_SOURCE[0]}" | sed 's/^# */usage: /' >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
        --seconds) seconds=${2:-} && shift ;;
        --only) only=${2:-} && shift ;;
        --smoke) smoke=1 ;;
        -*) usage "there is no option $1" ;;
        *) [ -z "$out" ] || usage "one folder is enough"; out=$1 ;;
    esac
    shift
done
[[ $seconds =~ ^[0-9]+$ ]] || usage "--seconds wants a whole number, not '$seconds'"
for name in ${only//,/ }; do
    case $name in tests | fragments | memcheck | racecheck | bench) ;; *) usage "there is no step '$name'" ;; esac
done
[ -n "$out" ] || usage "say where the results go"
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 2
cd "$root" || exit 2
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"

# gpucnn's CPU side wants threadpoolctl; where it is missing, a stand-in that knows no BLAS does for a test of the GPU.
if ! "$python" -c 'import threadpoolctl' 2> /dev/null; then
    mkdir -p "$out/standins"
    printf 'class ThreadpoolController:\n    lib_controllers = ()\n' > "$out/standins/threadpoolctl.py"
    PYTHONPATH="$PYTHONPATH:$out/standins"
    echo "gpu.sh: threadpoolctl is missing; a stand-in leaves BLAS as it is"
fi

gpu=$("$python" - 2>&1 << 'PY'
import sys
import gpucnn

gpu = next(d for d in gpucnn.devices() if d.name.startswith("cuda"))
print(": ".join(text for text in (gpu.description if gpu.name != "cuda" else "", gpu.reason) if text))
sys.exit(not gpu.usable)
PY
) || {
    [ "$smoke" = 1 ] || { echo "gpu.sh: no GPU that gpucnn can use here: $gpu" >&2; exit 2; }
    echo "gpu.sh: smoke test without a GPU ($gpu)"
}
[ "$smoke" = 1 ] || export GPUCNN_REQUIRE_GPU=1
state=$(find gpucnn kernels tests -type f \( -name '*.py' -o -name '*.cu' -o -name '*.cuh' -o -name '*.sh' \) | LC_ALL=C sort | xargs sha256sum | sha256sum)

running='' follower='' failed=0
report=()

# shellcheck disable=SC2329  # a trap calls it
finish() {
    trap '' TERM INT
    echo
    {
        echo "gpu.sh: $gpu; ${SECONDS} s of $seconds"
        printf '  %s\n' "${report[@]:-nothing was done}"
    } | tee "$out/summary.txt"
}

# shellcheck disable=SC2329  # a trap calls it
stopped() {
    trap '' TERM INT
    if [ -n "$running" ]; then
        kill -INT "$running" 2> /dev/null  # pytest and gpu.py then say what they have
        wait "$running"
        [ -z "$follower" ] || wait "$follower"
        report+=("$step: stopped; $(last_line)")
    fi
    exit 143
}

last_line() { grep -v '^[[:space:]]*$' "$out/$step.log" | tail -n 1 | cut -c 1-200; }

trap finish EXIT
trap stopped TERM INT

# run STEP SHARE COMMAND…: SHARE is the most that it may take, in hundredths of the whole time.
run() {
    step=$1
    local most=$((seconds * $2 / 100)) left=$((seconds - SECONDS)) begin=$SECONDS status=0
    shift 2
    [[ ,$only, == *,$step,* ]] || return 0
    if [ "$step" != bench ] && [ "$state" = "$(cat "$out/$step.passed" 2> /dev/null)" ]; then
        report+=("$step: passed before")
        return 0
    fi
    if [ "$left" -lt 5 ]; then
        report+=("$step: not begun, the time is up") failed=1
        return 0
    fi
    [ "$most" -le "$left" ] || most=$left
    printf '\n=== %s (at most %s s)\n' "$step" "$most"
    : > "$out/$step.log"
    timeout -s INT -k 10 "$most" "$@" > "$out/$step.log" 2>&1 &
    running=$! follower=
    if [ "$step" = bench ]; then  # its rows are shown as they come, of the others the end is enough
        tail -n +1 -s 0.2 -f --pid="$running" "$out/$step.log" &
        follower=$!
    fi
    wait "$running" || status=$?
    running=
    if [ -n "$follower" ]; then wait "$follower"; else tail -n $((status ? 40 : 4)) "$out/$step.log"; fi
    if [ "$status" = 0 ]; then
        echo "$state" > "$out/$step.passed"
        report+=("$step: passed in $((SECONDS - begin)) s; $(last_line)")
    elif [ "$status" = 124 ] || [ "$status" = 137 ]; then
        report+=("$step: FAILED, not done after $most s; $(last_line)") failed=1
    else
        report+=("$step: FAILED with $status; $(last_line)") failed=1
    fi
}

# Test files that want a package which is not here cannot even be collected.
pytest=("$python" -m pytest -p no:cacheprovider)
absent=()
for package in hypothesis scipy; do
    "$python" -c "import $package" 2> /dev/null && continue
    while IFS= read -r file; do absent+=("--ignore=$file"); done < <(grep -lE "^(from|import) $package" -r tests --include='test_*.py')
done

sanitizer() {
    local tool=$1 at
    if [ "$smoke" = 1 ]; then
        run "$tool" 12 "$python" -u tests/perf/sanitize.py --device cpu
        return
    fi
    at=$(command -v compute-sanitizer || ls "${CUDA_HOME:-/usr/local/cuda}"/bin/compute-sanitizer 2> /dev/null) || {
        [[ ,$only, == *,$tool,* ]] && report+=("$tool: FAILED, there is no compute-sanitizer on PATH or below ${CUDA_HOME:-/usr/local/cuda}") && failed=1
        return
    }
    run "$tool" 12 "$at" --tool "$tool" --error-exitcode 9 "$python" -u tests/perf/sanitize.py --seconds $((seconds / 10))
}

run tests 28 "${pytest[@]}" -v -m gpu -rs "${absent[@]}" tests
if [ "$smoke" = 1 ]; then
    run fragments 8 "${pytest[@]}" tests/test_fragments.py -k 'sm_80'
else
    run fragments 8 "${pytest[@]}" -v tests/test_fragments.py -m gpu
fi
sanitizer memcheck
sanitizer racecheck
bench=("$python" -u tests/perf/gpu.py "$out" --seconds $((seconds - SECONDS > 15 ? seconds - SECONDS - 10 : 5)))
[ "$smoke" = 0 ] || bench+=(--smoke --rounds 3 --side-seconds 0.2)
run bench 100 "${bench[@]}"
exit "$failed"
