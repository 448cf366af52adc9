"""``init`` and ``wallet import`` with a wallet that exists already: its phrase proves it, and is never repeated.

Threat: T-057, T-076.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from eth_account import Account
from eth_account.hdaccount.mnemonic import Mnemonic
from eth_account.types import Language

from mcp_wallet_guard import setup
from mcp_wallet_guard.assembly import SystemClock
from mcp_wallet_guard.bip39 import word_list
from mcp_wallet_guard.config.file import load_settings
from mcp_wallet_guard.keys import mnemonic
from mcp_wallet_guard.keys.entropy import new_entropy
from mcp_wallet_guard.keys.vault import EntryKind, read_public
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.testing.clock import SharedClock
from tests.cli.commands import Ran, code_on, run, run_on_terminal
from tests.cli.test_init import PASSPHRASE, words

STRANGER = "0x7070707070707070707070707070707070707070"
WORDS_OF = {16: 12, 32: 24}


@dataclass(frozen=True)
class Phrase:
    text: str

    def address(self, index: int = 0) -> str:
        """Derived by another library."""
        Account.enable_unaudited_hdwallet_features()
        return str(Account.from_mnemonic(self.text, account_path=f"m/44'/60'/0'/0/{index}").address)


@pytest.fixture(params=WORDS_OF)
def phrase(request: pytest.FixtureRequest) -> Phrase:
    entropy = new_entropy()
    with entropy.reveal() as view:
        made = Secret(bytes(view[: request.param]))
    return Phrase(" ".join(mnemonic.words_from_entropy(made, language="english")))


def initialise(folder: Path, phrase: str, *more: str) -> Ran:
    return run(*words(folder / "guard"), *more, passphrase=PASSPHRASE, phrase=phrase, with_secrets=True)


def test_an_existing_phrase_gives_its_first_account(folder: Path, phrase: Phrase) -> None:
    ran = initialise(folder, f"{phrase.text}\n")

    assert ran.status == 0, ran
    assert ran.json["address"] == phrase.address()
    (wallet,) = [each for each in read_public(Path(ran.json["vault"])).entries if each.kind is EntryKind.BIP39_ENTROPY]
    assert wallet.metadata["path"] == "m/44'/60'/0'/0/0"
    assert phrase.text not in ran.out + ran.err + ran.secrets
    assert ran.json["in_force"] is True


def test_an_address_picks_the_account_that_has_it(folder: Path, phrase: Phrase) -> None:
    ran = initialise(folder, phrase.text, "--wallet", "existing", "--address", phrase.address(7))

    assert (ran.status, ran.json["address"]) == (0, phrase.address(7)), ran
    assert load_settings(Path(ran.json["config"])).settings.account.address.value == phrase.address(7)


def test_a_phrase_of_another_wallet_makes_nothing(folder: Path, phrase: Phrase) -> None:
    ran = initialise(folder, phrase.text, "--address", STRANGER)

    assert (ran.status, ran.code) == (2, "invalid_input.account")
    assert not (folder / "guard").exists()


OTHER = "legal winner thank year wave sausage worth useful legal winner thank yellow"
"""Of BIP-39's vectors: what is said about it says nothing of another."""


def broken(text: str, how: str) -> str:
    first, second, *rest = text.split()
    return {
        "a word that is none": " ".join([first, "zzzsecret", *rest]),
        "a word too few": " ".join([second, *rest]),
        "no text": "\xff\xfe" * 40,
        "nothing": " ",
        "everybody's": "test " * 11 + "junk",
    }[how]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("a word that is none", "word 2"),
        ("a word too few", "words; 12, 15"),
        ("nothing", ""),
        ("no text", ""),
        ("everybody's", "public"),
    ],
)
def test_a_phrase_that_is_none_is_told_by_its_places_and_never_repeated(
    folder: Path, phrase: Phrase, how: str, said: str
) -> None:
    given = broken(phrase.text, how)
    ran = initialise(folder, given)

    assert (ran.status, ran.code) == (2, "invalid_input.mnemonic"), ran
    assert said in ran.err
    words = set((ran.out + ran.err).replace('"', " ").split())
    if how != "everybody's":  # whose words are the same for all
        other = initialise(folder, broken(OTHER, how))
        words -= set((other.out + other.err).replace('"', " ").split())  # our own sentences have words of the list too
    assert not words & set(given.split())
    assert not (folder / "guard").exists()


