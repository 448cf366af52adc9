"""A proof cannot be subclassed; a waiver cannot be made without its function."""

from mcp_wallet_guard import danger
from mcp_wallet_guard.proofs import Proven, Signable


class FakeSignable(Signable): ...  # E: mypy=misc pyright=reportGeneralTypeIssues


class FakeProven(Proven): ...  # E: mypy=misc pyright=reportGeneralTypeIssues


danger.LowerLevel()  # E: mypy=call-arg pyright=reportCallIssue
danger.LowerLevel(None)  # E: mypy=arg-type pyright=reportArgumentType
danger.lower_level()  # E: mypy=call-arg pyright=reportCallIssue
danger.lower_level("no reason given")  # E: mypy=call-arg pyright=reportCallIssue
