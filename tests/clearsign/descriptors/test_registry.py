"""The public registry: its cases are told as it expects, its files read, and its attested hashes are ours."""

from __future__ import annotations

import pytest

from mcp_wallet_guard.clearsign.descriptors import freezing
from mcp_wallet_guard.clearsign.descriptors.descriptor import descriptor_hash, load
from mcp_wallet_guard.clearsign.descriptors.index import Index
from mcp_wallet_guard.errors import InvalidInput
from tests.clearsign.descriptors import registry

pytestmark = pytest.mark.skipif(not registry.FILE.exists(), reason="the public vectors are not beside this repository")


@pytest.fixture(scope="module")
def index() -> Index:
    return Index(registry.files())


def test_every_case_but_the_one_without_a_chain_is_told_as_the_registry_expects(index: Index) -> None:
    cases = list(registry.cases())
    assert len(cases) == 509
    wrong = []
    for case in cases:
        found = case.run(index)
        told = None if found is None else registry.shape(found)
        if told != (None if case.name in registry.UNTOLD else case.expected):
            wrong.append((case.name, case.raw["description"], told))
    assert wrong == []


def test_all_files_with_a_context_are_read_strictly(index: Index) -> None:
    files = registry.files()
    unread = {}
    for name in files:
        try:
            load(files, name).check()
        except InvalidInput as error:
            unread[name] = error.detail
    parts = {name for name in unread if name.rsplit("/", 1)[1].startswith("common-")}
    assert unread.keys() == parts
    assert len(files) - len(parts) == 356


def test_what_freezing_leaves_tells_every_case_the_same(index: Index) -> None:
    compared = 0
    for case in list(registry.cases())[::5]:
        found = case.run(index)
        if found is None or any(line.call is not None for line in found.lines):
            continue
        descriptor = index.get(registry.descriptor_of(case.name))
        assert descriptor is not None
        if descriptor.hash != found.descriptor:
            continue  # another file is of the same contract
        frozen = freezing.restored(freezing.reduced(descriptor, found.key))
        assert case.run(Index.of([frozen])) == found
        compared += 1
    assert compared > 90


@pytest.mark.parametrize(
    ("name", "attested"),
    [
        (
            "registry/1inch/calldata-AggregationRouterV3.json",
            "269a902ee1c7335e81ab2f747f9fb82e5c5b558bad3608f9c23166485b40f470",
        ),
    ],
)
def test_the_hash_of_a_file_is_what_its_auditor_attested(name: str, attested: str) -> None:
    assert descriptor_hash(registry.files()[name]).hex() == attested
