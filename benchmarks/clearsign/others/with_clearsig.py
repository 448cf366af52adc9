"""Run by `side_by_side.py` with clearsig's own Python: the calls of work.json, and a row as JSON."""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    clearsig = importlib.import_module("clearsig")
    work = json.loads(Path(sys.argv[1]).read_text())
    registry = clearsig.Registry.from_path(work["tree"])
    found = [outcome(clearsig, registry, call) for call in work["calls"]]
    means = []
    for _ in range(work["rounds"]):
        before = time.perf_counter()
        for call in work["calls"]:
            outcome(clearsig, registry, call)
        means.append((time.perf_counter() - before) / len(found) * 1e3)
    expected = [call["expected"] for call in work["calls"]]
    print(
        json.dumps(
            {
                "passed": sum(is_whole(one, other) for one, other in zip(found, expected, strict=True)),
                "labels": sum(has_labels(one, other) for one, other in zip(found, expected, strict=True)),
                "milliseconds": statistics.median(means),
                "note": f"{sum(each is None for each in found)} calls end in an error",
            }
        )
    )


def outcome(clearsig: Any, registry: Any, call: dict[str, Any]) -> Any:
    try:
        return clearsig.translate_with_registry(
            registry, call["data"], to=call["to"], chain_id=call["chain"], from_address=call["from"]
        )
    except Exception:  # noqa: BLE001  # whatever it raises, the case is lost
        return None


def has_labels(found: Any, expected: dict[str, Any]) -> bool:
    if found is None or found.intent != expected.get("intent"):
        return False
    return [str(each.label) for each in found.fields] == [each["label"] for each in expected["fields"]]


def is_whole(found: Any, expected: dict[str, Any]) -> bool:
    return has_labels(found, expected) and [each.value for each in found.fields] == [
        each["value"] for each in expected["fields"]
    ]


main()
