"""Sign-ins that tests share: the standard's example, one with every field, and changes that break it."""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.operations.values import Address

ACCOUNT: Final = Address("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2")
# Source: ERC-4361, "Examples".
EXAMPLE: Final = """example.com wants you to sign in with your Ethereum account:
0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2

I accept the ExampleOrg Terms of Service: https://example.com/tos

URI: https://example.com/login
Version: 1
Chain ID: 1
Nonce: 32891756
Issued At: 2021-09-30T16:25:24Z
Resources:
- ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/
- https://example.com/my-web2-claim.json"""
FULL: Final = EXAMPLE.replace(
    "\nResources",
    "\nExpiration Time: 2021-09-30T17:25:24.5+01:00\nNot Before: 2021-09-30T16:00:00Z\nRequest ID: a%20b@:c\nResources",
)

# What the reference implementation's own negative vectors change, and more. Source: spruceid/siwe, test/.
BROKEN: Final = {
    "no domain": ("example.com wants", " wants"),
    "a domain that is none": ("example.com wants", "#notrfc wants"),
    "a domain with a path": ("example.com wants", "example.com/path wants"),
    "a domain in other letters": ("example.com wants", "ex\u0430mple.com wants"),
    "an IPv6 address that is none": ("example.com wants", "[:::] wants"),
    "an empty host": ("example.com wants", "user@ wants"),
    "another sentence": ("Ethereum account", "Ethereum  account"),
    "another capital": ("wants you", "Wants you"),
    "no address": ("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", ""),
    "an address without checksum": ("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", ACCOUNT.value.lower()),
    "a statement of two lines": ("I accept", "I\naccept"),
    "a statement with a percent sign": ("I accept", "100% accept"),
    "a statement with other letters": ("I accept", "\u0406 accept"),
    "a missing URI": ("URI: https://example.com/login\n", ""),
    "a URI that is none": ("URI: https://example.com/login", "URI: :not_a_uri"),
    "a URI with a blank": ("example.com/login", "example.com/log in"),
    "a URI with half an escape": ("example.com/login", "example.com/%2"),
    "a URI with an address that is none": ("URI: https://example.com/login", "URI: https://[1:2]/"),
    "another version": ("Version: 1", "Version: 2"),
    "version and more": ("Version: 1", "Version: 1 "),
    "a chain that is no number": ("Chain ID: 1", "Chain ID: ?"),
    "a chain with leading zeros": ("Chain ID: 1", "Chain ID: 01"),
    "a chain that is none": ("Chain ID: 1", "Chain ID: 0"),
    "a chain too large": ("Chain ID: 1", f"Chain ID: {2**64}"),
    "a chain in Arabic digits": ("Chain ID: 1", "Chain ID: \u0661"),
    "a short nonce": ("32891756", "3289175"),
    "a nonce with a sign": ("32891756", "3289175-"),
    "another order": ("Version: 1\nChain ID: 1", "Chain ID: 1\nVersion: 1"),
    "a date that is none": ("2021-09-30", "2021-09-31"),
    "a date in words": ("2021-09-30T16:25:24Z", "Wed Oct 05 2011 16:48:00 GMT+0200 (CEST)"),
    "an expiry that is none": ("17:25:24.5+01:00", "25:25:24Z"),
    "a start that is none": ("16:00:00Z", "16:00:00"),
    "expiry after start": (
        "Expiration Time: 2021-09-30T17:25:24.5+01:00\nNot Before: 2021-09-30T16:00:00Z",
        "Not Before: 2021-09-30T16:00:00Z\nExpiration Time: 2021-09-30T17:25:24.5+01:00",
    ),
    "a request id with a blank": ("a%20b", "a b"),
    "a resource that is none": ("- ipfs://", "- :"),
    "resources on one line": ("\n- https", " - https"),
    "a resource without dash": ("- https", "https"),
    "text after the end": ("claim.json", "claim.json\n"),
    "carriage returns": ("\nVersion", "\r\nVersion"),
}
