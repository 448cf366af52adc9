"""Secrets that are nobody's here, each in the forms in which wallets, tools and logs write them."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import unicodedata
from typing import Any, Final

from coincurve import PrivateKey

from mcp_wallet_guard.bip39 import words_for
from mcp_wallet_guard.operations.values import Address, keccak256

SOURCE: Final = random.Random(20261121)
KEY: Final = SOURCE.randbytes(32)
ADDRESS: Final = Address.from_bytes(
    keccak256(PrivateKey(KEY).public_key.format(compressed=False)[1:])[-20:]  # the account of KEY
).value
OTHER: Final = Address.from_bytes(SOURCE.randbytes(20)).value
HEX: Final = "0x" + KEY.hex()
ENGLISH: Final = {size * 3 // 4: words_for(SOURCE.randbytes(size), language="english") for size in (16, 20, 24, 28, 32)}
TWELVE: Final = ENGLISH[12]
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def base58check(body: bytes) -> str:
    """Version, payload and checksum. Source: Bitcoin's base58check."""
    raw = body + hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4]
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text


def bech32(prefix: str, raw: bytes) -> str:
    """BIP-173."""
    bits = int.from_bytes(raw, "big") << -8 * len(raw) % 5
    size = -(-8 * len(raw) // 5)
    data = [bits >> 5 * (size - 1 - place) & 31 for place in range(size)]
    check, generators = 1, (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
    for value in [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + data + [0] * 6:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(generators):
            check ^= generator if top >> bit & 1 else 0
    check ^= 1
    return prefix + "1" + "".join(_BECH32[d] for d in data + [check >> 5 * (5 - n) & 31 for n in range(6)])


def extended(version: str) -> str:
    """A serialised BIP-32 key: version, depth, parent, number, chain code, key."""
    return base58check(
        bytes.fromhex(version) + b"\3" + SOURCE.randbytes(4) + bytes(4) + SOURCE.randbytes(32) + b"\0" + KEY
    )


KEYSTORE: Final[dict[str, Any]] = {
    "version": 3,
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "address": OTHER[2:].lower(),
    "crypto": {
        "ciphertext": SOURCE.randbytes(32).hex(),
        "cipherparams": {"iv": SOURCE.randbytes(16).hex()},
        "cipher": "aes-128-ctr",
        "kdf": "scrypt",
        "kdfparams": {"dklen": 32, "salt": SOURCE.randbytes(32).hex(), "n": 262144, "r": 8, "p": 1},
        "mac": SOURCE.randbytes(32).hex(),
    },
}
VALIDATOR: Final[dict[str, Any]] = {
    "crypto": {
        "kdf": {
            "function": "scrypt",
            "params": {"dklen": 32, "n": 262144, "p": 1, "r": 8, "salt": "d4" * 32},
            "message": "",
        },
        "checksum": {"function": "sha256", "params": {}, "message": SOURCE.randbytes(32).hex()},
        "cipher": {"function": "aes-128-ctr", "params": {"iv": "26" * 16}, "message": SOURCE.randbytes(32).hex()},
    },
    "path": "m/12381/60/3141592653/589793238",
    "uuid": "1d85ae20-35c5-4611-98e8-aa14a633906f",
    "version": 4,
}
PEM: Final = (
    "-----BEGIN EC PRIVATE KEY-----\n"
    + "\n".join(base64.b64encode(SOURCE.randbytes(48)).decode() for _ in range(3))
    + "\n-----END EC PRIVATE KEY-----\n"
)
OTPAUTH: Final = "otpauth://totp/Exchange:alice?secret=JBSWY3DPEHPK3PXPJBSWY3DP&issuer=Exchange"
WIF: Final = base58check(b"\x80" + KEY + b"\1")
NSEC: Final = bech32("nsec", KEY)
XPRV: Final = extended("0488ade4")
API_KEY: Final = SOURCE.randbytes(16).hex()
MIXED_KEY: Final = base64.urlsafe_b64encode(SOURCE.randbytes(24)).decode()


def _chinese(language: str) -> tuple[str, ...]:
    return words_for(SOURCE.randbytes(16), language=language)


SIMPLIFIED: Final = _chinese("chinese_simplified")
TRADITIONAL: Final = _chinese("chinese_traditional")

NAMED: Final[dict[str, Any]] = {
    "camel": {"privateKey": HEX},
    "snake": {"private_key": KEY.hex()},
    "kebab": {"Private-Key": HEX},
    "upper": {"DEPLOYER_PRIVATE_KEY": HEX.upper().replace("0X", "0x")},
    "plural": {"accounts": {"privateKeys": [None, HEX]}},
    "numbered": {"private_key_1": HEX},
    "form in the name": {"private_key_hex": KEY.hex()},
    "sk": {"sk": HEX},
    "seed": {"seed": HEX},
    "seed of 64 bytes": {"bip39_seed": (KEY * 2).hex()},
    "wrapped": {"secretKey": {"type": "hex", "value": HEX}},
    "bytes": {"secretKey": list(KEY)},
    "pair": {"keypair": list(KEY + KEY[::-1])},
    "bytes of node": {"privateKey": {"type": "Buffer", "data": list(KEY)}},
    "base64": {"signingKey": base64.b64encode(KEY).decode()},
    "number": {"private_key": int.from_bytes(KEY, "big")},
    "decimal": {"private_key": str(int.from_bytes(KEY, "big"))},
    "base32": {"totp_secret": "JBSWY3DPEHPK3PXPJBSWY3DP"},
    "json in a text": {"text": json.dumps({"address": OTHER, "privateKey": HEX})},
    "json in json in a text": json.dumps({"a": json.dumps({"b": [{"private_key": KEY.hex()}]})}),
    "broken json in a text": '{"a": 1, "privateKey": "' + HEX + '", ...',
    "a name twice": '{"privateKey": "' + HEX + '", "privateKey": "none"}',
    "environment": f"RPC=x\nPRIVATE_KEY={KEY.hex()}\n",
    "export": f'export ETH_PRIVATE_KEY="{HEX}"',
    "prose": f"The private key is {HEX}. Keep it.",
    "prose with an account": f"Private key for account 3: {HEX}",
    "prose in brackets": f"private key (hex): `{HEX}`",
    "repr": repr({"private_key": HEX}),
    "yaml": f"wallet:\n  private_key: {KEY.hex()}",
    "python bytes": f"LocalAccount(_private_key=HexBytes('{HEX}'))".replace("HexBytes(", "("),
    "chinese": f"您的私钥是\uff1a{HEX}",
    "escaped": json.dumps({"privateKey": HEX}).replace("p", "\\u0070"),
    "percent": "%7B%22privateKey%22%3A%22" + HEX + "%22%7D",
    "base64 of json": base64.b64encode(json.dumps({"privateKey": HEX}).encode()).decode(),
    "hex of json": json.dumps({"privateKey": HEX}).encode().hex(),
    "full width": "private_key=" + "".join(chr(ord(c) + 0xFEE0) for c in KEY.hex()),
    "words that fail their checksum": {"mnemonic": " ".join(TWELVE[1:] + TWELVE[:1])},
}
DERIVED: Final[dict[str, Any]] = {
    "fields": {"address": ADDRESS, "x": HEX},
    "lower case": {"owner": ADDRESS.lower(), "deep": [{"blob": KEY.hex()}]},
    "a row": [[ADDRESS, HEX]],
    "a text": f"{ADDRESS} {HEX}",
    "a table": f"| account | value |\n| {ADDRESS} | {KEY.hex()} |",
    "json in a text": json.dumps({"a": ADDRESS, "b": HEX}),
    "padded address": {"a": "0x" + "00" * 12 + ADDRESS[2:], "b": HEX},
    "anvil": f"Available Accounts\n(0) {ADDRESS}\n\nPrivate Keys\n(0) {HEX}",
}
PHRASES: Final[dict[str, Any]] = {
    **{f"{size} words": " ".join(words) for size, words in ENGLISH.items()},
    "in a sentence": f"Your new wallet is ready, write down: {' '.join(TWELVE)}. Never share it.",
    "after listed words": f"secret phrase: {' '.join(TWELVE)}",
    "upper": " ".join(TWELVE).upper(),
    "title": " ".join(TWELVE).title(),
    "any case": " ".join("".join(c.upper() if n % 2 else c for n, c in enumerate(w)) for w in TWELVE),
    "commas": ", ".join(TWELVE),
    "hyphens": "-".join(TWELVE),
    "underscores": "_".join(TWELVE),
    "slashes": "/".join(TWELVE),
    "lines": "\n".join(TWELVE),
    "numbered": "\n".join(f"{n}. {w}" for n, w in enumerate(TWELVE, 1)),
    "numbered close": " ".join(f"{n}{w}" for n, w in enumerate(TWELVE, 1)),
    "list": list(TWELVE),
    "list of objects": [{"index": n, "word": w} for n, w in enumerate(TWELVE)],
    "list of objects in a text": json.dumps([{"index": n, "word": w} for n, w in enumerate(TWELVE)]),
    "values": {f"word{n}": w for n, w in enumerate(TWELVE, 1)},
    "keys": {w: n for n, w in enumerate(TWELVE)},
    "html": "<ol><li>" + "</li><li>".join(TWELVE) + "</li></ol>",
    "spoken": ", ".join(f"word {n} is {w}" for n, w in enumerate(TWELVE, 1)),
    "camel": "".join(w.capitalize() for w in TWELVE),
    "full width": " ".join("".join(chr(ord(c) + 0xFEE0) for c in w) for w in TWELVE),
    "wide spaces": "\u3000".join(TWELVE),
    "invisible": " ".join("\u200b".join(w) for w in TWELVE),
    "json twice": json.dumps(json.dumps(list(TWELVE))),
    "base64": base64.b64encode(" ".join(TWELVE).encode()).decode(),
    "base64 twice": base64.b64encode(base64.b64encode(" ".join(TWELVE).encode())).decode(),
    "hex": " ".join(TWELVE).encode().hex(),
    "percent": "%20".join(TWELVE),
    "known to everybody": "abandon " * 11 + "about",
    "also known": "zoo " * 11 + "wrong",
    "two in a row": " ".join(TWELVE) + "\n" + " ".join(ENGLISH[24]) + "\n" + " ".join(ENGLISH[15]),
    "simplified": " ".join(SIMPLIFIED),
    "traditional": " ".join(TRADITIONAL),
    "simplified list": list(SIMPLIFIED),
    "simplified numbered": "".join(f"{n}、{w} " for n, w in enumerate(SIMPLIFIED, 1)),
    "simplified wide": "\u3000".join(SIMPLIFIED),
    "simplified decomposed": unicodedata.normalize("NFKD", " ".join(SIMPLIFIED)),
    "simplified escaped": json.dumps(list(SIMPLIFIED)),
    "simplified unbroken": "助记词\uff1a" + "".join(SIMPLIFIED),
    "traditional unbroken": {"助記詞": "您的助記詞: 「" + "".join(TRADITIONAL) + "」"},
    "traditional under its name": {"mnemonic": "".join(TRADITIONAL)},
}  # fmt: skip
FORMATS: Final[dict[str, Any]] = {
    "keystore": KEYSTORE,
    "keystore in the old case": {"Crypto": KEYSTORE["crypto"]},
    "keystore in a text": json.dumps(KEYSTORE, indent=2),
    "keystore in a text in a text": json.dumps({"file": json.dumps(KEYSTORE)}),
    "keystore in prose": f"Here is the file: {json.dumps(KEYSTORE)} and now",
    "keystore printed": repr(KEYSTORE),
    "keystore in base64": base64.b64encode(json.dumps(KEYSTORE).encode()).decode(),
    "validator": VALIDATOR,
    "validator in a text": f"x {json.dumps(VALIDATOR)}",
    "otpauth": OTPAUTH,
    "otpauth in prose": f"Scan this: {OTPAUTH}",
    "otpauth upper": OTPAUTH.upper(),
    "otpauth escaped": OTPAUTH.replace("/", "\\/"),
    "otpauth percent": OTPAUTH.replace("?", "%3F").replace("=", "%3D").replace("&", "%26"),
    "otpauth in base64": base64.b64encode(f"x{OTPAUTH}".encode()).decode(),
    "otpauth export": "otpauth-migration://offline?data=" + base64.b64encode(KEY).decode().replace("+", "%2B"),
    "pem": PEM,
    "pem in one line": PEM.replace("\n", "\\n"),
    "pem pkcs8": PEM.replace("EC ", ""),
    "pem encrypted": PEM.replace("EC ", "ENCRYPTED "),
    "pem openssh": PEM.replace("EC ", "OPENSSH "),
    "xprv": XPRV,
    "yprv": extended("049d7878"),
    "zprv": f"m/84h: {extended('04b2430c')}",
    "tprv": {"key": extended("04358394")},
    "wif": WIF,
    "wif uncompressed": f"key={base58check(bytes([0x80]) + KEY)};",
    "wif test": base58check(b"\xef" + KEY + b"\1"),
    "nsec": NSEC,
    "nsec upper": NSEC.upper(),
}
URLS: Final[dict[str, str]] = {
    "infura": f"https://mainnet.infura.io/v3/{API_KEY}",
    "infura socket": f"wss://mainnet.infura.io/ws/v3/{API_KEY}",
    "alchemy": f"https://eth-mainnet.g.alchemy.com/v2/{MIXED_KEY}",
    "quicknode": f"https://quiet-blue-sky.quiknode.pro/{API_KEY}ab12cd34/",
    "ankr": f"https://rpc.ankr.com/eth/{API_KEY}{API_KEY}",
    "chainstack": f"https://ethereum-mainnet.core.chainstack.com/{API_KEY}",
    "drpc": f"https://lb.drpc.org/ogrpc?network=ethereum&dkey={MIXED_KEY}",
    "helius": "https://mainnet.helius-rpc.com/?api-key=1d8740dc-e5f4-421c-b823-e1bad1889eff",
    "tenderly": f"https://mainnet.gateway.tenderly.co/{MIXED_KEY[:22]}",
    "blast": "https://eth-mainnet.blastapi.io/1d8740dc-e5f4-421c-b823-e1bad1889eff",
    "getblock": f"https://go.getblock.io/{API_KEY}",
    "rivet": f"https://{API_KEY}.eth.rpc.rivet.cloud/",
    "password": "https://alice:correct-horse@node.internal:8545/",
    "token": f"https://{API_KEY}@node.internal/",
    "parameter": f"https://api.scan.io/api?module=account&apikey={API_KEY}",
    "in an exception": f"HTTPSConnectionPool(host='eth-mainnet.g.alchemy.com', port=443): Max retries exceeded with "
    f"url: /v2/{MIXED_KEY} (Caused by",
    "escaped": f"https:\\/\\/mainnet.infura.io\\/v3\\/{API_KEY}",
    "percent": f"https%3A%2F%2Fmainnet.infura.io%2Fv3%2F{API_KEY}",
}
ALL: Final[dict[str, Any]] = {
    f"{family}: {name}": payload
    for family, table in (
        ("named", NAMED), ("derived", DERIVED), ("phrase", PHRASES), ("format", FORMATS), ("url", URLS),
    )
    for name, payload in table.items()
}  # fmt: skip
"""Family and form -> a JSON value that holds the secret."""
