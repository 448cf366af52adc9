"""``init``: from nothing to a wallet whose policy is in force.

Threat: T-076, T-086.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from mcp_wallet_guard import danger, mandates, setup
from mcp_wallet_guard.cli import first_payment, host, telling
from mcp_wallet_guard.cli.enrolment import factor_lines, finish
from mcp_wallet_guard.cli.invocation import Invocation, run_async
from mcp_wallet_guard.cli.output import Report
from mcp_wallet_guard.cli.parser import PROGRAM
from mcp_wallet_guard.cli.questions import Wishes, wishes
from mcp_wallet_guard.config.file import LoadedSettings
from mcp_wallet_guard.config.presets import ask_everything
from mcp_wallet_guard.config.settings import parse_settings
from mcp_wallet_guard.errors import FactorRejected, InvalidInput, Misconfigured, Unavailable
from mcp_wallet_guard.keys.vault import read_public
from mcp_wallet_guard.operations.values import Account, Address
from mcp_wallet_guard.secret import Secret
from mcp_wallet_guard.setup import ExistingWallet, NewWallet

VAULT: Final = "vault.json"
INERT: Final = "Small payments are asked too, until a code allowed them: mcp-wallet-guard policy apply"
NEXT: Final = ("start", "unlock")
NEXT_WITHOUT_KEY: Final = ("wallet import", "policy apply")
_STAND_IN: Final = Address.from_bytes(b"\x11" * 20)


def init(invocation: Invocation, /) -> Report:
    """Ask and check everything that can be asked and checked first; then vault, settings, words for the owner, a code
    of the new factor, and the first sealing.

    Raises Misconfigured("misconfigured.vault_exists", "misconfigured.settings"), InvalidInput, FactorRejected,
    Unavailable.
    """
    path = invocation.settings_path.absolute()
    vault_path = path.parent / VAULT
    waiver = _waiver(invocation)
    server = host.check_server(invocation.options.server)
    if vault_path.exists():
        raise Misconfigured("misconfigured.vault_exists", detail=_what_is_there(vault_path))
    if path.exists():
        raise Misconfigured("misconfigured.settings", detail=f"{path} exists already")
    wished = wishes(invocation.options)
    parse_settings(_settings_text(invocation, wished, _STAND_IN))
    invocation.check_secrets_place()
    if wished.test_payment:
        first_payment.check_possible(wished)
    with _existing(invocation, wished) as existing, invocation.new_passphrase() as passphrase:
        label, now = invocation.options.account, invocation.clock.now()
        new = setup.new_vault(vault_path, passphrase=passphrase, label=label, now=now, waiver=waiver, existing=existing)
        loaded = setup.write_settings(path, _settings_text(invocation, wished, Address.parse(new.address)))
        _show(invocation, new, path.parent)
        proven = wished.wallet != "later" and _put_in_force(invocation, loaded, passphrase)
        paid = first_payment.pay(invocation, loaded, passphrase) if wished.test_payment else None
    return _report(loaded, new, wished, proven=proven, server=server, paid=paid)


def wallet_secrets(
    address: str, words: tuple[str, ...], /, *, factor_uri: str | None
) -> tuple[dict[str, object], tuple[str, ...]]:
    """What the owner sees once: for a program, and for a person."""
    fields: dict[str, object] = {"address": address}
    lines: list[str] = []
    if words:
        fields["words"] = " ".join(words)
        numbered = [f"{number:>2} {word:<9}" for number, word in enumerate(words, 1)]
        lines = [
            "",
            f"Recovery words of {address}. Write them down now, on paper; they are not shown again:",
            *("   " + "  ".join(numbered[row : row + 6]) for row in range(0, len(numbered), 6)),
        ]
    if factor_uri is not None:
        fields["factor_uri"] = factor_uri
        lines += factor_lines(factor_uri)
    return fields, (*lines, "")


def _what_is_there(vault_path: Path) -> str:
    """The vault's path, and what an earlier `init` left to be done."""
    is_in_force = read_public(vault_path).settings is not None
    return str(vault_path) if is_in_force else f"{vault_path}: nothing is in force yet ({PROGRAM} policy apply)"


