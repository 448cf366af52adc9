"""What ``init`` is told: by options, and by questions on the controlling terminal where an option is missing.

With every needed option given nothing is asked, and the others have their defaults. Without a terminal a missing one is
an error that names it. Nothing secret is asked here.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar, final

from mcp_wallet_guard.approvals.terminal import Terminal, controlling_terminal
from mcp_wallet_guard.config.known_chains import KNOWN_CHAINS, LOCAL, KnownChain
from mcp_wallet_guard.config.presets import SmallBudget
from mcp_wallet_guard.errors import GuardError, InvalidInput, Unavailable
from mcp_wallet_guard.operations.values import Address, Amount, Asset, ChainId
from mcp_wallet_guard.pinned_url import PinnedUrl
from mcp_wallet_guard.policy.rules import Payee

MAX_TRIES: Final = 3
MAX_ANSWER: Final = 512
WALLETS: Final = ("new", "existing", "later")
PRESETS: Final = ("ask-everything", "small-budget")
DEFAULT_MAX: Final = "0.1"
_SMALL: Final = (
    "payee", "small_payment", "small_fee", "budget", "budget_count", "budget_window", "budget_days", "budget_tool",
)  # fmt: skip
T = TypeVar("T")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What to set up. `wallet` is one of `WALLETS`; `address` is that of a wallet that exists, where it was said;
    `budget` is that of the preset small-budget."""

    wallet: str
    address: Address | None
    native: Asset
    node: str
    max_per_transaction: Amount
    budget: SmallBudget | None
    test_payment: bool


@final
class Asker:
    """Takes what an option gave, else what a person types, else the default. None for `terminal`: nobody is asked."""

    def __init__(self, terminal: Terminal | None, /) -> None:
        self._terminal: Final = terminal

    def value(self, question: str, parse: Callable[[str], T], /, *, given: str | None, default: str | None = None) -> T:
        """Raises what `parse` raises; a person may try three times."""
        terminal = self._terminal
        if given is not None or terminal is None:
            return parse(given if given is not None else default or "")
        hint = "" if default is None else f" [{default}]"
        for _ in range(MAX_TRIES - 1):
            try:
                return parse(terminal.ask(f"{question}{hint}: ", most=MAX_ANSWER) or default or "")
            except GuardError as error:
                terminal.say(error.public, *([f"  {error.detail}"] if error.detail else []))
        return parse(terminal.ask(f"{question}{hint}: ", most=MAX_ANSWER) or default or "")

    def several(self, question: str, parse: Callable[[str], T], /, *, given: list[str] | None) -> tuple[T, ...]:
        """One or more: those of an option, or what a person types until an empty line. Raises as `value`."""
        if given:
            return tuple(parse(text) for text in given)
        found = [self.value(question, parse, given=None)]
        while (more := self.value(f"{question} (Enter: no more)", _or_none(parse), given=None)) is not None:
            found.append(more)
        return tuple(found)

    def is_wanted(self, question: str, /, *, given: bool) -> bool:
        """Yes, unless a person says no; as `given` where nobody is asked."""
        if given or self._terminal is None:
            return given
        return self.value(f"{question} (yes or no)", choice("yes", "no"), given=None, default="yes") == "yes"


def wishes(options: Namespace, /) -> Wishes:
    """Raises InvalidInput, and Misconfigured("misconfigured.settings") for a node that nobody may speak to."""
    _check_together(options)
    missing = _missing(options)
    if not missing:
        return _collect(options, Asker(None))
    try:
        with controlling_terminal() as terminal:
            terminal.say("", "A new guarded wallet. Enter takes what stands in brackets.", "")
            return _collect(options, Asker(terminal))
    except Unavailable:
        detail = f"missing: {', '.join(missing)} (there is no terminal to ask on)"
        raise InvalidInput("invalid_input", detail=detail) from None


