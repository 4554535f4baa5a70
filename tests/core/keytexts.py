"""What the tests of key texts share."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from keyhalt.core import keytext
from keyhalt.core.keytext import ID_MAX, KeyClaim
from keyhalt.core.secrets import Generation, GenerationState

HERE = Path(__file__).parent
DOC = HERE.parents[1] / "docs" / "key-text.md"
GOLDEN: list[dict[str, Any]] = json.loads((HERE / "golden_keys.json").read_text("utf-8"))[
    "version_1"
]
STANDARD_TO_URL = bytes.maketrans(b"+/", b"-_")

MAC_KEY = bytes(range(32))
MINTING = Generation(5, GenerationState.MINT, MAC_KEY)

quick = settings(max_examples=100, deadline=None)
names = st.text(
    st.characters(blacklist_characters="|", blacklist_categories=("Cs",)), min_size=1, max_size=30
)
ids = st.integers(1, ID_MAX)
generations = st.builds(
    Generation,
    number=st.integers(0, 15),
    state=st.just(GenerationState.MINT),
    key=st.binary(min_size=32, max_size=80),
)
facts = st.fixed_dictionaries(
    {
        "product": names,
        "environment": names,
        "datasource": names,
        "user_id": ids,
        "key_id": ids,
        "random": st.binary(min_size=19, max_size=19),
    }
)

FACTS: dict[str, Any] = {
    "product": "keyhalt",
    "environment": "Lab",
    "datasource": "orchard",
    "user_id": 12,
    "key_id": 345,
    "random": bytes(range(100, 119)),
}


def minted(generation: Generation = MINTING, **changes: object) -> bytes:
    return keytext.mint(generation=generation, **(FACTS | changes)).reveal().encode()


def generation_of(golden: dict[str, Any]) -> Generation:
    mac_key = bytes.fromhex(golden["mac_key_hex"])
    return Generation(golden["generation"], GenerationState.MINT, mac_key)


def sealed(where: bytes, whose: bytes, body: bytes) -> bytes:
    """A text of two raw first parts and payload bytes 0-31, with a checksum that holds."""
    parts = base64.b64encode(where) + b"." + base64.b64encode(whose) + b"."
    payload = body + zlib.crc32(parts + body).to_bytes(4, "big")
    return parts + base64.b64encode(payload)


def signed(where: bytes, whose: bytes, generation: Generation = MINTING) -> bytes:
    """As `sealed`, with a MAC that holds too: only the shape can be wrong."""
    head = bytes([0x10 | generation.number]) + bytes(19)
    message = base64.b64encode(where) + b"." + base64.b64encode(whose) + b"." + head
    return sealed(where, whose, head + generation.mac(message)[:12])


def opened(text: bytes) -> tuple[bytes, bytes, bytes]:
    """The two raw first parts and payload bytes 0-31."""
    where, whose, payload = (base64.b64decode(part) for part in text.split(b"."))
    return where, whose, payload[:32]


def passes(text: bytes, *generations: Generation) -> bool:
    """Whether `text` would be taken for a key under any of the generations."""
    claim = keytext.parse(text)
    return isinstance(claim, KeyClaim) and any(keytext.authentic(claim, g) for g in generations)
