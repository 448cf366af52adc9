"""Which licences a dependency may have, and the named exceptions. Reads the metadata of the environment."""

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions

PERMISSIVE = re.compile(
    r"0BSD|MIT(?:-0)?(?: License)?|Apache(?: Software License|[- ]2\.0)?|BSD(?:[- ][23][- ]Clause)?(?: License)?"
    r"|ISC.*|PSF-2\.0|PSFL|Python Software Foundation License|CNRI-Python|Unlicense|Zlib"
    r"|CC0[- ]1\.0.*|Public Domain"
)

# distribution -> why it may stay although its licence is not one of these
EXCEPTIONS = {
    "apsw": "any licence that the OSI approved, at the receiver's choice; the SQLite in it is in the public domain",
    "certifi": "MPL-2.0: a list of root certificates, used unchanged by requests, which web3 needs",
    "docutils": "public domain and BSD; its one GPL file, an Emacs mode, is in no wheel; documentation only",
    "hypothesis": "MPL-2.0: runs tests, is linked into nothing; extra `testing` only",
    "pathspec": "MPL-2.0: used by hatchling and mypy while building and checking only",
}


def unwelcome_licences() -> Iterator[str]:
    """Yield a sentence for each installed distribution whose licence is neither permissive nor excused."""
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if name.lower() in EXCEPTIONS:
            continue
        names = licence_names(distribution)
        strange = [licence for licence in names if not PERMISSIVE.fullmatch(licence)]
        if strange or not names:
            yield f"{name}: licence {', '.join(strange) or 'unknown'} is not in tools/licences.py"


def licence_names(distribution: Distribution) -> list[str]:
    metadata = distribution.metadata
    if "License-Expression" in metadata:
        return re.split(r" (?:AND|OR) ", metadata["License-Expression"])
    classifiers = [c.split(" :: ")[-1] for c in metadata.get_all("Classifier", []) if c.startswith("License ::")]
    if classifiers or "License" not in metadata:
        return classifiers
    return [line.strip() for line in metadata["License"].splitlines()[:1] if line]
