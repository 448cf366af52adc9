"""A whole guard.toml, and edits of it."""

from __future__ import annotations

FULL = """\
vault = "vault.json"
mode = "embedded"

[chain]
id = 31337
node = "http://127.0.0.1:8545/v1/key-0123456789abcdef"
symbol = "ETH"
decimals = 18
max_fee_per_gas_gwei = "100"
max_priority_fee_gwei = "2.5"
max_gas = 50_000

[account]
name = "main"
address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"

[[tokens]]
symbol = "USDC"
address = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
decimals = 6

[[contacts]]
name = "Carol"
address = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"

[policy]
max_per_transaction = "0.5"
max_fee = "0.01"
level = "factor"
tokens = { USDC = "100.5" }
approvals = "capped"
payees = [{ name = "Alice", address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8" }]

groups = { friends = ["Carol"] }

[[policy.limits]]
asset = "USDC"
amount = "500"
count = 7
window = "24h"
group = "friends"

[approval]
expires_minutes = 5
page_port = 8_700
wait_seconds = 10

[lock]
idle_minutes = 30
max_hours = 6
locked_reads = "allow"
"""

LEAST = """\
vault = "vault.json"
[chain]
id = 1
node = "https://node.example/key"
[account]
name = "main"
address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
"""


def edited(old: str, new: str, *, of: str = FULL) -> str:
    assert of.count(old) == 1, old
    return of.replace(old, new)
