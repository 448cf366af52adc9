# ruff: noqa: E501, RUF001  # long keys that are none, and Chinese commas
"""What wallets answer all day, and none of it is a secret: the twins of `foreign.py`."""

from __future__ import annotations

import base64
import json
import random
from typing import Any, Final

from eth_account import Account
from eth_account.messages import encode_typed_data

from mcp_wallet_guard.bip39 import word_list
from mcp_wallet_guard.operations.values import Address


def hex_of(source: random.Random, size: int) -> str:
    return "0x" + source.randbytes(size).hex()


def address_of(source: random.Random) -> str:
    return Address.from_bytes(source.randbytes(20)).value


def receipt(source: random.Random) -> dict[str, Any]:
    """As eth_getTransactionReceipt answers."""
    block, transaction = hex_of(source, 32), hex_of(source, 32)
    return {
        "blockHash": block,
        "blockNumber": hex(source.randrange(1 << 25)),
        "contractAddress": None,
        "cumulativeGasUsed": hex(source.randrange(1 << 25)),
        "effectiveGasPrice": hex(source.randrange(1 << 36)),
        "from": address_of(source),
        "gasUsed": hex(source.randrange(1 << 20)),
        "logs": [log(source, block, transaction, place) for place in range(source.randrange(4))],
        "logsBloom": f"0x{source.getrandbits(2048) & source.getrandbits(2048) & source.getrandbits(2048):0512x}",
        "root": hex_of(source, 32),
        "status": "0x1",
        "to": address_of(source).lower(),
        "transactionHash": transaction,
        "transactionIndex": "0x2",
        "type": "0x2",
    }


def log(source: random.Random, block: str, transaction: str, place: int) -> dict[str, Any]:
    """A Transfer event."""
    return {
        "address": address_of(source),
        "topics": [hex_of(source, 32), *("0x" + "00" * 12 + source.randbytes(20).hex() for _ in range(2))],
        "data": "0x" + source.randrange(1 << 90).to_bytes(32, "big").hex(),
        "blockNumber": hex(source.randrange(1 << 25)),
        "transactionHash": transaction,
        "transactionIndex": "0x2",
        "blockHash": block,
        "logIndex": hex(place),
        "removed": False,
    }


def transaction(source: random.Random) -> dict[str, Any]:
    return {
        "hash": hex_of(source, 32),
        "nonce": "0x15",
        "from": address_of(source),
        "to": address_of(source),
        "value": hex(source.randrange(1 << 70)),
        "input": calldata(source),
        "chainId": "0x1",
        "accessList": [{"address": address_of(source), "storageKeys": [hex_of(source, 32) for _ in range(3)]}],
        "v": "0x1",
        "r": hex_of(source, 32),
        "s": hex_of(source, 32),
        "yParity": "0x1",
    }


def block(source: random.Random) -> dict[str, Any]:
    """As eth_getBlockByHash answers, with the hashes of transactions alone."""
    return {
        **{name: hex_of(source, 32) for name in (
            "hash", "parentHash", "sha3Uncles", "stateRoot", "transactionsRoot", "receiptsRoot", "mixHash",
            "withdrawalsRoot", "parentBeaconBlockRoot", "extraData",
        )},
        "miner": address_of(source),
        "nonce": hex_of(source, 8),
        "transactions": [hex_of(source, 32) for _ in range(40)],
        "uncles": [hex_of(source, 32)],
        "withdrawals": [{"index": hex(n), "address": address_of(source), "amount": "0x11a2b3"} for n in range(8)],
    }  # fmt: skip


def proof(source: random.Random) -> dict[str, Any]:
    """As eth_getProof answers."""
    return {
        "address": address_of(source),
        "accountProof": [hex_of(source, 532) for _ in range(4)],
        "codeHash": hex_of(source, 32),
        "storageHash": hex_of(source, 32),
        "storageProof": [{"key": hex_of(source, 32), "value": hex_of(source, 32), "proof": [hex_of(source, 115)]}],
    }


