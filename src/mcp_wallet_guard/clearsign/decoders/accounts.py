"""Smart accounts: SimpleAccount's calls, and the execution modes of ERC-7579 and ERC-7821.

Whatever an account calls, it calls as itself. Threat: T-020.
"""

from __future__ import annotations

from typing import Final

from mcp_wallet_guard.clearsign.decoders.draft import Draft, malformed
from mcp_wallet_guard.clearsign.decoders.functions import Functions
from mcp_wallet_guard.clearsign.decoders.showing import Note
from mcp_wallet_guard.clearsign.tree import Clarity, PartKind, Shown, ShownKind
from mcp_wallet_guard.operations.values import Address

ACCOUNT: Final = Functions("ERC-4337 account")
ERC7579: Final = Functions("ERC-7579")

Execution = tuple[Address, int, bytes]
"""Target, value, data."""

EXECUTIONS: Final = "(address target,uint256 value,bytes data)[] executions"
_SINGLE, _BATCH, _STATIC, _DELEGATE = b"\x00", b"\x01", b"\xfe", b"\xff"
_TRY: Final = 1
_PLAIN: Final = bytes(4)
_WITH_DATA: Final = bytes.fromhex("78210001")
_BATCHES: Final = bytes.fromhex("78210002")
"""Mode selectors. Source: ERC-7821."""
_MODULES: Final = {1: "validator", 2: "executor", 3: "fallback handler", 4: "hook"}


@ACCOUNT.reads("execute(address dest,uint256 value,bytes func)", title="Let an account call", payable=True)
def execute(draft: Draft, dest: Address, value: int, func: bytes) -> None:
    draft.amount("#.value", draft.native)
    draft.calls("#.func", func, target=dest, sender=draft.this, value=value)


@ACCOUNT.reads("executeBatch(address[] dest,bytes[] func)", title="Let an account call several times", payable=True)
def execute_batch(draft: Draft, dest: tuple[Address, ...], func: tuple[bytes, ...]) -> None:
    execute_batch_values(draft, dest, (0,) * len(func), func)


@ACCOUNT.reads(
    "executeBatch(address[] dest,uint256[] value,bytes[] func)",
    title="Let an account call several times",
    payable=True,
)
def execute_batch_values(
    draft: Draft, dest: tuple[Address, ...], values: tuple[int, ...], func: tuple[bytes, ...]
) -> None:
    if not values:
        values = (0,) * len(func)  # which is how SimpleAccount reads none
    if not len(dest) == len(values) == len(func):
        raise malformed("as many targets as values and calls")
    for number, (target, value, data) in enumerate(zip(dest, values, func, strict=True)):
        draft.amount(f"#.value.[{number}]", draft.native)
        draft.calls(f"#.func.[{number}]", data, target=target, sender=draft.this, value=value)


@ACCOUNT.reads(f"executeBatch({EXECUTIONS})", title="Let an account call several times", payable=True)
def execute_executions(draft: Draft, executions: tuple[Execution, ...]) -> None:
    _executions(draft, "#", executions)


@ERC7579.reads(
    "execute(bytes32 mode,bytes executionCalldata)",
    "executeFromExecutor(bytes32 mode,bytes executionCalldata)",
    title="Let an account call",
    payable=True,
)
def execute_mode(draft: Draft, mode: bytes, data: bytes) -> None:
    kind, exec_type, selector = mode[:1], mode[1], mode[6:10]
    if exec_type > _TRY:
        raise malformed("an execution type")
    if selector not in {_PLAIN, _WITH_DATA, _BATCHES}:
        draft.lower(Clarity.PARTIAL)  # of an extension: the account may read more into the call than we do
    may_fail = ", which may fail" if exec_type == _TRY else ""
    at = "#.executionCalldata"
    if kind in {_SINGLE, _STATIC}:
        draft.says("#.mode", f"one call{may_fail}")
        _packed(draft, at, data, head=52, kind=PartKind.CALL)
    elif kind == _DELEGATE:
        draft.says("#.mode", f"one delegate call{may_fail}")
        _packed(draft, at, data, head=20, kind=PartKind.DELEGATECALL)
    elif kind == _BATCH and selector == _BATCHES:
        draft.says("#.mode", f"several batches of calls{may_fail}")
        draft.opened(at, data, "batches(bytes[] batches)", _batches)
    elif kind == _BATCH:
        draft.says("#.mode", f"several calls{may_fail}")
        _batch(draft, at, data, may_have_data=selector == _WITH_DATA)
    else:
        draft.lower(Clarity.PARTIAL)
        draft.says("#.mode", "of an unknown kind")


@ERC7579.reads(
    "installModule(uint256 moduleTypeId,address module,bytes initData)",
    title="Let a module act for an account",
    payable=True,
)
def install_module(draft: Draft, type_id: int, module: Address, data: bytes) -> None:
    draft.opaque(data)
    draft.says("#.moduleTypeId", _MODULES.get(type_id))
    draft.control("account.module", of=draft.this, to=module)


@ERC7579.reads(
    "uninstallModule(uint256 moduleTypeId,address module,bytes deInitData)",
    title="Stop a module of an account",
    payable=True,
)
def uninstall_module(draft: Draft, type_id: int, module: Address, data: bytes) -> None:
    draft.opaque(data)
    draft.says("#.moduleTypeId", _MODULES.get(type_id))
    draft.control("account.module_removed", of=draft.this, to=module)


def _batches(draft: Draft, at: str, batches: tuple[bytes, ...]) -> None:
    for number, data in enumerate(batches):
        _batch(draft, f"{at}.batches.[{number}]", data, may_have_data=True)


def _batch(draft: Draft, at: str, data: bytes, *, may_have_data: bool) -> None:
    # The offset of the first argument tells how many there are.
    if may_have_data and int.from_bytes(data[:32]) == 64:
        draft.opened(at, data, f"batch({EXECUTIONS},bytes opData)", _with_data)
    else:
        draft.opened(at, data, f"batch({EXECUTIONS})", _executions)


def _with_data(draft: Draft, at: str, executions: tuple[Execution, ...], _authorization: bytes) -> None:
    """The data beside the calls prove who asked for them."""
    _executions(draft, at, executions)


def _executions(draft: Draft, at: str, executions: tuple[Execution, ...]) -> None:
    for number, (target, value, data) in enumerate(executions):
        path = f"{at}.executions.[{number}]"
        draft.amount(f"{path}.value", draft.native)
        # ERC-7821 reads the zero address as the account itself, ERC-7579 as nobody: the worse of the two.
        called = target if any(target.raw) else draft.this
        draft.calls(f"{path}.data", data, target=called, sender=draft.this, value=value)


def _packed(draft: Draft, at: str, data: bytes, *, head: int, kind: PartKind) -> None:
    """Target, value unless it is a delegate call, data: one after the other without padding."""
    if len(data) < head:
        raise malformed("an execution that is cut short")
    target, value = Address.from_bytes(data[:20]), int.from_bytes(data[20:head])
    part = draft.calls(f"{at}.data", data[head:], kind=kind, target=target, sender=draft.this, value=value)
    shown = [Shown(path=f"{at}.target", label="To", kind=ShownKind.ADDRESS, raw=target)]
    if kind is PartKind.CALL:
        amount = Shown(path=f"{at}.value", label="Amount", kind=ShownKind.AMOUNT, raw=value, asset=draft.native)
        shown.append(amount)
    shown.append(Shown(path=f"{at}.data", label="Call", kind=ShownKind.CALL, raw=data[head:], part=part))
    draft.notes[at] = Note(kind=ShownKind.GROUP, children=tuple(shown))
