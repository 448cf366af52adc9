"""The log of a server's process: no record may hold a secret, of the vault or of anybody.

The SDK logs tracebacks of crashed handlers, and hosts keep a server's stderr in files. So each record is looked at
whole: message, arguments, exception, stack and extra fields; a hit is replaced by a note. While the fingerprints are
unknown (no guard was reached yet) only the detectors look: this process holds no key of the vault. Threat: T-057.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from mcp_wallet_guard.filters.fingerprints import FingerprintSet
from mcp_wallet_guard.filters.outbound import is_clean

WITHHELD: Final = "a log record was withheld: it held a secret"
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


@contextmanager
def clean_records(known: Callable[[], FingerprintSet], /) -> Iterator[None]:
    """Inside the block every new record of this process is clean, whatever logger makes it and handler takes it."""
    previous = logging.getLogRecordFactory()
    extra = _Extra(known)
    handlers = _handlers()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = previous(*args, **kwargs)
        if not is_clean(_text(record), fingerprints=known()):
            _withhold(record)
        return record

    logging.setLogRecordFactory(factory)
    for handler in handlers:
        handler.addFilter(extra)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(extra)
        if logging.getLogRecordFactory() is factory:
            logging.setLogRecordFactory(previous)


class _Extra(logging.Filter):
    """Fields given as ``extra=`` are set after the record is made, so they are looked at before it is written."""

    def __init__(self, known: Callable[[], FingerprintSet]) -> None:
        super().__init__()
        self._known = known

    def filter(self, record: logging.LogRecord) -> bool:
        names = vars(record).keys() - _STANDARD
        if names:
            text = "\n".join(f"{name}: {_repr(vars(record)[name])}" for name in names)
            if not is_clean(text, fingerprints=self._known()):
                for name in names:
                    vars(record)[name] = "<withheld>"
                _withhold(record)
        return True


def _text(record: logging.LogRecord) -> str:
    try:
        parts = [record.getMessage()]
    except Exception:  # noqa: BLE001  # a broken format is logging's to report, by its arguments
        parts = [str(record.msg), _repr(record.args)]
    if record.exc_info and record.exc_info[0] is not None:
        parts.append("".join(traceback.format_exception(*record.exc_info)))
        # And each message unformatted: a traceback indents the lines of a message, which may split what is in it.
        parts += [_repr_error(error) for error in _related(record.exc_info[1])]
    parts += [record.exc_text or "", record.stack_info or ""]
    return "\n".join(parts)


def _related(error: BaseException | None) -> list[BaseException]:
    """`error`, its causes and contexts and the members of groups, each once."""
    found = [] if error is None else [error]
    for each in found:
        members = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        found += [e for e in (each.__cause__, each.__context__, *members) if e is not None and e not in found]
    return found


def _repr_error(error: BaseException) -> str:
    try:
        return f"{error}\n{error.args!r}"
    except Exception:  # noqa: BLE001  # logging will not be able to write it either
        return ""


def _withhold(record: logging.LogRecord) -> None:
    record.msg, record.args = WITHHELD, None
    record.exc_info = record.exc_text = record.stack_info = None


def _repr(value: object) -> str:
    try:
        return value if isinstance(value, str) else repr(value)
    except Exception:  # noqa: BLE001  # what cannot be shown cannot be written either
        return ""


def _handlers() -> list[logging.Handler]:
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    return list({id(h): h for each in loggers if isinstance(each, logging.Logger) for h in each.handlers}.values())
