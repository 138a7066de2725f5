"""The envelope: every damaged bit is seen, every version and kind is named."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import pytest
from fault_results import record
from hypothesis import given
from hypothesis import strategies as st
from wire_samples import START, envelopes

from models.errors import EnvelopeError, VersionError, WireError
from models.identity import MessageIdentity, Stream
from models.wire.envelope import MAX_MESSAGE_BYTES, Kind, open_envelope, seal
from models.wire.topics import Down, Up, down_topic, parse_up_topic, up_topic

GOLDEN = Path(__file__).parent / "golden"
NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,62}", fullmatch=True)


def resealed(raw: bytes) -> bytes:
    """The bytes with a digest that fits them again."""
    digest = hashlib.blake2b(raw[:32] + raw[48:], digest_size=16).digest()
    return raw[:32] + digest + raw[48:]


@given(
    NAMES,
    st.integers(0, 2**63 - 1),
    st.sampled_from(Stream),
    st.integers(1, 2**63 - 1),
    st.sampled_from(Kind),
    st.integers(-(2**63), 2**63 - 1),
    st.binary(max_size=200),
)
def test_envelope_of_any_identity_comes_back(gateway, epoch, stream, sequence, kind, sent_at, body):
    identity = MessageIdentity(gateway, epoch, stream, sequence)
    envelope = open_envelope(seal(identity, kind, sent_at, body))
    assert (envelope.identity, envelope.kind, envelope.sent_at, envelope.body) == (
        identity,
        kind,
        sent_at,
        body,
    )


@pytest.mark.row("A18")
@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/envelope-*.bin")), ids=lambda p: p.stem)
def test_envelopes_of_every_release_are_opened(path):
    now = open_envelope(envelopes()[path.stem.removeprefix("envelope-")])
    assert open_envelope(path.read_bytes()) == now


@pytest.mark.parametrize("name", envelopes())
def test_envelope_is_sealed_as_in_the_newest_release(name):
    newest = max(GOLDEN.iterdir(), key=lambda folder: int(folder.name))
    assert envelopes()[name] == (newest / f"envelope-{name}.bin").read_bytes()


@pytest.mark.parametrize("name", envelopes())
def test_every_flipped_bit_of_a_message_is_seen(name):
    raw = envelopes()[name]
    for place in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[place >> 3] ^= 1 << (place & 7)
        with pytest.raises(WireError) as caught:
            open_envelope(bytes(flipped))
        assert caught.value.code in {"magic", "version", "digest"}


@pytest.mark.parametrize("name", envelopes())
def test_every_truncation_of_a_message_is_seen(name):
    raw = envelopes()[name]
    for size in range(len(raw)):
        with pytest.raises(EnvelopeError) as caught:
            open_envelope(raw[:size])
        assert caught.value.code in {"short", "digest"}


@pytest.mark.row("A18")
def test_envelope_of_an_unknown_version_is_refused_by_name():
    raw = envelopes()["alert"]
    with pytest.raises(VersionError, match="envelope version 2, this program speaks 1"):
        open_envelope(resealed(raw[:2] + b"\x02" + raw[3:]))


@pytest.mark.row("A18")
@pytest.mark.soak
def test_envelope_of_any_version_and_kind_is_opened_or_refused_by_name():
    accepted = refused = silent = 0
    for raw in envelopes().values():
        for version, kind in itertools.product(range(256), repeat=2):
            try:
                envelope = open_envelope(resealed(raw[:2] + bytes((version, kind)) + raw[4:]))
            except VersionError as wrong:
                named = f"envelope version {version}, this program speaks 1" in str(wrong)
                refused, silent = refused + named, silent + (not named)
            else:
                accepted, silent = accepted + (version == 1), silent + (envelope.kind != kind)
    record(
        "A18", "every version and kind of every golden envelope", unit="messages",
        runs=65536 * len(envelopes()),
        figure={"accepted": accepted, "refused_by_name": refused, "silent": silent}, ok=not silent,
        target="golden payloads of each release -> accepted or refused by name, 0 dropped in silence",
        command="python -m pytest -m soak tests/wire/test_wire_envelope.py",
    )  # fmt: skip
    assert not silent


@pytest.mark.row("A18")
def test_envelope_of_an_unknown_kind_still_has_an_identity():
    raw = envelopes()["alert"]
    envelope = open_envelope(resealed(raw[:3] + b"\xc8" + raw[4:]))
    assert envelope.kind == 200
    assert envelope.identity == MessageIdentity("gw-b1", 1, Stream.URGENT, 7)


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        (4, b"\x00", "stream"),
        (4, b"\x03", "stream"),
        (8, b"\x80", "sequence"),
        (16, b"\x80", "sequence"),
        (48, b"G", "name"),
        (48, b"/", "name"),
        (50, b"\x00", "name"),
        (48, b"\xff", "name"),
    ],
)
def test_envelope_that_is_whole_but_wrong_is_refused_by_name(place, value, code):
    raw = envelopes()["alert"]
    with pytest.raises(EnvelopeError) as caught:
        open_envelope(resealed(raw[:place] + value + raw[place + 1 :]))
    assert caught.value.code == code


def test_envelope_without_a_sequence_is_refused():
    raw = seal(MessageIdentity("gw-1", 0, Stream.BULK, 0), Kind.GAP, START, b"")
    with pytest.raises(EnvelopeError, match="sequence"):
        open_envelope(raw)


def test_envelope_whose_name_runs_past_the_end_is_refused():
    raw = seal(MessageIdentity("gw-1", 0, Stream.BULK, 1), Kind.GAP, START, b"")
    with pytest.raises(EnvelopeError) as caught:
        open_envelope(resealed(raw[:5] + b"\x3f" + raw[6:]))
    assert caught.value.code == "name"


@pytest.mark.row("B10")
def test_message_of_more_than_a_mebibyte_is_refused_before_it_is_hashed():
    with pytest.raises(EnvelopeError, match="size"):
        open_envelope(bytes(MAX_MESSAGE_BYTES + 1))


@given(NAMES, st.sampled_from(Up))
def test_topic_of_any_gateway_is_parsed_back(gateway, kind):
    assert parse_up_topic(up_topic(gateway, kind)) == (gateway, kind)


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "lm/1/gw-1/up",
        "lm/1/gw-1/up/urgent/x",
        "lm/2/gw-1/up/urgent",
        "lm/1/GW/up/urgent",
        "lm/1/+/up/urgent",
        "lm/1//up/urgent",
        "lm/1/gw-1/up/shouting",
        "$SYS/broker/uptime",
        down_topic("gw-1", Down.COMMAND),
    ],
)
def test_topic_that_is_none_of_ours_is_refused(topic):
    with pytest.raises(EnvelopeError, match="topic"):
        parse_up_topic(topic)
