"""Every command and option, in one place. Knows no other module of the package but errors, so that it is cheap.

No option takes a secret: passphrases, codes and recovery words travel over the controlling terminal or a descriptor
that is named. Threat: T-065.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from mcp_wallet_guard.errors import InvalidInput

PROGRAM: Final = "mcp-wallet-guard"
DIRECTORY: Final = ".mcp-wallet-guard"
SETTINGS: Final = "guard.toml"

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction["Parser"]  # noqa: SLF001 - argparse has no public name for it


class Parser(argparse.ArgumentParser):
    """argparse that raises InvalidInput instead of leaving the process."""

    def error(self, message: str) -> NoReturn:
        """Part of ArgumentParser."""
        raise InvalidInput("invalid_input", detail=f"{message} (see: {self.prog} --help)")


def parse(words: list[str], /) -> argparse.Namespace:
    """The options; `run` names the command as ``module:function``.

    Raises InvalidInput for what is not understood; unknown words are not repeated, they may be a secret typed by
    mistake. ``--help`` and ``--version`` print and leave with SystemExit(0).
    """
    options, unknown = make_parser().parse_known_args(words)
    if unknown:
        names = sorted({word.partition("=")[0] for word in unknown if word.startswith("--")})
        what = f"unknown option {', '.join(names)}" if names else f"{len(unknown)} more arguments than expected"
        raise InvalidInput("invalid_input", detail=f"{what} (see: {PROGRAM} --help)")
    return options


def make_parser() -> Parser:
    """The whole command line."""
    parser = Parser(prog=PROGRAM, description="A signing guard for crypto-wallet MCP servers.", allow_abbrev=False)
    parser.add_argument("--version", action=_Version, help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    _add_init(commands)
    _add_running(commands)
    _add_approvals(commands)
    _add_wallet(commands)
    _add_factor(commands)
    _add_venue(commands)
    _add_records(commands)
    _add_view(commands)
    _add_descriptors(commands)
    _add_lists(commands)
    _add_host(commands)
    _add_demo(commands)
    return parser


def _add_init(commands: _Commands) -> None:
    new = _command(
        commands, "init", "init:init",
        "Make a vault with a new wallet and a one-time-code factor, write guard.toml, and put it in force.",
    )  # fmt: skip
    _add_chain(new)
    _add_policy(new)
    new.add_argument(
        "--wallet", choices=("new", "existing", "later"),
        help="make one, take one over by its recovery phrase, or pin its address and import it later (default: new)",
    )  # fmt: skip
    new.add_argument("--address", metavar="0xADDRESS", help="the existing wallet's account")
    _add_words(new)
    new.add_argument("--account", default="main", metavar="NAME", help="a name for the account (default: main)")
    new.add_argument(
        "--mode", choices=("daemon", "embedded"), default="daemon", help="where the guard runs (default: daemon)"
    )
    new.add_argument("--server", type=Path, metavar="FILE", help="your MCP server, for the host's configuration")
    new.add_argument(
        "--test-payment", action="store_true", help="on the local chain: fund the wallet, and make one guarded payment"
    )
    new.add_argument(
        "--kdf", choices=("default", "cheap"), default="default", help="scrypt's cost (default: about one second)"
    )
    new.add_argument(
        "--danger-cheap-kdf", metavar="REASON", help="needed for --kdf cheap: why a weak vault is wanted; journalled"
    )
    _add_passphrase(new)
    _add_secrets(new)
    _add_code(new)


def _add_chain(new: argparse.ArgumentParser) -> None:
    new.add_argument(
        "--chain",
        metavar="NAME",
        help="ethereum, sepolia, base, base-sepolia, optimism, local (for development)",
    )
    new.add_argument("--chain-id", type=int, metavar="N", help="EIP-155 number of any other chain")
    new.add_argument(
        "--node", metavar="URL",
        help="the chain's node: https, or http to 127.0.0.1 (default for local: http://127.0.0.1:8545)",
    )  # fmt: skip
    new.add_argument("--symbol", metavar="TEXT", help="the native currency (default: the chain's, or ETH)")
    new.add_argument("--decimals", type=int, metavar="N", help="its decimals (default: the chain's, or 18)")


def _add_policy(new: argparse.ArgumentParser) -> None:
    new.add_argument("--max-per-transaction", metavar="AMOUNT", help='the most that can be asked for, such as "0.1"')
    new.add_argument(
        "--preset", choices=("ask-everything", "small-budget"),
        help="ask about each payment, or pay small ones to known payees without a question (default: ask-everything)",
    )  # fmt: skip
    new.add_argument(
        "--payee", action="append", metavar="NAME=0xADDRESS", help="small-budget: who may be paid; may be repeated"
    )
    new.add_argument("--small-payment", metavar="AMOUNT", help="small-budget: the most at once (default: 0.005)")
    new.add_argument("--small-fee", metavar="AMOUNT", help="small-budget: the most as a fee (default: 0.002)")
    new.add_argument("--budget", metavar="AMOUNT", help="small-budget: the most within the window (default: 0.02)")
    new.add_argument("--budget-count", type=int, metavar="N", help="small-budget: payments within it (default: 10)")
    new.add_argument("--budget-window", metavar="TIME", help="small-budget: such as 90m, 24h or 7d (default: 24h)")
    new.add_argument("--budget-days", type=int, metavar="N", help="small-budget: good for so long (default: 30)")
    new.add_argument(
        "--budget-tool", action="append", metavar="NAME", help="small-budget: a tool that may use it (default: pay)"
    )


def _add_running(commands: _Commands) -> None:
    _command(commands, "start", "running:start", "Run the guard in the foreground: sockets, approval page, locked.")
    _command(commands, "stop", "running:stop", "Lock the running guard and end it.")
    unlock = _command(commands, "unlock", "running:unlock", "Unlock the running guard.")
    _add_passphrase(unlock)
    _command(commands, "lock", "running:lock", "Wipe the running guard's keys. Open requests stay.")
    _command(commands, "status", "running:status", "How the running guard stands.")


def _add_approvals(commands: _Commands) -> None:
    approve = _command(
        commands, "approve", "approval:approve", "Read a request on the controlling terminal and answer it."
    )
    approve.add_argument("id", nargs="?", metavar="ID", help="the request; may be left out when only one waits")
    decline = _command(commands, "decline", "approval:decline", "Say no to a request, on the controlling terminal.")
    decline.add_argument("id", nargs="?", metavar="ID", help="the request; may be left out when only one waits")
    _command(commands, "requests", "approval:requests", "List what waits for an answer.")


def _add_wallet(commands: _Commands) -> None:
    wallet = _group(commands, "wallet", "The vault's wallets.")
    create = _command(wallet, "create", "wallet:create", "Generate one more wallet in the vault; no guard may run.")
    create.add_argument("--label", required=True, metavar="NAME", help="a name for it")
    _add_passphrase(create)
    _add_secrets(create)
    taken = _command(
        wallet, "import", "wallet:import_existing", "Take over a wallet with its recovery phrase; no guard may run."
    )
    taken.add_argument("--label", default="main", metavar="NAME", help="a name for it (default: main)")
    taken.add_argument("--address", metavar="0xADDRESS", help="its account (default: the one that guard.toml pins)")
    _add_words(taken)
    _add_passphrase(taken)
    _command(wallet, "address", "wallet:address", "The wallets' addresses, as the vault file says them in the open.")


def _add_factor(commands: _Commands) -> None:
    factor = _group(commands, "factor", "The second factor.")
    enrol = _command(
        factor, "enrol", "factor:enrol", "Enrol the first one-time-code factor of a vault; no guard may run."
    )
    enrol.add_argument("--label", default="main", metavar="NAME", help="its name in the app (default: main)")
    _add_passphrase(enrol)
    _add_secrets(enrol)
    _add_code(enrol)
    unlock = _command(
        factor, "unlock", "factor:unlock", "Open a factor that wrong codes locked: passphrase and a fresh code."
    )
    _add_passphrase(unlock)
    _add_code(unlock)


def _add_venue(commands: _Commands) -> None:
    venue = _group(commands, "venue", "The venues that guard.toml names.")
    key = _command(
        venue,
        "key",
        "venue:key",
        "Seal a venue's API key in the vault, in the place of an earlier one; no guard may run.",
    )
    key.add_argument("name", nargs="?", metavar="NAME", help="the venue; may be left out where there is only one")
    key.add_argument("--days", type=int, default=90, metavar="N", help="good for so long, 1 to 366 (default: 90)")
    key.add_argument(
        "--key-fd", type=_descriptor, metavar="N",
        help="read the key's id and its secret, a line each, from this descriptor, not the terminal",
    )  # fmt: skip
    _add_passphrase(key)


def _add_records(commands: _Commands) -> None:
    policy = _group(commands, "policy", "The settings in force.")
    apply = _command(
        policy, "apply", "policy:apply", "Show what guard.toml changes, and put it in force with a fresh code."
    )
    _add_code(apply)
    _add_passphrase(apply, "the passphrase, which only the very first time needs, when no guard may run")
    store = _group(commands, "store", "The guard's records.")
    acknowledge = _command(
        store, "acknowledge", "store:acknowledge",
        "Accept records that are new, foreign or older than they were; no guard may run.",
    )  # fmt: skip
    _add_passphrase(acknowledge)
    _add_code(acknowledge)
    log = _group(commands, "log", "The journal.")
    _command(
        log, "verify", "log:verify",
        "Verify the journal: its chain, and under the key too when an unlocked guard runs.",
    )  # fmt: skip
    tail = _command(log, "tail", "log:tail", "Verify the journal and show its newest entries, a line each.")
    tail.add_argument("--lines", type=int, default=20, metavar="N", help="how many (default: 20)")
    explain = _command(
        log, "explain", "log:explain",
        "Tell one payment from its question to its end: what was shown, who approved it how, what became of it.",
    )  # fmt: skip
    explain.add_argument("about", metavar="ID", help="the operation's id, or the transaction's hash with 0x")


def _add_view(commands: _Commands) -> None:
    view = _command(
        commands, "view", "view:view", "Show what a transaction, typed data or a message would do, from its bytes."
    )
    view.add_argument(
        "what", metavar="TX.json|HEX", help="hex, a file with hex or JSON (a transaction, EIP-712 typed data), or -"
    )
    view.add_argument("--message", action="store_true", help="it is a message for personal_sign: text, or 0x and hex")
    view.add_argument("--account", metavar="0xADDRESS", help="who would sign (default: guard.toml's account)")
    view.add_argument("--chain-id", type=int, metavar="N", help="the wallet's chain, where the bytes name none")
    view.add_argument(
        "--token-list", type=Path, action="append", metavar="FILE", help="a token list to trust; may be repeated"
    )
    view.add_argument(
        "--descriptors", type=Path, metavar="DIR", help="a checkout of ERC-7730 descriptors, instead of the installed"
    )
    view.add_argument("--width", type=int, default=76, metavar="N", help="columns, at least 20 (default: 76)")
    view.add_argument("--format", choices=("text", "markdown"), default="text", help="default: text")
    view.add_argument("--checks", action="store_true", help="list every check: raised, passed, not checked")


def _add_descriptors(commands: _Commands) -> None:
    group = _group(commands, "descriptors", "ERC-7730 descriptors, which tell what calls of a contract mean.")
    add = _command(group, "add", "descriptors:add", "Install a local checkout of descriptors, and print its pin.")
    add.add_argument("folder", type=Path, metavar="DIR", help="the checkout, such as the public registry's")
    _command(group, "list", "descriptors:list_all", "The installed descriptors, and those that cannot be read.")
    _command(group, "verify", "descriptors:verify", "Whether the installed descriptors are those that are pinned.")


def _add_lists(commands: _Commands) -> None:
    group = _group(commands, "lists", "Lists of addresses and tokens: whom to block, which tokens have which units.")
    add = _command(group, "add", "lists:add", "Install a folder of lists, and print its pin.")
    add.add_argument("folder", type=Path, metavar="DIR", help="address lists and token lists, each a .json file")
    _command(group, "list", "lists:list_all", "The installed lists, and what they disagree about.")
    _command(group, "verify", "lists:verify", "Whether the installed lists are those that are pinned.")


def _add_host(commands: _Commands) -> None:
    host = _command(
        commands, "host-snippet", "host:host_snippet", "Print what an MCP host is told about a guarded server."
    )
    host.add_argument("--server", type=Path, metavar="FILE", help="your MCP server, a Python file")
    host.add_argument("--name", default="wallet", metavar="NAME", help="what the host calls it (default: wallet)")


def _add_demo(commands: _Commands) -> None:
    chain = _command(
        commands, "local-chain", "local_chain:local_chain",
        "Serve a development chain in memory on 127.0.0.1, until it is interrupted.", located=False,
    )  # fmt: skip
    chain.add_argument("--port", type=int, default=8545, metavar="N", help="where it listens (default: 8545)")
    demo = _command(
        commands, "demo", "demo:demo", "A guarded payment on a private chain, then attacks that fail.", located=False
    )
    demo.add_argument("--interactive", action="store_true", help="leave the approval to you")


def _group(commands: _Commands, name: str, text: str) -> _Commands:
    group = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    made: _Commands = group.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    return made


def _command(
    commands: _Commands, name: str, run: str, text: str, /, *, located: bool = True
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    command.set_defaults(run=run)
    if located:
        place = command.add_mutually_exclusive_group()
        place.add_argument("--dir", type=Path, metavar="PATH", help=f"the guard's folder (default: ~/{DIRECTORY})")
        place.add_argument("--config", type=Path, metavar="FILE", help=f"its settings (default: {SETTINGS} in there)")
    command.add_argument("--json", action="store_true", help="one JSON object on standard output")
    command.add_argument("--debug", action="store_true", help="show where an unexpected error came from")
    return command


def _add_passphrase(command: argparse.ArgumentParser, what: str = "the passphrase") -> None:
    command.add_argument(
        "--passphrase-fd", type=_descriptor, metavar="N", help=f"read {what} from this descriptor, not the terminal"
    )


def _add_words(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--words-fd", type=_descriptor, metavar="N",
        help="read the existing wallet's recovery phrase from this descriptor, not the terminal",
    )  # fmt: skip


def _add_code(command: argparse.ArgumentParser) -> None:
    command.add_argument("--code-fd", type=_descriptor, metavar="N", help="read the one-time code from this descriptor")


def _add_secrets(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--secrets-fd", type=_descriptor, metavar="N",
        help="write what must be kept secret, as JSON, to this descriptor (above 2) instead of the terminal",
    )  # fmt: skip


def _descriptor(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise argparse.ArgumentTypeError("a descriptor is a small number")
    return int(text)


class _Version(argparse.Action):
    def __init__(self, option_strings: list[str], dest: str, help: str | None = None) -> None:  # noqa: A002 - argparse passes it by this name
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        print(f"{PROGRAM} {version(PROGRAM)}")
        parser.exit(0)
