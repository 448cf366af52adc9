"""What an author imports costs at most 1.5 times `import pydantic, cryptography`, and loads only pinned modules."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Final

from figure import Figure

NAME: Final = "import"
LIMIT: Final = 1.5
ROUNDS: Final = 15
PINNED: Final = Path(__file__).with_name("import_modules.txt")
# What an author's server imports; the bare package is lazy and would measure nothing.
OURS: Final = "from mcp_wallet_guard import Address, Amount, Transfer, WalletGuard"
THEIRS: Final = "import pydantic, cryptography"
# CPU time of the import alone; what starting an interpreter costs is the same on both sides and left out.
CPU: Final = "import time; t = time.process_time(); {}; print(time.process_time() - t)"
LOADED: Final = (
    "import json, sys; " + OURS + ";"
    "print(json.dumps(sorted({m for m in sys.modules if m.split('.')[0] == 'mcp_wallet_guard'}"
    " | {m for m in sys.modules if m in ('web3', 'mcp', 'eth_account', 'httpx2', 'starlette', 'uvicorn')})))"
)


def run(*, once: bool) -> list[Figure]:
    check_modules()
    rounds = 1 if once else ROUNDS
    cost(OURS), cost(THEIRS)  # the first import of a machine writes bytecode
    ratios = [cost(OURS) / cost(THEIRS) for _ in range(rounds)]
    return [
        Figure(name="import, against pydantic and cryptography", value=statistics.median(ratios), unit="x", limit=LIMIT)
    ]


def check_modules() -> None:
    """Raise when the import loads other modules of ours than pinned, or any heavy library at all."""
    loaded = set(json.loads(interpret(LOADED)))
    pinned = {line for line in PINNED.read_text(encoding="utf-8").split("\n") if line and not line.startswith("#")}
    if loaded != pinned:
        raise AssertionError(
            f"{PINNED.name}: newly loaded {sorted(loaded - pinned)}, no longer loaded {sorted(pinned - loaded)}"
        )


def cost(statement: str) -> float:
    return float(interpret(CPU.format(statement)))


def interpret(code: str) -> str:
    return subprocess.run([sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True).stdout
