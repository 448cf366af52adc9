"""The curve's order, and libsecp256k1 where it is installed: one binding for derivation and for signing."""

from __future__ import annotations

from typing import Any, Final

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def libsecp256k1() -> tuple[Any, Any, Any]:
    """The library as coincurve binds it: ffi, lib and context. Raises ImportError or AttributeError without it."""
    from coincurve._libsecp256k1 import ffi, lib
    from coincurve.context import GLOBAL_CONTEXT

    return ffi, lib, GLOBAL_CONTEXT.ctx
