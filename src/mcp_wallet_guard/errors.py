"""The one exception tree, and the catalogue of every sentence a model may read.

    GuardError
    |-- Refused          a decision: policy, a person, a limit, a lock
    |   |-- NotAuthorized   RateLimited   Locked      PolicyDenied   OverBudget
    |   |-- Declined        Expired       AlreadyUsed
    |   `-- FactorRejected  LockedOut
    |-- Tampered         a check failed: somebody changed what must not change
    |-- Unavailable      a dependency did not answer, or not in time
    |-- Misconfigured    ours, or the operator's, to fix
    |   `-- MissingExtra
    |-- InvalidInput     the caller's to fix
    |-- VaultError       the vault file cannot be opened
    `-- KeystoreError    a key file of another program cannot be opened

Every error carries a stable ``code``, the ``public`` sentence that belongs to the code, and ``detail`` for the
operator's log. Only ``code`` and ``public`` may leave the process: both come from ``CATALOGUE``, so bytes that
an attacker chose cannot reach a model through an exception (Threat: T-057, T-058).
"""

from __future__ import annotations

from typing import ClassVar, Final, final

CATALOGUE: Final[dict[str, str]] = {
    # Refused
    "not_authorized": "This caller may not use this tool.",
    "rate_limited": "Too many requests. Wait before asking again.",
    "locked": "The wallet is locked. Its owner unlocks it with: mcp-wallet-guard unlock",
    "not_running": "No wallet guard is running. Its owner starts it with: mcp-wallet-guard start",
    "policy.denied": "The owner's policy does not allow this.",
    "policy.missing": "No policy is in force. The owner applies one with: mcp-wallet-guard policy apply",
    "policy.sealed": "A policy is in force already. Change it with: mcp-wallet-guard policy apply",
    "policy.payee": "The owner's policy does not allow this payee.",
    "policy.cap": "The amount is above what the owner's policy allows for one payment.",
    "policy.token": "The owner's policy does not allow this token, or does not allow approving it.",
    "policy.unlimited": "An approval without a limit in effect is never given.",
    "policy.contract": "The owner's policy does not allow calls of this contract.",
    "policy.blind": "What the call does cannot be read well enough to be asked about.",
    "policy.control": "The call would change who decides. The owner's policy does not allow it.",
    "policy.risk": "The request does something that is never signed.",
    "policy.blocked": "An address in this is on the owner's list of blocked ones.",
    "policy.message": "The owner's policy does not allow signing such messages.",
    "policy.imitation": "The payee looks like one that the owner knows, and is another. Compare every digit.",
    "policy.undecodable": "The guard cannot show a person what this would do, so it is refused.",
    "policy.action": "The owner's policy does not allow this tool to be asked for.",
    "policy.data_fee": "The chain's fee for data rose above what was counted when this was asked. Ask again.",
    "policy.mandate": "What its owner had approved in advance does not cover this any more. Ask again.",
    "policy.venue": "The owner's policy does not allow this venue, asset or network for a withdrawal.",
    "policy.venue_address": "The owner's policy does not allow withdrawing to this address with this memo.",
    "policy.venue_memo": "This network needs a memo, or takes none. Ask the payee which it is.",
    "policy.venue_fee": "The venue's fee, or what it allows, is not what the owner's policy allows or was shown.",
    "policy.changed": "The owner's policy changed after this was approved. Ask again.",
    "over_budget": "The owner's spending limit does not leave room for this.",
    "over_balance": "The account does not hold enough for this payment and its fee.",
    "too_large": "This is larger than its author allows, so it is not served.",
    "declined": "The owner declined this.",
    "expired": "The approval expired. Ask again.",
    "superseded": "The account's nonce moved on, so what was approved cannot be sent. Ask again.",
    "already_used": "This approval was used already. One approval signs once.",
    "blocked.unknown": "An earlier payment has an unknown outcome. It must settle before another one.",
    "blocked.store": "The guard's records need the owner: mcp-wallet-guard store acknowledge",
    "blocked.mode": "The settings in force say that the guard runs in another way, so spending is blocked.",
    "blocked.vault": "The settings name another vault, so spending is blocked.",
    "blocked.lists": "The installed lists are not those that the settings name, so spending is blocked.",
    "venue.no_key": "The vault has no key for this venue. Its owner adds one with: mcp-wallet-guard venue key",
    "venue.key_expired": "The key for this venue is past its date. A new one is added with: mcp-wallet-guard venue key",
    "factor.rejected": "The code was not accepted.",
    "factor.none": "No second factor is enrolled. The owner enrols one with: mcp-wallet-guard factor enrol",
    "factor.exists": "A second factor is enrolled already. It was left as it is.",
    "factor.format": "A code is six ASCII digits.",
    "factor.locked_out": "Too many wrong codes. The owner unlocks the factor: mcp-wallet-guard factor unlock",
    "factor.door_closed": "Too many wrong codes from browsers that are not paired. Use the link or the terminal.",
    "match_code.rejected": "The match code was not accepted.",
    "pairing.required": "This browser is not paired with the wallet.",
    # Tampered
    "tampered.row": "The guard's records were changed from outside. Nothing was signed.",
    "tampered.journal": "The guard's journal was changed from outside. Nothing was signed.",
    "tampered.store": "The guard's store was replaced or rolled back. Nothing was signed.",
    "tampered.operation": "What would be signed differs from what was asked. Nothing was signed.",
    "tampered.signature": "The signer returned something else than what was approved. Nothing was sent.",
    "tampered.settings": "The sealed settings do not verify. Nothing was signed.",
    "tampered.result": "The result did not pass the outbound filter.",
    # Unavailable
    "unavailable": "The wallet guard cannot do this now. Try again later.",
    "unavailable.node": "The chain's node did not answer as it should. Try again later.",
    "unavailable.node_lied": "The chain's node contradicts what the owner pinned. Nothing was signed.",
    "unavailable.venue": "The venue did not answer as it should. Try again later.",
    "unavailable.store": "The guard's store cannot be written. Nothing was signed.",
    "unavailable.clock": "The clock is behind the highest time seen. Nothing was signed.",
    "unavailable.stale": "The facts about the chain are too old. Ask again.",
    "unavailable.daemon": "The wallet guard stopped answering. Ask again; nothing is paid twice.",
    "unavailable.entropy": "The computer's source of randomness looks broken. No wallet was made.",
    "unavailable.terminal": "This needs a terminal that a person controls.",
    # Misconfigured
    "misconfigured": "The wallet guard is not set up correctly. Its owner must look at it.",
    "misconfigured.settings": "guard.toml is not valid.",
    "misconfigured.lists": "The installed lists are not those that guard.toml names: mcp-wallet-guard lists verify",
    "misconfigured.vault_missing": "There is no vault here. Create one with: mcp-wallet-guard init",
    "misconfigured.vault_exists": "There is a vault here already. It was left as it is.",
    "misconfigured.mode": "The settings in force say that the guard runs in another way: daemon or embedded.",
    "misconfigured.tool": "This tool cannot be guarded as it is written.",
    "misconfigured.already_running": "Another guard holds this vault.",
    "misconfigured.permissions": "A file or folder of the guard has unsafe permissions or is not a plain file.",
    "misconfigured.protocol": "Guard and client speak different protocol versions.",
    "misconfigured.backend": "No safe elliptic-curve library is available.",
    "missing_extra": "An optional part is not installed.",
    "unclassified": "This server's guard does not know this tool, resource or prompt, so it is not served.",
    # InvalidInput
    "invalid_input": "An argument is not valid.",
    "invalid_input.address": "An address is 0x and 40 hex digits with a correct EIP-55 checksum.",
    "invalid_input.amount": 'An amount is a plain decimal string such as "0.1".',
    "invalid_input.precision": "The amount has more decimals than the asset.",
    "invalid_input.zero": "The amount is zero.",
    "invalid_input.token": "The token is not one that the owner pinned.",
    "invalid_input.chain": "The chain is not the one that the wallet is set up for.",
    "invalid_input.account": "The account is not one of the wallet's.",
    "invalid_input.transaction": "The bytes are not a canonical transaction of a kind that is signed here.",
    "invalid_input.calldata": "The bytes are not canonical calldata of that function.",
    "invalid_input.typed_data": "The typed data is not valid EIP-712 version 4.",
    "invalid_input.message": "The message cannot be signed in this form.",
    "invalid_input.descriptor": "The descriptor is not a valid ERC-7730 file that this version can read.",
    "invalid_input.list": "The file is not a list of addresses or tokens that this version can read.",
    "invalid_input.unknown_argument": "The call has an argument that the tool does not take.",
    "invalid_input.secret": "An argument contains a secret. It was refused and not recorded. Replace that secret.",
    "invalid_input.size": "An argument is too large.",
    "invalid_input.withdrawal": "A withdrawal names venue, asset, network, address and memo in letters, digits, signs.",
    "invalid_input.reference": "A reference is 1 to 64 letters, digits or . _ - characters.",
    "invalid_input.passphrase": "A passphrase has 12 to 1024 characters and no control characters.",
    "invalid_input.mnemonic": "The recovery phrase is not valid.",
    "invalid_input.extended_key": "The extended private key is not valid.",
    "invalid_input.share": "The recovery shares are not valid, or not enough.",
    "invalid_input.dice": "The dice rolls are too few, or do not look thrown.",
    "invalid_input.id": "There is no such operation for this caller.",
    # Vault (Unlock failures read alike: a wrong passphrase and an edited file must not be told apart)
    "vault.cannot_unlock": "The vault cannot be unlocked with this passphrase.",
    "vault.damaged": "The vault file is damaged (its checksum does not match). Restore it from a copy.",
    "vault.format": "This is not a vault file that this version can read.",
    # Key files of other programs (as above: a wrong passphrase, an edit and another account read alike)
    "keystore.cannot_open": "The key file cannot be opened with this passphrase, or is not of the expected account.",
    "keystore.format": "This is not a key file that this version can read.",
    "keystore.cost": "The key file asks for more work than is done for any file.",
    "keystore.address": "The key file does not name its account. Say which address it must have.",
    "keystore.kind": "The key in this file is not of an Ethereum account.",
}
"""code -> the one sentence that may be shown to a model or a stranger."""