def calldata(source: random.Random) -> str:
    """A swap: words of 32 bytes, some of them addresses, and a string."""
    words = [source.randrange(1 << 80).to_bytes(32, "big"), bytes(12) + source.randbytes(20), source.randbytes(32)]
    text = b"Thanks for all the fish, and see you at the other side of the bridge"
    return "0x" + (source.randbytes(4) + b"".join(words) + len(text).to_bytes(32, "big") + text + bytes(28)).hex()


def signature(source: random.Random) -> dict[str, Any]:
    """A message that was signed, as eth-account shows it."""
    account = Account.from_key(source.randbytes(32))
    data = typed_data(source)
    signed = account.sign_message(encode_typed_data(full_message=data))
    return {
        "address": account.address,
        "typedData": data,
        "messageHash": "0x" + bytes(signed.message_hash).hex(),
        "r": hex(signed.r),
        "s": str(signed.s),
        "v": signed.v,
        "signature": "0x" + bytes(signed.signature).hex(),
    }


def typed_data(source: random.Random) -> dict[str, Any]:
    """A permit. Source: EIP-712, EIP-2612."""
    names = ("owner", "spender", "value", "nonce", "deadline")
    kinds = ("address", "address", "uint256", "uint256", "uint256")
    domain = (("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address"),
              ("salt", "bytes32"))  # fmt: skip
    return {
        "types": {
            "EIP712Domain": [{"name": name, "type": kind} for name, kind in domain],
            "Permit": [{"name": name, "type": kind} for name, kind in zip(names, kinds, strict=True)],
        },
        "primaryType": "Permit",
        "domain": {
            "name": "USD Coin", "version": "2", "chainId": 1, "verifyingContract": address_of(source),
            "salt": hex_of(source, 32),
        },
        "message": {
            "owner": address_of(source), "spender": address_of(source), "value": source.randrange(1 << 80),
            "nonce": 1, "deadline": 1_900_000_000,
        },
    }  # fmt: skip


def tokens(source: random.Random) -> dict[str, Any]:
    """A token list."""
    listed = word_list("english")
    return {
        "name": "Sample List",
        "timestamp": "2026-11-21T00:00:00+00:00",
        "keywords": ["defi", "safe", "key"],
        "tokens": [
            {
                "chainId": 1,
                "address": address_of(source),
                "symbol": source.choice(listed)[:5].upper(),
                "name": f"{source.choice(listed).title()} {source.choice(listed).title()} Token",
                "decimals": 18,
                "logoURI": f"https://tokens.example.org/{source.randbytes(20).hex()}/logo.png",
                "tags": [source.choice(listed) for _ in range(3)],
            }
            for _ in range(25)
        ],
    }


def image(source: random.Random) -> dict[str, Any]:
    """An image as MCP sends it."""
    data = base64.b64encode(b"\x89PNG\r\n\x1a\n" + source.randbytes(3000)).decode()
    return {"content": [{"type": "image", "data": data, "mimeType": "image/png"}]}


KINDS: Final = (receipt, transaction, block, proof, signature, tokens, image)

