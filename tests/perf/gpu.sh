#!/usr/bin/env bash
# All that a machine with an NVIDIA GPU can say of gpucnn, in one command, useful within nine minutes.
#
#     tests/perf/gpu.sh [--seconds 540] [--only tests,fragments,memcheck,racecheck,bench] [--commit ID] [--smoke] OUT
#
# Steps, in this order, each with a share of the time; the benchmark gets what the others leave:
#   tests      pytest -m gpu
#   fragments  every PTX wrapper of kernels/include/mma.cuh against its documented layout
#   memcheck   compute-sanitizer on sanitize.py: addresses
#   racecheck  the same: shared memory
#   bench      gpu.py: gpucnn beside PyTorch; a row of OUT/gpu.json as soon as it is measured
# Logs are OUT/STEP.log. What was passed before with the same files, GPU and versions, and rows that are measured, are not done again: call
# it once more to go on. Stopped by Ctrl-C or SIGTERM it prints what it finished. Exit: 0 all well, 1 a step failed or had no time, 2 no GPU
# or wrong arguments, 143 stopped.
#
# Needs Python (PYTHON=…, else python3) with NumPy, CuPy, pytest, and PyTorch with CUDA for the peers; what falls away without one of them is
# said first. Nothing is installed, no network is used; the checkout itself is what is tested. --commit names it where there is no git.
# --smoke tries the plumbing without a GPU, in OUT/smoke.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=${PYTHON:-python3}
seconds=540 only=tests,fragments,memcheck,racecheck,bench smoke=0 commit='' out=

usage() {
    echo "gpu.sh: $1" >&2
    sed -n '4p' "${BASH_SOURCE[0]}" | sed 's/^# */usage: /' >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
        --seconds) seconds=${2:-} && shift ;;
        --only) only=${2:-} && shift ;;
        --commit)
            [[ ${2:-} =~ ^[[:alnum:]][[:alnum:]._-]*$ ]] || usage "--commit wants a name of letters and digits, not '${2:-}'"
            commit=$2 && shift
            ;;
        --smoke) smoke=1 ;;
        -*) usage "there is no option $1" ;;
        *) [ -z "$out" ] || usage "one folder is enough"; out=$1 ;;
    esac
    shift
done
[[ $seconds =~ ^[0-9]+$ ]] || usage "--seconds wants a whole number, not '$seconds'"
seconds=$((10#$seconds))
[ -n "${only//,/}" ] || usage "--only names no step"
for name in ${only//,/ }; do
    case $name in tests | fragments | memcheck | racecheck | bench) ;; *) usage "there is no step '$name'" ;; esac
done
[ -n "$out" ] || usage "say where the results go"
mkdir -p "$out" && results=$(cd "$out" && pwd) || exit 2
out=$results
[ "$smoke" = 0 ] || { out=$results/smoke && mkdir -p "$out" || exit 2; }  # what is tried out must never pass for what was done
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

if [ -z "$commit" ]; then
    commit=$("$python" -c 'import sys; sys.path.insert(0, "tests/perf"); import gpu; print(gpu.commit())')
    if [ -z "$commit" ]; then
        echo "gpu.sh: git knows no commit of $root, rows will say 'unknown'; --commit ID names it" >&2
        commit=unknown
    fi
fi

# What a step that passed depends on.
state=$({
    echo "$gpu"
    "$python" - << 'PY'
import sys
from importlib.metadata import distributions

names = ("numpy", "cupy", "torch", "pytest", "nvidia")
print(sys.version, *sorted({f"{d.name} {d.version}" for d in distributions() if (d.name or "").lower().startswith(names)}))
PY
    sha256sum pyproject.toml
    find gpucnn kernels tests -type f \( -name '*.py' -o -name '*.cu' -o -name '*.cuh' -o -name '*.sh' \) -print0 \
        | LC_ALL=C sort -z | xargs -0 sha256sum
} | sha256sum)

# Steps that cannot be done here, and why.
declare -A lacking=()
sanitizer=$(command -v compute-sanitizer || ls "${CUDA_HOME:-/usr/local/cuda}"/bin/compute-sanitizer 2> /dev/null)
if [ -z "$sanitizer" ] && [ "$smoke" = 0 ]; then
    lacking[memcheck]="there is no compute-sanitizer on PATH or below ${CUDA_HOME:-/usr/local/cuda}"
    lacking[racecheck]=${lacking[memcheck]}
fi
if ! why=$("$python" -c 'import pytest' 2>&1); then
    lacking[tests]="pytest cannot be imported: ${why##*$'\n'}"
    lacking[fragments]=${lacking[tests]}
fi
for step in ${only//,/ }; do
    [ -z "${lacking[$step]:-}" ] || echo "gpu.sh: $step falls away: ${lacking[$step]}"
done
if [[ ,$only, == *,bench,* ]] && ! "$python" -c 'import sys, importlib.util; sys.exit(not importlib.util.find_spec("torch"))'; then
    echo "gpu.sh: PyTorch is missing: bench measures gpucnn alone"
fi

running='' follower='' failed=0
report=()

# shellcheck disable=SC2329  # a trap calls it
finish() {
    trap '' TERM INT
    echo
    {
        echo "gpu.sh: $gpu; commit $commit; ${SECONDS} s of $seconds"
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
    if [ -n "${lacking[$step]:-}" ]; then
        report+=("$step: FAILED, ${lacking[$step]}") failed=1
        return 0
    fi
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

# Only the files that have tests for a GPU, so that what others want to import is not needed. One that cannot be collected is an error, and
# does not keep the others from running.
pytest=("$python" -m pytest -p no:cacheprovider)
mapfile -t gpu_tests < <(grep -lE 'mark\.gpu|\bDRIVERS\b' tests/test_*.py)

run tests 28 "${pytest[@]}" -v -m gpu -rfEs --continue-on-collection-errors "${gpu_tests[@]}"
if [ "$smoke" = 1 ]; then
    run fragments 8 "${pytest[@]}" tests/test_fragments.py -k 'sm_80'
    run memcheck 12 "$python" -u tests/perf/sanitize.py --device cpu
    run racecheck 12 "$python" -u tests/perf/sanitize.py --device cpu
else
    run fragments 8 "${pytest[@]}" -v tests/test_fragments.py -m gpu
    for tool in memcheck racecheck; do
        run "$tool" 12 "$sanitizer" --tool "$tool" --error-exitcode 9 "$python" -u tests/perf/sanitize.py --seconds $((seconds / 10))
    done
fi
bench=("$python" -u tests/perf/gpu.py "$results" --commit "$commit" --seconds $((seconds - SECONDS > 15 ? seconds - SECONDS - 10 : 5)))
[ "$smoke" = 0 ] || bench+=(--smoke --rounds 3 --side-seconds 0.2)
run bench 100 "${bench[@]}"
exit "$failed"
