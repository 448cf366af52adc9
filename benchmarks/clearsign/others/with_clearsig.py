"""Run by `side_by_side.py` with clearsig's own Python: the calls of work.json, and a row as JSON."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

import clearsig


def main() -> None:
    work = json.loads(Path(sys.argv[1]).read_text())
    registry = clearsig.Registry.from_path(work["tree"])
    found = [outcome(registry, call) for call in work["calls"]]
    means = []
    for _ in range(work["rounds"]):
        before = time.perf_counter()
        for call in work["calls"]:
            outcome(registry, call)
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


def outcome(registry, call):  # clearsig's types are not here
    try:
        return clearsig.translate_with_registry(
            registry, call["data"], to=call["to"], chain_id=call["chain"], from_address=call["from"]
        )
    except Exception:  # noqa: BLE001  # whatever it raises, the case is lost
        return None


def has_labels(found, expected) -> bool:
    if found is None or found.intent != expected.get("intent"):
        return False
    return [each.label for each in found.fields] == [each["label"] for each in expected["fields"]]


def is_whole(found, expected) -> bool:
    return has_labels(found, expected) and [each.value for each in found.fields] == [
        each["value"] for each in expected["fields"]
    ]


main()