@contextmanager
def _existing(invocation: Invocation, wished: Wishes) -> Iterator[ExistingWallet | None]:
    """The wallet that its owner brings along, wiped at the end; None for a new one."""
    if wished.wallet == "later" and wished.address is not None:
        yield ExistingWallet(address=wished.address.value)
    elif wished.wallet == "existing":
        with invocation.recovery_phrase() as phrase:
            existing = setup.existing_wallet(phrase, address=wished.address)
        try:
            yield existing
        finally:
            existing.wipe()
    else:
        yield None


def _show(invocation: Invocation, new: NewWallet, folder: Path) -> None:
    fields, lines = wallet_secrets(new.address, new.words, factor_uri=new.factor_uri)
    try:
        invocation.show_secrets(fields, lines, qr=new.factor_uri)
    except Unavailable as error:
        lost = f"{error.detail}; nobody has the words of this new wallet: remove {folder} and begin again"
        raise Unavailable(error.code, detail=lost) from None


def _put_in_force(invocation: Invocation, loaded: LoadedSettings, passphrase: Secret) -> bool:
    """Whether a code was proven."""

    def prove(code: str | None) -> None:
        run_async(lambda: setup.put_in_force(loaded, passphrase, clock=invocation.clock, code=code))

    bounds = [line for mandate in mandates.of(loaded.settings) for line in telling.bounds(mandate, loaded.settings)]
    if bounds and invocation.options.code_fd is None and not invocation.is_a_program:
        invocation.say("With the code you allow this to be paid without a question:", *bounds, "")
    try:
        return finish(invocation, prove)
    except FactorRejected as error:
        left = "the wallet is made, and not in force yet; with a code that counts: mcp-wallet-guard policy apply"
        raise FactorRejected(error.code, detail=left) from None


def _report(
    loaded: LoadedSettings,
    new: NewWallet,
    wished: Wishes,
    /,
    *,
    proven: bool,
    server: Path | None,
    paid: dict[str, Any] | None,
) -> Report:
    in_force = wished.wallet != "later"
    is_inert = wished.budget is not None and not proven
    names = (*(NEXT if in_force else NEXT_WITHOUT_KEY), *(("policy apply",) if in_force and is_inert else ()))
    commands = [f"{PROGRAM} {name}" for name in names]
    first = "The policy is in force." if in_force else "Nothing is in force before the wallet's key is here."
    return Report(
        fields={
            "address": new.address,
            "config": str(loaded.path),
            "vault": str(loaded.vault_path),
            "factor": new.factor_id,
            "factor_proven": proven,
            "in_force": in_force,
            "small_budget": None if wished.budget is None else "inert" if is_inert else "approved",
            "test_payment": paid,
            "next": commands,
            "host": host.configuration(server, loaded.path),
        },
        lines=(
            f"Address:  {new.address}",
            f"Settings: {loaded.path}",
            f"Vault:    {loaded.vault_path}",
            f"{first} Next: {', then '.join(commands)}",
            *((INERT,) if is_inert else ()),
            *(() if paid is None else first_payment.told(paid)),
            *host.told(server, loaded.path),
        ),
        exit_status=0 if paid is None or paid["outcome"] in first_payment.PAID else 1,
    )


def _waiver(invocation: Invocation) -> danger.CheapKdf | None:
    reason = invocation.options.danger_cheap_kdf
    if (invocation.options.kdf == "cheap") != (reason is not None):
        raise InvalidInput("invalid_input", detail="--kdf cheap and --danger-cheap-kdf REASON belong together")
    if reason is None:
        return None
    try:
        return danger.cheap_kdf(reason=reason)
    except ValueError as error:
        raise InvalidInput("invalid_input", detail=str(error)) from None


def _settings_text(invocation: Invocation, wished: Wishes, address: Address) -> str:
    options = invocation.options
    text = ask_everything(
        vault=VAULT,
        mode=options.mode,
        node=wished.node,
        account=Account(options.account, wished.native.chain, address),
        native=wished.native,
        max_per_transaction=wished.max_per_transaction,
        budget=wished.budget,
    )
    if options.danger_cheap_kdf is not None:
        text += f"\n[danger]\ncheap_kdf = {json.dumps(options.danger_cheap_kdf)}\n"
    return text
