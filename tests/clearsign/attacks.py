"""For each check: attacks by the code that they raise, an honest twin, and the twin with a source taken away."""

from __future__ import annotations

from typing import Final

from tests.clearsign import attacks_on_money, attacks_on_words
from tests.clearsign.scenes import Case

CASES: Final[dict[int, Case]] = attacks_on_money.CASES | attacks_on_words.CASES