def _or_none(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    return lambda text: parse(text) if text else None


def choice(*words: str) -> Callable[[str], str]:
    """A parser of one of `words`, or of its beginning."""

    def parse(text: str) -> str:
        found = [word for word in words if text and word.startswith(text.lower())]
        exact = [word for word in found if word == text.lower()]
        if len(exact or found) != 1:
            raise InvalidInput("invalid_input", detail=f"one of: {', '.join(words)}")
        return (exact or found)[0]

    return parse


def _missing(options: Namespace) -> list[str]:
    """The options without which nothing can be set up."""
    local = _named(options) == "local"
    needed = {
        "--chain NAME (or --chain-id N)": options.chain is None and options.chain_id is None,
        "--node URL": options.node is None and not local,
        "--max-per-transaction AMOUNT": options.max_per_transaction is None,
        "--address 0xADDRESS": options.wallet == "later" and options.address is None,
        "--payee NAME=0xADDRESS": options.preset == "small-budget" and not options.payee,
    }
    return [name for name, is_missing in needed.items() if is_missing]


def _check_together(options: Namespace) -> None:
    if options.chain is not None and options.chain_id is not None:
        raise InvalidInput("invalid_input.chain", detail="--chain and --chain-id are two ways to say one thing")
    if options.words_fd is not None and options.wallet not in {None, "existing"}:
        raise InvalidInput("invalid_input", detail="--words-fd goes with --wallet existing")
    only_small = [f"--{name.replace('_', '-')}" for name in _SMALL if getattr(options, name) is not None]
    if only_small and options.preset != "small-budget":
        raise InvalidInput("invalid_input", detail=f"{only_small[0]} goes with --preset small-budget")
    if options.address is not None and options.words_fd is None and options.wallet not in {"existing", "later"}:
        raise InvalidInput("invalid_input", detail="--address goes with --wallet existing or --wallet later")


def _collect(options: Namespace, asker: Asker) -> Wishes:
    wallet = asker.value(
        "Wallet: new, existing (you have its recovery phrase), or later (only its address for now)",
        choice(*WALLETS), given=_wallet(options), default="new",
    )  # fmt: skip
    address = _address(options, asker, wallet)
    known = asker.value(
        f"Chain: {', '.join(KNOWN_CHAINS)}, or the number of another one",
        _chain,
        given=options.chain or _text(options.chain_id),
    )
    native = _native(options, asker, known)
    node = asker.value("Its node (https, or http to 127.0.0.1)", _node, given=options.node, default=known.node)
    most = asker.value(
        f"The most that can be asked for at once, in {native.symbol}", Amount.parse,
        given=options.max_per_transaction, default=DEFAULT_MAX,
    )  # fmt: skip
    budget = _budget(options, asker, native)
    local = known.number == LOCAL.number and wallet != "later"
    test_payment = options.test_payment or (
        local and asker.is_wanted("Fund it and make a test payment at the end", given=False)
    )
    return Wishes(
        wallet=wallet,
        address=address,
        native=native,
        node=node,
        max_per_transaction=most,
        budget=budget,
        test_payment=test_payment,
    )


def _wallet(options: Namespace) -> str | None:
    return "existing" if options.words_fd is not None else options.wallet


def _address(options: Namespace, asker: Asker, wallet: str) -> Address | None:
    if wallet == "new":
        return None
    if wallet == "existing":
        question = "Its address (Enter: the phrase's first account)"
        return asker.value(question, lambda typed: Address.parse(typed) if typed else None, given=options.address)
    return asker.value("Its address", Address.parse, given=options.address)


def _native(options: Namespace, asker: Asker, known: KnownChain) -> Asset:
    named = known in KNOWN_CHAINS.values()
    quiet = Asker(None) if named else asker
    symbol = quiet.value("The symbol of its currency", str, given=options.symbol, default=known.symbol)
    places = quiet.value(
        "The decimals of its currency", _number, given=_text(options.decimals), default=str(known.decimals)
    )
    return Asset(ChainId(known.number), symbol, places)


def _budget(options: Namespace, asker: Asker, native: Asset) -> SmallBudget | None:
    """The bounds of the preset small-budget, or None for ask-everything."""
    preset = asker.value(
        "Payments: ask-everything, or small-budget (small ones to payees that you name need no question)",
        choice(*PRESETS), given=options.preset, default=PRESETS[0],
    )  # fmt: skip
    if preset == PRESETS[0]:
        return None
    payees = asker.several("A payee, as NAME=0xADDRESS", _payee, given=options.payee)
    unset = SmallBudget(payees=payees)

    def amount(question: str, given: str | None, default: Amount) -> Amount:
        return asker.value(f"{question}, in {native.symbol}", Amount.parse, given=given, default=default.text)

    return SmallBudget(
        payees=payees,
        max_per_transaction=amount("The most of one small payment", options.small_payment, unset.max_per_transaction),
        max_fee=amount("The most of its fee", options.small_fee, unset.max_fee),
        amount=amount("The most of all of them together", options.budget, unset.amount),
        window=asker.value("Within (such as 90m, 24h, 7d)", str, given=options.budget_window, default=unset.window),
        count=asker.value("In how many payments", _number, given=_text(options.budget_count), default=str(unset.count)),
        days=asker.value("For how many days", _number, given=_text(options.budget_days), default=str(unset.days)),
        tools=tuple(options.budget_tool or unset.tools),
    )


def _payee(text: str) -> Payee:
    name, _, address = text.partition("=")
    return Payee(name=name.strip(), address=Address.parse(address.strip()))


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _chain(text: str) -> KnownChain:
    if (known := KNOWN_CHAINS.get(text.lower())) is not None:
        return known
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        names = ", ".join(KNOWN_CHAINS)
        raise InvalidInput("invalid_input.chain", detail=f"neither a number nor one of: {names}")
    return KnownChain(number=ChainId(int(text)).number)


def _named(options: Namespace) -> str | None:
    return None if options.chain is None else str(options.chain).lower()


def _node(text: str) -> str:
    return PinnedUrl.parse(text).text


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise InvalidInput("invalid_input", detail="a whole number")
    return int(text)