class GuardError(Exception):
    """Base of every error that this library raises on purpose.

    `code` is stable across releases. `public` is the catalogue's sentence. `detail` is for the operator only:
    it may hold file names and numbers, never a secret, and never leaves the process through MCP.
    """

    default_code: ClassVar[str] = "misconfigured"
    exit_status: ClassVar[int] = 1

    def __init__(self, code: str | None = None, /, *, detail: str = "") -> None:
        self.code: Final[str] = code if code is not None else self.default_code
        self.public: Final[str] = CATALOGUE[self.code]
        self.detail: Final[str] = detail
        super().__init__(self.public)

    def __reduce__(self) -> tuple[type[GuardError], tuple[str]]:
        # Detail stays behind: a pickled error travels to places that the operator's log does not.
        return (type(self), (self.code,))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code!r})"


class Refused(GuardError):
    """The guard, the owner or the owner's policy said no. Asking again unchanged gives the same answer."""

    default_code = "policy.denied"
    exit_status = 3


@final
class NotAuthorized(Refused):
    """The principal may not use this tool."""

    default_code = "not_authorized"


@final
class RateLimited(Refused):
    """Too many proposals from one principal."""

    default_code = "rate_limited"


@final
class Locked(Refused):
    """The vault is locked, or no guard runs."""

    default_code = "locked"


