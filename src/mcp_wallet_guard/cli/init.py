"""``init``: from nothing to a wallet whose policy is in force.

Threat: T-076, T-086.
"""

from __future__ import annotations

import json
from typing import Final

from mcp_wallet_guard import danger, setup
from mcp_wallet_guard.cli.invocation import Invocation, run_async
from mcp_wallet_guard.cli.output import Report
from mcp_wallet_guard.config.presets import ask_everything
from mcp_wallet_guard.config.settings import parse_settings
from mcp_wallet_guard.errors import InvalidInput, Misconfigured, Unavailable
from mcp_wallet_guard.operations.values import Account, Address, Amount, Asset, ChainId

VAULT: Final = "vault.json"
_STAND_IN: Final = Address.from_bytes(b"\x11" * 20)


def init(invocation: Invocation, /) -> Report:
    """Check everything that can be checked first; then vault, settings, words for the owner, and the first sealing.

    Raises Misconfigured("misconfigured.vault_exists", "misconfigured.settings"), InvalidInput, Unavailable.
    """
    path = invocation.settings_path.absolute()
    vault_path = path.parent / VAULT
    waiver = _waiver(invocation)
    parse_settings(_settings_text(invocation, _STAND_IN))
    if vault_path.exists():
        raise Misconfigured("misconfigured.vault_exists", detail=str(vault_path))
    if path.exists():
        raise Misconfigured("misconfigured.settings", detail=f"{path} exists already")
    invocation.check_secrets_place()
    with invocation.new_passphrase() as passphrase:
        label = invocation.options.account
        now = invocation.clock.now()
        new = setup.new_vault(vault_path, passphrase=passphrase, label=label, now=now, waiver=waiver)
        loaded = setup.write_settings(path, _settings_text(invocation, Address.parse(new.address)))
        try:
            invocation.show_secrets(*wallet_secrets(new.address, new.words, factor_uri=new.factor_uri))
        except Unavailable as error:
            lost = f"{error.detail}; nobody has the words of this new wallet: remove {path.parent} and begin again"
            raise Unavailable(error.code, detail=lost) from None
        run_async(lambda: setup.put_in_force(loaded, passphrase, clock=invocation.clock))
    return Report(
        fields={"address": new.address, "config": str(path), "vault": str(vault_path), "factor": new.factor_id},
        lines=(
            f"Address:  {new.address}",
            f"Settings: {path}",
            f"Vault:    {vault_path}",
            "The policy is in force. Next: mcp-wallet-guard start, then mcp-wallet-guard unlock",
        ),
    )


def wallet_secrets(
    address: str, words: tuple[str, ...], /, *, factor_uri: str | None
) -> tuple[dict[str, object], tuple[str, ...]]:
    """What the owner sees once: for a program, and for a person."""
    fields: dict[str, object] = {"address": address, "words": " ".join(words)}
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


def factor_lines(uri: str, /) -> list[str]:
    """How a person takes a new factor over into an authenticator app."""
    return ["", "Add this to your authenticator app; whoever reads it can make your codes:", f"   {uri}"]


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


def _settings_text(invocation: Invocation, address: Address) -> str:
    options = invocation.options
    chain = ChainId(options.chain_id)
    text = ask_everything(
        vault=VAULT,
        mode=options.mode,
        node=options.node,
        account=Account(options.account, chain, address),
        native=Asset(chain, options.symbol, options.decimals),
        max_per_transaction=Amount.parse(options.max_per_transaction),
    )
    if options.danger_cheap_kdf is not None:
        text += f"\n[danger]\ncheap_kdf = {json.dumps(options.danger_cheap_kdf)}\n"
    return text