def test_a_wrong_checksum_makes_nothing(folder: Path, phrase: Phrase) -> None:
    given = [" ".join([*phrase.text.split()[:-1], word]) for word in word_list("english")[:40]]
    wrong = [each for each in given if not Mnemonic(Language.ENGLISH).is_mnemonic_valid(each)]
    ran = [initialise(folder, each) for each in wrong[:3]]

    assert [each.code for each in ran] == ["invalid_input.mnemonic"] * 3
    assert not (folder / "guard").exists()


def test_on_a_terminal_the_phrase_is_typed_without_echo(folder: Path, phrase: Phrase) -> None:
    answers: list[tuple[str, Any]] = [
        ("Recovery phrase", phrase.text),
        ("New passphrase", PASSPHRASE),
        ("The same again", PASSPHRASE),
        ("the code that the app shows", lambda screen: code_on(screen, at=int(time.time()))),
    ]
    ran = run_on_terminal(*words(folder / "guard", wallet="existing"), answers=answers)

    assert ran.status == 0, ran.err
    assert ran.json["address"] == phrase.address()
    assert phrase.text not in ran.screen
    assert phrase.text.split()[3] + " " + phrase.text.split()[4] not in ran.screen


def test_an_address_alone_is_pinned_and_pays_once_its_phrase_was_imported(folder: Path, phrase: Phrase) -> None:
    clock = SharedClock.create(folder / "clock", start=int(time.time()))
    ran = run(
        *words(folder / "guard", wallet="later", address=phrase.address(2)),
        passphrase=PASSPHRASE, with_secrets=True, clock=clock,
    )  # fmt: skip
    assert (ran.status, ran.json["in_force"]) == (0, False), ran
    assert ran.json["next"] == ["mcp-wallet-guard wallet import", "mcp-wallet-guard policy apply"]
    place = ["--config", ran.json["config"], "--json"]
    too_early = run("policy", "apply", *place, passphrase=PASSPHRASE, code=code_on(ran.secrets, at=clock.now()))
    assert too_early.code == "misconfigured.settings"

    stranger = run("wallet", "import", *place, passphrase=PASSPHRASE, phrase=phrase.text, clock=clock)
    again = run("wallet", "import", *place, passphrase=PASSPHRASE, phrase=phrase.text, clock=clock)
    clock.advance(30)
    applied = run(
        "policy", "apply", *place, passphrase=PASSPHRASE, code=code_on(ran.secrets, at=clock.now()), clock=clock
    )

    assert (stranger.status, stranger.json["address"]) == (0, phrase.address(2)), stranger
    assert again.status == 0, "guard.toml's account is there, so the first one is taken"
    assert again.json["address"] == phrase.address()
    assert (applied.status, applied.json["policy_revision"]) == (0, 1), applied


def test_a_wallet_is_imported_once(folder: Path, phrase: Phrase) -> None:
    ran = initialise(folder, phrase.text)
    place = ["--config", ran.json["config"], "--json"]

    again = run("wallet", "import", *place, passphrase=PASSPHRASE, phrase=phrase.text)
    wrong = run("wallet", "import", *place, passphrase="not the passphrase", phrase=phrase.text)

    assert (again.status, again.code) == (2, "invalid_input.account")
    assert (wrong.status, wrong.code) == (7, "vault.cannot_unlock")
    assert phrase.text not in again.out + again.err + wrong.out + wrong.err


def test_an_imported_key_signs_for_its_address(folder: Path, phrase: Phrase) -> None:
    """The vault finds the key behind the pinned address; another address has none."""
    ran = initialise(folder, phrase.text, "--wallet", "existing", "--address", phrase.address(1))
    loaded = load_settings(Path(ran.json["config"]))
    passphrase = setup.passphrase_from(PASSPHRASE)

    async def signer_address() -> str:
        async with setup.unlocked(loaded, passphrase, clock=SystemClock()) as owned:
            return owned.custody.session().signer.info.address.value

    assert anyio.run(signer_address) == phrase.address(1)