@final
class PolicyDenied(Refused):
    """The sealed policy does not permit the operation."""

    default_code = "policy.denied"


@final
class OverBudget(Refused):
    """A limit or the balance leaves no room."""

    default_code = "over_budget"


@final
class Declined(Refused):
    """A person said no."""

    default_code = "declined"


@final
class Expired(Refused):
    """The approval, the operation or a link is past its absolute expiry."""

    default_code = "expired"


@final
class AlreadyUsed(Refused):
    """The approval was consumed before."""

    default_code = "already_used"


@final
class FactorRejected(Refused):
    """A second factor, a match code or a pairing was not accepted."""

    default_code = "factor.rejected"


@final
class LockedOut(Refused):
    """Too many wrong codes; a person with the passphrase must open the factor again."""

    default_code = "factor.locked_out"


@final
class Tampered(GuardError):
    """A verification failed. Nothing was signed and the event is journalled."""

    default_code = "tampered.row"
    exit_status = 4


@final
class Unavailable(GuardError):
    """A node, the store, the clock or the daemon failed. Nothing was lost; asking again later is safe."""

    default_code = "unavailable"
    exit_status = 5


class Misconfigured(GuardError):
    """The operator's settings, files or code must change first."""

    default_code = "misconfigured"
    exit_status = 6


@final
class MissingExtra(Misconfigured):
    """An optional part was asked for that is not installed. `install` is the line that installs it."""

    default_code = "missing_extra"

    def __init__(self, extra: str, /) -> None:
        self.extra: Final[str] = extra
        self.install: Final[str] = f"pip install 'mcp-wallet-guard[{extra}]'"
        super().__init__("missing_extra", detail=self.install)

    def __reduce__(self) -> tuple[type[GuardError], tuple[str]]:
        return (MissingExtra, (self.extra,))


@final
class InvalidInput(GuardError):
    """What the caller sent is not valid. The message never repeats it."""

    default_code = "invalid_input"
    exit_status = 2


@final
class VaultError(GuardError):
    """The vault file cannot be opened: `vault.cannot_unlock`, `vault.damaged` or `vault.format`."""

    default_code = "vault.cannot_unlock"
    exit_status = 7


@final
class KeystoreError(GuardError):
    """A key file of another program cannot be opened, or is not opened: one of the codes `keystore.*`."""

    default_code = "keystore.cannot_open"
    exit_status = 7


KINDS: Final[dict[str, type[GuardError]]] = {
    kind.__name__: kind
    for kind in (
        Refused, NotAuthorized, RateLimited, Locked, PolicyDenied, OverBudget, Declined, Expired, AlreadyUsed,
        FactorRejected, LockedOut, Tampered, Unavailable, Misconfigured, InvalidInput, VaultError,
        KeystoreError,
    )
}  # fmt: skip
"""Class name -> class, for carrying an error over the daemon's socket as (kind, code)."""
