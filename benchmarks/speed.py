"""How fast this core is at this moment, so that CPU time means the same on a slow machine and in a slow hour.

On shared machines the same work takes once or twice the time, by the minute, as the neighbour on the core is at rest or
not. What is measured is therefore paired with a fixed piece of work of the same sort, right before and after.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any, Final

QUIET_SECONDS: Final = 0.00125
"""`pace()` on the machine where the limits were set, with its neighbour at rest; the best of thousands was 1.14 ms."""
_TREE: Final[dict[str, Any]] = {"a": [1, 2, 3, {"b": "x" * 50}], "c": {"d": None, "e": True, "f": list(range(30))}}


def pace() -> float:
    """Seconds of CPU that the piece of work takes now: JSON, hashes, small dicts, as in a ceremony."""
    before = time.process_time()
    for _ in range(60):
        text = json.dumps(_TREE, sort_keys=True)
        json.loads(text)
        hashlib.sha256(text.encode()).hexdigest()
        table = {str(number): number for number in range(20)}
        sorted(table.items(), key=lambda item: item[1])
    return time.process_time() - before
