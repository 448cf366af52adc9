"""A proof cannot be made by calling its class."""

from mcp_wallet_guard.proofs import Authorized, Confirmed, Decoded, Permitted, Proof, Proven, Released, Signable, Signed

Authorized()  # E: mypy=call-arg pyright=reportCallIssue
Decoded()  # E: mypy=call-arg pyright=reportCallIssue
Permitted()  # E: mypy=call-arg pyright=reportCallIssue
Confirmed()  # E: mypy=call-arg pyright=reportCallIssue
Proven()  # E: mypy=call-arg pyright=reportCallIssue
Signable()  # E: mypy=call-arg pyright=reportCallIssue
Signed()  # E: mypy=call-arg pyright=reportCallIssue
Released()  # E: mypy=call-arg pyright=reportCallIssue
Proof()  # E: mypy=call-arg pyright=reportCallIssue

Authorized(None)  # E: mypy=arg-type pyright=reportArgumentType
Decoded(object())  # E: mypy=arg-type pyright=reportArgumentType
Permitted(b"digest")  # E: mypy=arg-type pyright=reportArgumentType
Confirmed(3)  # E: mypy=arg-type pyright=reportArgumentType
Proven("123456")  # E: mypy=arg-type pyright=reportArgumentType
Signable(None)  # E: mypy=arg-type pyright=reportArgumentType
Signed(b"")  # E: mypy=arg-type pyright=reportArgumentType
Released({})  # E: mypy=arg-type pyright=reportArgumentType
Proof(None)  # E: mypy=arg-type pyright=reportArgumentType

Signable(sealed=None)  # E: mypy=call-arg pyright=reportCallIssue
Proven(level=3, operation_digest=b"")  # E: mypy=call-arg,call-arg pyright=reportCallIssue