_PROSE: Final = """
Self-custody means that nobody but you holds the private key of your account. A wallet usually shows a secret recovery
phrase of 12 or 24 words when it is made; the words come from a fixed list of 2048, and the last one carries a checksum.
Write the phrase on paper or steel, never in a note, a photo or a chat. Anyone who has the seed phrase has the funds.

Where is my private key? The library stores it encrypted. A keystore file (version 3) has a field called crypto, in
which ciphertext, kdf, kdfparams and mac stand; the passphrase opens it. An otpauth:// URI carries the secret of an
authenticator. A PEM file begins with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----.
An extended public key begins with xpub and an extended private one with xprv; WIF keys begin with 5, K or L.

Never paste a private key here. The transaction 0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060 was
the first one of its kind, and its block hash is 0x4e3a3754410177e6937ef1f84bba68ea139e8d1a2258c5f85db9f1cd715a1bdd.
Set PRIVATE_KEY in your environment: PRIVATE_KEY=<your key>, SEED=$SEED, or private_key: "***". Use
https://mainnet.infura.io/v3/YOUR-PROJECT-ID or https://eth-mainnet.g.alchemy.com/v2/<api-key>, or a public node such
as https://cloudflare-eth.com, https://rpc.ankr.com/eth, https://eth.llamarpc.com or https://1rpc.io/eth.
See https://etherscan.io/tx/0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060 and
https://docs.infura.io/api/networks/ethereum?page=2&key=value, or mail security@example.org.

You may add money again and again, lose any of it, or spend all of it in one day; what matters is that a person can
check each payment, that the amount and the address are correct, that the device is real, and that the code is fresh.
"""
_CHINESE: Final = """
助记词是由十二个或二十四个单词组成的一组词语，用来恢复钱包。请把助记词写在纸上，不要拍照，也不要发给任何人。
私钥是一串六十四位的十六进制数字，谁拥有私钥，谁就拥有账户里的资产。我们的客服不会向您要求提供私钥或者助记词。
如果您的手机丢失，可以在新的手机上用助记词恢复钱包：打开应用，选择导入钱包，按照顺序输入单词，然后设置新的密码。
交易已经发送，请等待区块确认，通常需要十几秒到几分钟的时间，网络拥堵的时候可能需要更长的时间才能完成。
助記詞是一組用來恢復錢包的單詞，請妥善保管，不要告訴任何人，也不要存放在網路上面。
"""
PROSE: Final = {"english": _PROSE, "chinese": _CHINESE}

ODDITIES: Final[dict[str, Any]] = {
    "no key": {"privateKey": None, "id": "0x" + "5c504ed4" * 8},
    "whether there is a key": {"hasPrivateKey": True, "privateKeyPath": "m/44'/60'/0'/0/0", "seed": 42},
    "a masked key": {"privateKey": "0x" + "*" * 64, "secret": "<redacted>", "mnemonic": "[hidden]"},
    "a zero": {"privateKey": "0x" + "0" * 64},
    "a hash of a key": {"privateKeyHash": "0x" + "5c504ed4a1b2c3d7" * 4, "secretHash": "ab12cd34ef56ab78" * 4},
    "public keys": {"publicKey": "0x04" + "5c504ed4a1b2c3d7" * 8, "x": "5c504ed4a1b2c3d7" * 4, "pubkeys": ["5c504ed4a1b2c3d7" * 4]},
    "a key by its file": {"private_key_file": "~/.wallet/keystore/UTC--2026-11-21--5c504ed4"},
    "a hash in a sentence about keys": "The private key did not leave. Transaction hash: 0x" + "5c504ed4a1b2c3d7" * 4,
    "an xpub": "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8",
    "an npub": "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg",
    "an xprv with a wrong checksum": "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHj",
    "the word list": " ".join(word_list("english")),
    "a part of the word list": list(word_list("english")[100:124]),
    "the chinese list": "".join(word_list("chinese_simplified")),
    "a schema": {"type": "object", "properties": {"to": {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"},
                 "mnemonic": {"type": "string", "description": "never asked for"}, "private_key": {"type": "null"}}},
    "small numbers": list(range(64)),
    "a tree": {"seed": {"children": [1, 2, 3]}, "secret": [], "sk": {}, "keypair": ""},
    "ipfs": "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi/1.json",
    "a jwt of nobody": "a token of three parts, such as aaaa.bbbb.cccc",
    "a commit": {"commit": "962e0262b0f9f6b1a6dd1f5e0f0a1c2d3e4f5a6b", "tree": "223e5f5"},
    "hashes without names": ["0x" + random.Random(n).randbytes(32).hex() for n in range(200)],
    "deep brackets": "[" * 50_000,
    "a number without end": "[" + "9" * 5000 + ', "x", "' + "ab" * 32 + '"]',
}  # fmt: skip


def as_answer(payload: Any) -> dict[str, Any]:
    """As a tool's result: the structure and its mirror in a text."""
    return {"content": [{"type": "text", "text": json.dumps(payload, indent=2)}], "structuredContent": payload}
