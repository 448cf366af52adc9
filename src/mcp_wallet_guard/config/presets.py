"""Presets: commented guard.toml texts, written by `mcp-wallet-guard init`. No preset lowers protection.

`ask-everything` asks about each payment. `small-budget` is the same with one mandate beside it, which is inert until
its owner approved it with a code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, final

from mcp_wallet_guard.config.settings import parse_settings
from mcp_wallet_guard.operations.values import Account, Amount, Asset
from mcp_wallet_guard.policy.rules import Payee

_ASK_EVERYTHING = """\
# Settings of mcp-wallet-guard. What stands here is in force once its owner sealed it into the vault:
#   mcp-wallet-guard policy apply
# An edit changes nothing before that, but for the vault's path, the page's port and how long a server waits.

vault = {vault}           # the keys, sealed; relative to this file
mode = {mode}                  # "daemon": a process of its own holds them; "embedded": the MCP server does

[chain]
id = {chain}                           # its EIP-155 number; a node that says another one is refused
node = {node}             # https, or http to 127.0.0.1
symbol = {symbol}                   # what amounts without a token are of
decimals = {decimals}                    # its places after the point
max_fee_per_gas_gwei = "200"     # never offer more per gas
max_priority_fee_gwei = "5"      # never tip more per gas
max_gas = 100_000                # never let one payment take more gas

[account]
name = {account}                    # what you call it
address = {address}  # the only one that pays

[policy]                         # without this table every payment is refused
max_per_transaction = {limit}      # more than this cannot even be asked for
tokens = {{ {limits} }}                    # which of [[tokens]] may be spent, and how much at once: {{ USDC = "100" }}
approvals = "refuse"             # "capped": others may be allowed to take tokens, up to the token's limit
level = "factor"                 # each payment: read it, type its match code, and a one-time code
payees = "any"                   # or a list: [{{ name = "Alice", address = "0x..." }}]
{budget}
[approval]
expires_minutes = {minutes}             # after this an unanswered question is closed
page_port = {port}                    # 0: any free port on 127.0.0.1
wait_seconds = 25                # how long a tool call waits for its owner

[lock]
idle_minutes = 15                # without anything done, the keys are wiped after this
max_hours = 12                   # and in any case after this
locked_reads = "allow"           # "refuse": no balance is shown while the vault is locked
"""

_BUDGET = """\
groups = {{ trusted = {names} }}   # names of [[contacts]]

[[policy.mandates]]              # paid without a question, once "policy apply" or "init" got a code for it
name = "small payments"          # the journal and "status" call it so
tools = {tools}                  # through these tools alone
asset = {asset}                    # of this currency or token
group = "trusted"                # to these payees alone
max_per_transaction = {cap}      # one payment
max_fee = {max_fee}               # and its fee
amount = {amount}                  # all together within the window
count = {count}                       # and as many payments
window = {window}                   # it slides
valid_days = {days}                  # after this each payment is asked again, until a new code
"""


SMALL_PAYMENT: Final = Amount("0.005")
SMALL_FEE: Final = Amount("0.002")
SMALL_AMOUNT: Final = Amount("0.02")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SmallBudget:
    """The bounds of the mandate of `small-budget`, as in guard.toml. Amounts are of the chain's currency."""

    payees: tuple[Payee, ...]
    max_per_transaction: Amount = SMALL_PAYMENT
    max_fee: Amount = SMALL_FEE
    amount: Amount = SMALL_AMOUNT
    count: int = 10
    window: str = "24h"
    days: int = 30
    tools: tuple[str, ...] = ("pay",)


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
    budget: SmallBudget | None = None,
) -> str:
    """Every payment up to a limit, to anybody, is asked at `FACTOR`; of each pinned token up to its own. With a
    `budget` it is the preset small-budget, whose payees are contacts. The text parses; Misconfigured otherwise."""
    known = (*contacts, *(() if budget is None else budget.payees))
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
        budget="" if budget is None else _budget(budget, native),
    )
    source += "".join(_token(token) for token, _ in tokens) + "".join(_contact(contact) for contact in known)
    parse_settings(source)
    return source


def _budget(budget: SmallBudget, native: Asset) -> str:
    return _BUDGET.format(
        names=_strings(payee.name for payee in budget.payees),
        tools=_strings(budget.tools),
        asset=_string(native.symbol),
        cap=_string(budget.max_per_transaction.text),
        max_fee=_string(budget.max_fee.text),
        amount=_string(budget.amount.text),
        count=budget.count,
        window=_string(budget.window),
        days=budget.days,
    )


def _strings(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_string, texts))}]"


def _token(token: Asset) -> str:
    address = _string(str(token.address))
    return f"\n[[tokens]]\nsymbol = {_string(token.symbol)}\naddress = {address}\ndecimals = {token.decimals}\n"


def _contact(contact: Payee) -> str:
    return f"\n[[contacts]]\nname = {_string(contact.name)}\naddress = {_string(contact.address.value)}\n"


def _string(text: str) -> str:
    # A JSON string is a TOML basic string, except that TOML wants DEL escaped as well.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
