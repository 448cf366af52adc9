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
from mcp_wallet_guard.errors import GuardError, InvalidInput, Unavailable
from mcp_wallet_guard.operations.values import Address, Amount, Asset, ChainId
from mcp_wallet_guard.pinned_url import PinnedUrl

MAX_TRIES: Final = 3
MAX_ANSWER: Final = 512
WALLETS: Final = ("new", "existing", "later")
DEFAULT_MAX: Final = "0.1"
T = TypeVar("T")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What to set up. `wallet` is one of `WALLETS`; `address` is that of a wallet that exists, where it was said."""

    wallet: str
    address: Address | None
    native: Asset
    node: str
    max_per_transaction: Amount
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
        for left in reversed(range(MAX_TRIES)):
            typed = terminal.ask(f"{question}{hint}: ", most=MAX_ANSWER)
            try:
                return parse(typed or default or "")
            except GuardError as error:
                if not left:
                    raise
                terminal.say(error.public, *([f"  {error.detail}"] if error.detail else []))
        raise AssertionError("the last try returns or raises")

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
    }
    return [name for name, is_missing in needed.items() if is_missing]


def _check_together(options: Namespace) -> None:
    if options.chain is not None and options.chain_id is not None:
        raise InvalidInput("invalid_input.chain", detail="--chain and --chain-id are two ways to say one thing")
    if options.words_fd is not None and options.wallet not in {None, "existing"}:
        raise InvalidInput("invalid_input", detail="--words-fd goes with --wallet existing")
    if options.address is not None and options.words_fd is None and options.wallet not in {"existing", "later"}:
        raise InvalidInput("invalid_input", detail="--address goes with --wallet existing or --wallet later")


def _collect(options: Namespace, asker: Asker) -> Wishes:
    wallet = asker.value(
        "Wallet: new, existing (you have its recovery phrase), or later (only its address for now)",
        choice(*WALLETS), given=_wallet(options), default="new",
    )  # fmt: skip
    address = _address(options, asker, wallet)
    number = None if options.chain_id is None else str(options.chain_id)
    known = asker.value(
        f"Chain: {', '.join(KNOWN_CHAINS)}, or the number of another one", _chain, given=options.chain or number
    )
    native = _native(options, asker, known)
    node = asker.value("Its node (https, or http to 127.0.0.1)", _node, given=options.node, default=known.node)
    most = asker.value(
        f"The most that can be asked for at once, in {native.symbol}", Amount.parse,
        given=options.max_per_transaction, default=DEFAULT_MAX,
    )  # fmt: skip
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
    decimals = None if options.decimals is None else str(options.decimals)
    symbol = quiet.value("The symbol of its currency", str, given=options.symbol, default=known.symbol)
    places = quiet.value("The decimals of its currency", _number, given=decimals, default=str(known.decimals))
    return Asset(ChainId(known.number), symbol, places)


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
