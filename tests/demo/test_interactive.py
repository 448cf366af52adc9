"""``demo --interactive``: the approval is left to whoever sits there; here it is a program that reads the screen."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio
import pytest

from mcp_wallet_guard.assembly import SystemClock
from mcp_wallet_guard.testing.person import Authenticator, ScriptedPerson

COMMAND = [sys.executable, "-m", "mcp_wallet_guard.cli.main", "demo", "--interactive"]
PAYEE = "0x7070707070707070707070707070707070707070"


@pytest.mark.slow
def test_a_person_who_follows_the_screen_approves_the_payment_and_the_rest_holds() -> None:
    process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = ""
    watch = threading.Timer(600, process.kill)
    watch.start()
    try:
        for line in process.stdout:
            said += line
            if "mcp-wallet-guard approve --config" in line:
                _follow_the_screen(said)
        _, err = process.communicate()
    finally:
        watch.cancel()
        if process.poll() is None:
            process.terminate()
            process.communicate()

    assert process.returncode == 0, said + err
    assert "expectations held" in said
    assert "the next identical call signs" in said


def _follow_the_screen(screen: str) -> None:
    folder = Path(re.findall(r"Open the link in\s+(\S+)/\n", screen)[0])
    secret = base64.b32decode(re.findall(r"secret=([A-Z2-7]+)", screen)[0])
    (link,) = folder.glob("*.url")
    # The step of the enrolment does not count; and like a person, stay away from a step's first seconds.
    clock = SystemClock()
    begun = clock.now() // 30
    while clock.now() // 30 == begun or not 3 <= clock.now() % 30 <= 25:
        time.sleep(0.2)

    async def approve() -> None:
        async with ScriptedPerson(links=folder, authenticator=Authenticator(secret, clock)) as person:
            await person.approve(link.stem, expect_to=PAYEE, expect_amount="0.1")

    anyio.run(approve)
