"""Presets: commented guard.toml texts, written by `mcp-wallet-guard init`. No preset lowers protection."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mcp_wallet_guard.config.settings import parse_settings
from mcp_wallet_guard.operations.values import Account, Amount, Asset
from mcp_wallet_guard.policy.rules import Payee

_ASK_EVERYTHING = """\
# Settings of mcp-wallet-guard. What stands here is in force once its owner sealed it into the vault:
#   mcp-wallet-guard policy apply
# An edit changes nothing before that, but for the vault's path, the page's port and how long a server waits.

vault = {vault}           # relative to this file
mode = {mode}

[chain]
id = {chain}
node = {node}             # https, or http to 127.0.0.1
symbol = {symbol}
decimals = {decimals}
max_fee_per_gas_gwei = "200"     # never offer more per gas
max_priority_fee_gwei = "5"
max_gas = 100_000

[account]
name = {account}
address = {address}

[policy]                         # without this table every payment is refused
max_per_transaction = {limit}
tokens = {{ {limits} }}
approvals = "refuse"             # "capped": others may be allowed to take tokens, up to the token's limit
level = "factor"                 # each payment: read it, type its match code, and a one-time code
payees = "any"                   # or a list: [{{ name = "Alice", address = "0x..." }}]

[approval]
expires_minutes = {minutes}
page_port = {port}                    # 0: any free port on 127.0.0.1
wait_seconds = 25                # how long a tool call waits for its owner

[lock]
idle_minutes = 15
max_hours = 12
locked_reads = "allow"           # "refuse": no balance is shown while the vault is locked
"""


def ask_everything(
    *,
    vault: str,
    mode: str,
    node: str,
    account: Account,
    native: Asset,
    max_per_transaction: Amount,
    tokens: Sequence[tuple[Asset, Amount]] = (),
    contacts: Sequence[Payee] = (),
    page_port: int = 0,
    expires_minutes: int = 10,
) -> str:
    """Every payment up to a limit, to anybody, is asked at `FACTOR`; of each pinned token up to its own. The text
    parses; Misconfigured otherwise."""
    source = _ASK_EVERYTHING.format(
        vault=_string(vault),
        mode=_string(mode),
        chain=account.chain.number,
        node=_string(node),
        symbol=_string(native.symbol),
        decimals=native.decimals,
        account=_string(account.name),
        address=_string(account.address.value),
        limit=_string(max_per_transaction.text),
        limits=", ".join(f"{_string(token.symbol)} = {_string(limit.text)}" for token, limit in tokens),
        minutes=expires_minutes,
        port=page_port,
    )
    source += "".join(_token(token) for token, _ in tokens) + "".join(_contact(contact) for contact in contacts)
    parse_settings(source)
    return source


def _token(token: Asset) -> str:
    address = _string(str(token.address))
    return f"\n[[tokens]]\nsymbol = {_string(token.symbol)}\naddress = {address}\ndecimals = {token.decimals}\n"


def _contact(contact: Payee) -> str:
    return f"\n[[contacts]]\nname = {_string(contact.name)}\naddress = {_string(contact.address.value)}\n"


def _string(text: str) -> str:
    # A JSON string is a TOML basic string, except that TOML wants DEL escaped as well.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
