"""After real payments and real trouble: no secret in what the guard wrote, showed, logged, raised, or would pickle."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx2
import pytest
from mcp import Client

from mcp_wallet_guard import setup
from mcp_wallet_guard.assembly import KeysVault, StateFiles, build_guard, open_vault, running
from mcp_wallet_guard.errors import GuardError
from mcp_wallet_guard.testing.chain import SimulatedChain
from mcp_wallet_guard.testing.person import ReadPage
from tests.e2e.rig import PASSPHRASE, Daemon, Home, connected, done_once, make_home, pay, server_command, told
from tests.e2e.secrets_of import everything, found_in, raw_secrets
from tests.e2e.tap import Tap

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


class Recorded:
    """Every byte of the page that a browser got, headers too."""

    def __init__(self) -> None:
        self.text = ""

    async def keep(self, response: httpx2.Response) -> None:
        await response.aread()
        self.text += f"{response.status_code} {response.headers}\n{response.text}\n"


async def _lives(home: Home, daemon: Daemon, recorded: Recorded) -> None:
    """A day of a wallet: payments, a decline, wrong codes, bad calls, a node that fails, a lock, a kill."""
    async with connected(home, "2026-07-28") as client:
        payee = home.payee()
        pending = await pay(client, payee)
        async with home.owner() as owner:
            owner.person.browser.event_hooks = {"response": [recorded.keep]}
            page = await owner.person.read(pending["operation"])
            await owner.person.submit(page.form("/approve"), match_code="AAA-AAA", code="000000")
            await owner.person.submit(page.form("/approve"), match_code=page.match_code, code="000000")
            await owner.approve(pending, payee)
            await owner.person.browser.get(f"{daemon.page}/")
            assert told(await pay(client, payee)) == ("done", "mined")
            declined = await pay(client, home.payee())
            await owner.person.decline(declined["operation"])
        assert told(await pay(client, payee, "1e9"))[0] == "refused"
        home.chain.reply("eth_getBalance", PASSPHRASE.encode(), status=500)
        assert told(await pay(client, home.payee()))[0] == "refused"
        home.chain.honest()
        async with home.control() as control:
            with pytest.raises(GuardError):
                await control.unlock(setup.passphrase_from("not the passphrase at all"))
        await home.unlock()
        await daemon.restart()
        await done_once(client, home, home.payee())
        await client.call_tool("balance", {"address": home.address.value})


def _files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_bytes().decode("latin-1")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


async def test_nothing_at_rest_in_the_logs_or_on_the_page_holds_a_secret(base: Path, chain: SimulatedChain) -> None:
    """T-061, T-109: vault, anchor, database with its journal, links, logs, HTTP of page and node, stdio."""
    home = await anyio.to_thread.run_sync(lambda: make_home(base, chain))
    daemon, recorded = Daemon(home), Recorded()
    await anyio.to_thread.run_sync(daemon.start)
    try:
        await home.unlock()
        await _lives(home, daemon, recorded)
        tap = Tap(server_command(home), log=home.log)
        async with Client(tap, mode="2026-07-28") as client:
            assert told(await pay(client, home.payee()))[0] == "pending"
        files = _files(base)  # while the daemon runs: the store's log is part of it
    finally:
        daemon.kill()
    assert {"wallet/vault.json", "wallet/vault.anchor", "wallet/state.db", "wallet/guard.toml", "stderr.log"} <= set(
        files
    )
    assert any(name.startswith("wallet/links/") for name in files)
    assert "Approve this payment?" in recorded.text
    asked = b"\n".join(chain.bodies).decode("latin-1")
    assert "eth_sendRawTransaction" in asked
    places = files | _files(base) | {"page": recorded.text, "stdio": tap.carried(), "node": asked}
    planted = everything(home.new) | {"passphrase": PASSPHRASE, "passphrase, hex": PASSPHRASE.encode().hex()}
    raw = {name: secret.decode("latin-1") for name, secret in raw_secrets(home.new).items()}
    for place, text in places.items():
        assert found_in(text, planted) == set(), place
        assert {name for name, secret in raw.items() if secret in text} == set(), place
    # The honest twin: what may be there is there.
    assert home.address.value in tap.carried() or home.address.value in files["wallet/guard.toml"]
    stored = "".join(text for name, text in files.items() if name.startswith("wallet/state.db"))
    assert any(each[2:] in files["stderr.log"] or each in stored for each in home.sent())


async def test_no_object_of_the_guard_shows_or_pickles_a_secret(base: Path, chain: SimulatedChain) -> None:
    """T-064: repr, str, formatting, pickle, copy and deepcopy of what holds secrets or a way to them."""
    home = await anyio.to_thread.run_sync(lambda: make_home(base, chain))
    planted = everything(home.new) | {"passphrase": PASSPHRASE}
    phrase = setup.passphrase_from(PASSPHRASE)
    async with running(build_guard(home.loaded, clock=home.clock)) as owned:
        await owned.unlock(phrase)
        session = owned.custody.session()
        opened = open_vault(StateFiles(home.loaded.vault_path), phrase, waiver=home.loaded.settings.cheap_kdf)
        objects: dict[str, Any] = {
            "Secret": phrase,
            "UnlockedVault": opened,
            "KeysVault": KeysVault(opened),
            "Session": session,
            "signer": session.signer,
            "match key": session.match_key,
            "Custody": owned.custody,
            "Guard": owned.guard,
            "Desk": owned.desk,
            "OwnedGuard": owned,
            "NewWallet": home.new,
            "factor secret": session.vault.factor_secret(home.new.factor_id),
            "entry": opened.open_entry(opened.entries[0].id),
        }
        leaving = {name for name, held in objects.items() if _pickled(held) or _copied(held) is not None}
        assert leaving == set()
        for name, held in objects.items():
            for shown in (repr(held), str(held), f"{held}", repr([held]), repr({"a": held})):
                assert found_in(shown, planted) == set(), name
        opened.lock()


def _pickled(held: Any) -> bytes | None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        try:
            return pickle.dumps(held, protocol)
        except Exception:  # noqa: BLE001  # whatever it says, nothing came out
            continue
    return None


def _copied(held: Any) -> Any:
    try:
        return copy.deepcopy(held)
    except Exception:  # noqa: BLE001  # the same
        return None


async def test_no_exception_text_holds_what_was_wrong(base: Path, chain: SimulatedChain) -> None:
    """T-057, T-058: secrets where they do not belong are not repeated by the refusal, nor by its chain of causes."""
    home = await anyio.to_thread.run_sync(lambda: make_home(base, chain))
    planted = everything(home.new)
    texts = [" ".join(home.new.words), raw_secrets(home.new)["private key"].hex(), home.new.factor_uri]
    for text in texts:
        toml = f'vault = "{text}"\nunknown = "{text}"\n'
        for attempt in (
            lambda toml=toml: setup.write_settings(base / "bad.toml", toml),
            lambda text=text: setup.passphrase_from(text + "\n"),
            lambda text=text: open_vault(
                StateFiles(home.loaded.vault_path), setup.passphrase_from(text), waiver=home.loaded.settings.cheap_kdf
            ),
        ):
            with pytest.raises(GuardError) as caught:
                attempt()
            error: BaseException | None = caught.value
            while error is not None:
                shown = f"{error} {error!r} {error.args!r} {getattr(error, 'detail', '')}"
                assert found_in(shown, planted) == set(), type(error)
                error = error.__cause__ or error.__context__


async def test_the_page_refuses_a_secret_without_repeating_it(home: Home, daemon: Daemon) -> None:
    """T-109: what somebody types into the wrong field does not come back."""
    recorded = Recorded()
    async with connected(home, "2026-07-28") as client, home.owner() as owner:
        owner.person.browser.event_hooks = {"response": [recorded.keep]}
        pending = await pay(client, home.payee())
        page = await owner.person.read(pending["operation"])
        for text in (" ".join(home.new.words)[:100], raw_secrets(home.new)["private key"].hex()):
            for form, typed in (
                (page.form("/approve"), {"match_code": text, "code": "123456"}),
                (page.form("/approve"), {"match_code": page.match_code, "code": text}),
            ):
                answer: ReadPage = await owner.person.submit(form, **typed)
                assert not answer.continuation
            assert text not in recorded.text
            assert text not in home.log.read_text("utf-8")
    assert found_in(recorded.text, everything(home.new)) == set()
