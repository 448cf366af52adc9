"""What holds for a whole process: no pure-Python curve, and no memory for a file that asks for too much.

Threat: T-064, T-068.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from mcp_wallet_guard.keys.keystores.age import write_age
from mcp_wallet_guard.keys.keystores.v3_writing import write_v3
from mcp_wallet_guard.secret import Secret
from tests.keys.keystores.files import ADDRESS, TYPED, eip2335_document, raw, typed, v3_document
from tests.keys.vaults import PROFILE

ROOT: Final = Path(__file__).parents[3]
_READING: Final = """
import json, sys
from mcp_wallet_guard.errors import GuardError
from mcp_wallet_guard.keys.keystores.v3 import read_v3
from mcp_wallet_guard.secret import Secret
def read(document):
    return read_v3(json.dumps(document).encode(), passphrase=Secret(sys.argv[2].encode()))
documents = json.loads(sys.argv[1])
"""


def run(program: str, documents: object) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _READING + program, json.dumps(documents), TYPED],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    return done.stdout.split()


def test_reading_writing_and_deriving_load_no_pure_python_curve() -> None:
    """eth-keys signs and derives in Python where it finds nothing else, and its time tells of the key."""
    program = """
from mcp_wallet_guard import danger
from mcp_wallet_guard.keys import mnemonic, kdf
from mcp_wallet_guard.keys.keystores import age, eip2335, ows, v3_writing
opened = read(documents)
profile = kdf.KdfProfile(2, 8, 1, danger.cheap_kdf(reason="a file of a test"))
passphrase = Secret(sys.argv[2].encode())
v3_writing.write_v3(opened.account_key(), passphrase=passphrase, profile=profile)
age.write_age(opened.secret, passphrase=passphrase, armored=True, profile=profile)
mnemonic.address_of(mnemonic.derive_key(Secret(bytes(range(32))), index=0, language="english"))
print(opened.address, *[name for name in sys.modules if name.startswith(("eth_keys", "eth_account", "py_ecc"))])
"""
    assert run(program, v3_document()) == [ADDRESS]


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS")
def test_ruinous_files_are_refused_within_the_memory_that_a_small_one_needs() -> None:
    """The same derivation without our bound runs out of it, and so does the dearest one that is within."""
    program = """
import resource
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from mcp_wallet_guard.keys import kdf
read(documents[0])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**27, used + 2**27))
for document in documents:
    try:
        print("opened:" + str(read(document).address is not None))
    except GuardError as error:
        print(error.code + ":" + str(kdf.derivations()))
try:
    Scrypt(salt=bytes(32), length=32, n=2**21, r=8, p=1).derive(b"")
except MemoryError:
    print("exhausted")
"""
    good = v3_document()
    costs = [(2**21, 8, 1), (2**30, 8, 1), (2, 2**22, 1), (2, 1, 2**23), (2**20, 8, 1)]
    files = [good]
    for n, r, p in costs:
        params = {**good["crypto"]["kdfparams"], "n": n, "r": r, "p": p}
        files.append({**good, "crypto": {**good["crypto"], "kdfparams": params}})
    assert run(program, files) == ["opened:True", *["keystore.cost:2"] * 4, "unavailable:3", "exhausted"]


_HOLDING: Final = """
import sys
from mcp_wallet_guard.keys.keystores.age import read_age
from mcp_wallet_guard.keys.keystores.eip2335 import read_eip2335
from mcp_wallet_guard.keys.keystores.v3 import read_v3
from mcp_wallet_guard.secret import Secret
v3, eip2335, age = (bytes.fromhex(each) for each in sys.argv[1:4])
passphrase = Secret(sys.argv[4].encode())
held = [
    read_v3(v3, passphrase=passphrase).secret,
    read_eip2335(eip2335, passphrase=passphrase).secret,
    read_age(age, passphrase=passphrase).text,
]
print("open", flush=True)
sys.stdin.readline()
for secret in held:
    secret.wipe()
print("wiped", flush=True)
sys.stdin.readline()
"""


def copies(pid: int, secret: bytes) -> int:
    """How often the bytes stand in the memory that a process can write to."""
    found = 0
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, modes = line.split()[:2]
            start, end = (int(each, 16) for each in span.split("-"))
            if not modes.startswith("rw") or "[v" in line:
                continue
            memory.seek(start)
            found += memory.read(end - start).count(secret)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_secret_that_was_read_is_in_memory_once_and_after_wiping_not_at_all() -> None:
    key, validators, text = (secrets.token_bytes(31) + b"\1" for _ in range(3))
    key = b"\1" + key[:31]
    files = (
        write_v3(Secret(key), passphrase=typed(), profile=PROFILE),
        raw(eip2335_document(validators)),
        write_age(Secret(text), passphrase=typed(), armored=True, profile=PROFILE),
    )
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDING, *(file.hex() for file in files), TYPED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        counts = {}
        for state in ("open", "wiped"):
            assert child.stdout.readline() == f"{state}\n"
            counts[state] = [copies(child.pid, secret) for secret in (key, validators, text)]
            print(file=child.stdin, flush=True)
    assert counts == {"open": [1, 1, 1], "wiped": [0, 0, 0]}
