"""ONNX Runtime on the cases of the ONNX suite that gpucnn has to pass; writes tests/perf/results/onnx_suite.json.

    python tests/perf/onnx_suite.py

Needs onnxruntime. What it fails is named in the file, with its reason.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import onnx
import onnxruntime

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from onnx_suite import cases, compare, is_expanded, light_data, light_nets  # noqa: E402


def outputs(model: onnx.ModelProto, inputs: list[object]) -> list[object]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip((i.name for i in session.get_inputs()), inputs)))


def main() -> None:
    onnxruntime.set_default_logger_severity(4)
    passed: dict[str, int] = {}
    failed: dict[str, str] = {}
    for case in cases():
        key = f"{case.kind} expanded" if is_expanded(case) else case.kind
        passed.setdefault(key, 0)
        try:
            for inputs, expected in case.data():
                compare(outputs(case.model(), inputs), expected, case.test.rtol, case.test.atol)
            passed[key] += 1
        except Exception as error:
            failed[case.name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:160]}"
    passed["light"] = 0
    for name, file in light_nets().items():
        inputs, expected = light_data(file)
        try:
            compare(outputs(onnx.load(file), inputs), expected, 1e-3, 1e-7)
            passed["light"] += 1
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:160]}"
    document = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__, "passed": passed, "failed": failed}
    (ROOT / "tests" / "perf" / "results" / "onnx_suite.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print(passed)


if __name__ == "__main__":
    main()
