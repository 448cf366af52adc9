"""Key files exchanged with the programs themselves: ethers and age's own JavaScript, out of npm, and ``age`` itself
where it is installed.

Runs in `make live` alone: it installs two packages of pinned versions, without their scripts.
"""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from mcp_wallet_guard.keys.kdf import KdfProfile
from mcp_wallet_guard.keys.keystores.age import read_age, write_age
from mcp_wallet_guard.keys.keystores.opened import PassphraseForm, Unread
from mcp_wallet_guard.keys.keystores.v3 import read_v3
from mcp_wallet_guard.keys.keystores.v3_writing import write_v3
from mcp_wallet_guard.secret import Secret
from tests.keys.keystores.files import ADDRESS, KEY, shown
from tests.keys.vaults import WAIVER

pytestmark = pytest.mark.live
PACKAGES: Final = ("ethers@6.17.0", "age-encryption@0.3.1")
TEXT: Final = "\u00c5ngstr\u00f6m und 12 Zwerge"
"""Other bytes in NFD; the same in NFC, NFKC and as our own passphrases are kept."""
PROFILE: Final = KdfProfile(n=2**12, r=8, p=1, waiver=WAIVER)
PHRASE: Final = "test test test test test test test test test test test junk"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    made = tmp_path_factory.mktemp("npm")
    (made / "package.json").write_text('{"name": "x", "version": "1.0.0", "type": "module"}')
    installing = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *PACKAGES]
    subprocess.run(installing, cwd=made, check=True, capture_output=True)
    return made


def run(folder: Path, program: str, *arguments: str) -> str:
    (folder / "program.mjs").write_text("const [first, second] = process.argv.slice(2);\n" + program)
    done = subprocess.run(["node", "program.mjs", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_ethers_opens_what_we_write(folder: Path) -> None:
    file = write_v3(Secret(KEY), passphrase=Secret(TEXT.encode()), profile=PROFILE)
    program = """
import { Wallet } from "ethers";
const wallet = await Wallet.fromEncryptedJson(first, second);
console.log(wallet.privateKey, wallet.address);
"""
    assert run(folder, program, file.decode(), TEXT).split() == ["0x" + KEY.hex(), ADDRESS]


def test_we_open_what_ethers_writes(folder: Path) -> None:
    program = """
import { HDNodeWallet, encryptKeystoreJson } from "ethers";
const w = HDNodeWallet.fromPhrase(first);
const mnemonic = { entropy: w.mnemonic.entropy, path: w.path };
const account = { address: w.address, privateKey: w.privateKey, mnemonic };
console.log(await encryptKeystoreJson(account, second, { scrypt: { N: 4096, r: 8, p: 1 } }));
"""
    decomposed = "A\u030angstro\u0308m und 12 Zwerge"
    opened = read_v3(run(folder, program, PHRASE, decomposed).encode(), passphrase=Secret(decomposed.encode()))
    assert (shown(opened.secret), opened.unread) == (KEY, (Unread.MNEMONIC,))
    assert opened.passphrase_form is PassphraseForm.NFKC


@pytest.mark.parametrize("armored", [False, True])
def test_age_opens_what_we_write(folder: Path, armored: bool) -> None:
    sealed = write_age(
        Secret(PHRASE.encode() * 2000), passphrase=Secret(TEXT.encode()), armored=armored, profile=PROFILE
    )
    (folder / "sealed.age").write_bytes(sealed)
    program = """
import { Decrypter, armor } from "age-encryption";
import { readFileSync } from "node:fs";
const decrypter = new Decrypter();
decrypter.addPassphrase(first);
const file = readFileSync("sealed.age");
console.log(await decrypter.decrypt(second === "true" ? armor.decode(file.toString()) : file, "text"));
"""
    assert run(folder, program, TEXT, json.dumps(armored)) == PHRASE * 2000


def test_we_open_what_age_writes(folder: Path) -> None:
    program = """
import { Encrypter, armor } from "age-encryption";
const encrypter = new Encrypter();
encrypter.setPassphrase(first);
encrypter.setScryptWorkFactor(12);
console.log(armor.encode(await encrypter.encrypt(second)));
"""
    opened = read_age(run(folder, program, TEXT, PHRASE).encode(), passphrase=Secret(TEXT.encode()))
    assert shown(opened.text) == PHRASE.encode()


@pytest.mark.skipif(shutil.which("age") is None, reason="age is not installed")
@pytest.mark.parametrize("armored", [False, True])
def test_the_command_age_opens_a_sealed_backup_of_the_default_cost(tmp_path: Path, armored: bool) -> None:
    sealed, out = tmp_path / "backup.age", tmp_path / "backup"
    sealed.write_bytes(write_age(Secret(PHRASE.encode()), passphrase=Secret(TEXT.encode()), armored=armored))
    pid, terminal = pty.fork()  # it asks on its controlling terminal alone
    if pid == 0:
        os.execvp("age", ["age", "--decrypt", "--output", str(out), str(sealed)])
    while b":" not in os.read(terminal, 1024):
        pass
    os.write(terminal, TEXT.encode() + b"\n")
    try:
        while os.read(terminal, 1024):
            pass
    except OSError:
        pass  # the other end of the terminal was closed
    assert os.waitpid(pid, 0)[1] == 0
    assert out.read_bytes() == PHRASE.encode()
