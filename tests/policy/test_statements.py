"""What the policy says about statements: each rule once broken, and the statement beside it that it permits."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from mcp_wallet_guard.clearsign.frozen_statements import statement_facts
from mcp_wallet_guard.clearsign.knowledge import Sources
from mcp_wallet_guard.clearsign.risks.known import Known
from mcp_wallet_guard.clearsign.risks.table import REFUSED
from mcp_wallet_guard.clearsign.view import check_decoded
from mcp_wallet_guard.confirmation import ConfirmationView, Finding, ViewEffect, ViewField, ViewParty
from mcp_wallet_guard.errors import Misconfigured, PolicyDenied
from mcp_wallet_guard.evidence import Level, Obligations
from mcp_wallet_guard.operations.authorizations import Authorization, encode_authorization
from mcp_wallet_guard.operations.frozen import FrozenOperation, freeze_statement
from mcp_wallet_guard.operations.statements import (
    Authorize7702,
    SignMessage,
    SignTypedData,
    Statement,
    resolve_statement,
)
from mcp_wallet_guard.operations.typed_data import parse_typed_data, to_json
from mcp_wallet_guard.operations.values import Account, Address, BaseUnits
from mcp_wallet_guard.policy.contracts import MAX_CONTRACTS, ContractRule
from mcp_wallet_guard.policy.engine import Reserved, Verdict, check_permitted, decide
from mcp_wallet_guard.policy.rules import Payee, Policy, TokenRule
from mcp_wallet_guard.policy.statements import check_statement, statement_denials
from mcp_wallet_guard.proofs import Decoded
from tests.clearsign.transfers import PAYEE, SENDER, STRANGER, USDC

DELEGATE: Final = Address.from_bytes(b"\xde" * 20)
NOBODY: Final = Address.from_bytes(bytes(20))
ACCOUNT: Final = Account("main", USDC.chain, SENDER)
DOMAIN: Final[dict[str, Any]] = {"chainId": USDC.chain.number, "verifyingContract": str(USDC.address)}


def policy(**changes: Any) -> Policy:
    values: dict[str, Any] = {
        "payees": (Payee(name="Alice", address=PAYEE),),
        "max_per_transaction": BaseUnits(5 * 10**17),
        "level": Level.FACTOR,
        "tokens": (TokenRule(token=USDC, cap=BaseUnits(100)),),
        "approvals": True,
        "messages": True,
        "typed_data": True,
        "delegates": (DELEGATE,),
    }
    return Policy(**(values | changes))


def typed(**domain: Any) -> bytes:
    body = {
        "types": {"Any": [{"name": "value", "type": "uint256"}]},
        "primaryType": "Any",
        "domain": {name: value for name, value in (DOMAIN | domain).items() if value is not None},
        "message": {"value": 1},
    }
    return to_json(parse_typed_data(json.dumps(body))).encode()


def authorization(delegate: Address = DELEGATE, chain: int = USDC.chain.number) -> bytes:
    return encode_authorization(Authorization(chain_number=chain, delegate=delegate, nonce=0))


def frozen(kind: str, data: bytes) -> FrozenOperation:
    return FrozenOperation(kind=kind, account=ACCOUNT, unsigned_bytes=data, effect_hash=bytes(32), expires_at=1)


def effect(**changes: Any) -> ViewEffect:
    values: dict[str, Any] = {
        "direction": "allow",
        "text": "x",
        "asset": USDC.id,
        "raw": "100",
        "owner": ViewParty(address=SENDER.value, relation="self"),
        "counterparty": ViewParty(address=PAYEE.value),
    }
    return ViewEffect(**(values | changes))


def view(*effects: ViewEffect, level: str = "clear", findings: tuple[Finding, ...] = ()) -> ConfirmationView:
    return ConfirmationView.model_validate(
        {
            "kind": "typed_data",
            "chain": str(USDC.chain),
            "account": "x",
            "intent": "x",
            "level": level,
            "effects": effects,
            "fields": (),
            "findings": findings,
            "operation_digest": "00",
            "expires_at": 1,
        }
    )


def found(code: str, path: str = "") -> Finding:
    return Finding(code=code, severity="danger", text="x", path=path)


def codes(kind: str, data: bytes, shown: ConfirmationView, rules: Policy | None = None) -> list[str]:
    return [code for code, _ in statement_denials(rules or policy(), frozen(kind, data), shown)]


def typed_codes(*effects: ViewEffect, **rules: Any) -> list[str]:
    return codes("typed_data", typed(), view(*effects), policy(**rules))


def test_the_honest_of_each_kind_are_permitted() -> None:
    assert codes("message", b"Hello", view()) == []
    assert typed_codes(effect()) == []
    assert codes("authorization", authorization(), view()) == []
    assert codes("authorization", authorization(NOBODY), view(), policy(delegates=())) == []


def test_what_the_settings_do_not_name_is_denied() -> None:
    assert codes("message", b"Hello", view(), policy(messages=False)) == ["policy.message"]
    assert codes("message", b"Hello", view(), policy(typed_data=False)) == []
    assert typed_codes(effect(), typed_data=False) == ["policy.message"]
    assert typed_codes(effect(), messages=False) == []
    assert codes("authorization", authorization(), view(), policy(messages=False, typed_data=False)) == []
    assert codes("authorization", authorization(), view(), policy(delegates=())) == ["policy.risk"]


def test_the_cheap_check_says_the_same_before_anything_is_read() -> None:
    def asked(intent: Statement, rules: Policy | None) -> str | None:
        try:
            check_statement(rules, resolve_statement(intent, account=ACCOUNT))
        except PolicyDenied as error:
            return error.code
        return None

    message, data = SignMessage(message="Hi"), SignTypedData(typed_data=typed().decode())
    delegation = Authorize7702(delegate=STRANGER)
    assert [asked(each, None) for each in (message, data, delegation)] == ["policy.missing"] * 3
    assert [asked(each, policy()) for each in (message, data, delegation)] == [None] * 3
    assert asked(message, policy(messages=False)) == "policy.message"
    assert asked(data, policy(typed_data=False)) == "policy.message"


TOLD: Final = ViewField(label='"Limit"', value='"1"', type="integer", source="descriptor")
NAMED: Final = ContractRule(name="Market", address=Address(str(USDC.address)))


def test_what_only_a_descriptor_tells_is_asked_about_where_the_owner_named_the_contract() -> None:
    """A descriptor says what a message means and not what it takes."""
    told = view().model_copy(update={"fields": (TOLD,)})
    rules = policy(described=True, contracts=(NAMED,))
    assert codes("typed_data", typed(), told, rules) == []
    assert codes("typed_data", typed(), view(), rules) == ["policy.blind"], "nobody tells it"
    assert codes("typed_data", typed(), told, policy(contracts=(NAMED,))) == ["policy.blind"]
    assert codes("typed_data", typed(), told, policy(described=True)) == ["policy.contract"]
    like = told.model_copy(update={"findings": (found("approval.like"),)})
    assert codes("typed_data", typed(), like, rules) == ["policy.risk"]
    assert codes("typed_data", typed(chainId=1), told, rules) == ["policy.risk"]
    assert codes("typed_data", typed(verifyingContract=None), told, rules) == ["policy.risk"]
    assert codes("typed_data", typed(), told.model_copy(update={"level": "decoded"}), rules) == ["policy.blind"]


def test_an_allowance_is_taken_back_by_signature_from_anybody() -> None:
    lowered = effect(raw="0", counterparty=ViewParty(address=STRANGER.value))
    assert typed_codes(lowered, approvals=False) == []
    assert typed_codes(lowered.model_copy(update={"raw": "1"})) == ["policy.payee"]
    assert typed_codes(lowered.model_copy(update={"owner": ViewParty(address=STRANGER.value)})) == ["policy.risk"]


@pytest.mark.parametrize("level", ["decoded", "partial", "blind"])
@pytest.mark.parametrize(("kind", "data"), [("message", b"Hello"), ("authorization", authorization())])
def test_what_is_not_clear_is_denied(kind: str, data: bytes, level: str) -> None:
    assert codes(kind, data, view(level=level)) == ["policy.blind"]
    assert codes("typed_data", typed(), view(effect(), level=level)) == ["policy.blind"]


def test_findings_that_are_never_signed_away_deny_and_others_do_not() -> None:
    for code in REFUSED:
        expected = "policy.blocked" if code == "list.blocked" else "policy.risk"
        assert codes("message", b"Hello", view(findings=(found(code, "0.1"),))) == [expected]
    assert codes("message", b"Hello", view(findings=(found("message.hash"), found("payee.new")))) == []


def test_a_denial_says_which_finding_it_is_and_where() -> None:
    denials = list(statement_denials(policy(), frozen("message", b"x"), view(findings=(found("typed.no_chain"),))))
    assert denials == [("policy.risk", "typed.no_chain at the top")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (authorization(STRANGER), ["policy.risk"]),
        (authorization(chain=0), ["policy.risk"]),
        (authorization(chain=USDC.chain.number + 1), ["policy.risk"]),
        (authorization(NOBODY, chain=0), ["policy.risk"]),
        (authorization(STRANGER, chain=0), ["policy.risk", "policy.risk"]),
        (b"\x05", ["policy.undecodable"]),
    ],
)
def test_authorizations_are_for_this_chain_and_a_trusted_delegate(data: bytes, expected: list[str]) -> None:
    """Threat: T-035."""
    assert codes("authorization", data, view()) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (typed(chainId=None), ["policy.risk"]),
        (typed(chainId=USDC.chain.number + 1), ["policy.risk"]),
        (typed(verifyingContract=None), ["policy.risk"]),
        (b"{}", ["policy.undecodable"]),
    ],
)
def test_typed_data_counts_on_this_chain_and_at_one_contract(data: bytes, expected: list[str]) -> None:
    """Threat: T-032."""
    assert codes("typed_data", data, view(effect())) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"raw": "101"}, ["policy.cap", "policy.cap"]),
        ({"raw": None}, ["policy.unlimited"]),
        ({"unlimited": True}, ["policy.unlimited"]),
        ({"asset": f"{USDC.chain}/erc20:{STRANGER.value.lower()}"}, ["policy.token"]),
        ({"asset": f"{USDC.chain}/slip44:60"}, ["policy.token"]),
        ({"asset": None}, ["policy.token"]),
        ({"counterparty": None}, ["policy.payee"]),
        ({"counterparty": ViewParty(address=STRANGER.value)}, ["policy.payee"]),
        ({"counterparty": ViewParty(address=str(USDC.address))}, ["policy.payee"]),
        ({"owner": ViewParty(address=STRANGER.value)}, ["policy.risk"]),
        ({"direction": "control", "control": "safe.agree"}, ["policy.control"]),
        ({"owner": None}, []),
        ({"direction": "out"}, []),
        ({"raw": "0"}, []),
        ({"direction": "in", "owner": ViewParty(address=STRANGER.value)}, []),
    ],
)
def test_every_effect_is_one_that_the_owner_would_allow(changes: dict[str, Any], expected: list[str]) -> None:
    """Threat: T-028, T-029."""
    assert typed_codes(effect(**changes)) == expected


def test_an_allowance_takes_the_owners_word_for_allowances_unless_it_takes_one_back() -> None:
    assert typed_codes(effect(), approvals=False) == ["policy.token"]
    assert typed_codes(effect(raw="0"), approvals=False) == []
    assert typed_codes(effect(direction="out"), approvals=False) == []


def test_what_is_allowed_in_pieces_is_capped_as_a_whole() -> None:
    assert typed_codes(effect(raw="50"), effect(raw="50")) == []
    assert typed_codes(effect(raw="50"), effect(raw="51", direction="out")) == ["policy.cap"]
    assert typed_codes(effect(raw="100"), effect(raw="100", direction="in")) == []


def test_typed_data_that_does_nothing_known_is_denied() -> None:
    assert typed_codes() == ["policy.blind"]


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": "ask"},
        {"typed_data": 1},
        {"delegates": [DELEGATE]},
        {"delegates": (DELEGATE, DELEGATE)},
        {"delegates": (NOBODY,)},
        {"delegates": (DELEGATE.value,)},
        {"described": 1},
        {"described": True, "typed_data": False},
        {"delegates": tuple(Address.from_bytes(bytes([9]) * 19 + bytes([n])) for n in range(MAX_CONTRACTS + 1))},
    ],
)
def test_a_policy_that_says_something_else_is_no_policy(changes: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        policy(**changes)
    most = tuple(Address.from_bytes(bytes([9]) * 19 + bytes([n])) for n in range(MAX_CONTRACTS))
    assert policy(delegates=most).delegates == most


def decoded(intent: Statement) -> Decoded:
    asked = resolve_statement(intent, account=ACCOUNT)
    operation = freeze_statement(asked, nonce=0, expires_at=1)
    known = Known(now=1, chain=str(USDC.chain), accounts=(SENDER,), delegates=(DELEGATE,))
    facts = statement_facts(operation, Sources(pins=(USDC,)), known=known, at=1)
    return check_decoded(operation, facts, effect=asked)


def test_a_permitted_statement_is_always_asked_about_at_the_policys_level() -> None:
    """No mandate covers one, and no facts about the chain are needed."""
    for intent in (SignMessage(message="Hello"), Authorize7702(delegate=DELEGATE)):
        decision = decide(policy(), decoded(intent), facts=None, reserved=Reserved())
        assert (decision.verdict, decision.obligations) == (Verdict.ASK, Obligations(level=Level.FACTOR))
        permitted = check_permitted(policy(), decoded(intent), revision=3, facts=None, reserved=Reserved())
        assert permitted.obligations.mandate is None


def test_a_statement_that_is_denied_is_not_asked_about() -> None:
    message = decoded(SignMessage(message="Hello"))
    decision = decide(policy(messages=False), message, facts=None, reserved=Reserved())
    assert (decision.verdict, decision.obligations) == (Verdict.DENY, None)
    with pytest.raises(PolicyDenied) as refusal:
        check_permitted(policy(messages=False), message, revision=1, facts=None, reserved=Reserved())
    assert refusal.value.code == "policy.message"
    with pytest.raises(PolicyDenied) as refusal:
        check_permitted(None, message, revision=1, facts=None, reserved=Reserved())
    assert refusal.value.code == "policy.missing"
