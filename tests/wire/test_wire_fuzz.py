"""The short form of the fuzz row: whatever arrives ends as a value or as an error of ours."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError
from wire_samples import SIGNING_KEY, document, envelopes, messages

from models.configuration import GatewayDocument
from models.errors import ConfigurationError, WireError
from models.wire.columns import decode_columns
from models.wire.envelope import Kind, open_envelope
from models.wire.messages import SignedDocument
from models.wire.schema import SCHEMAS
from models.wire.signing import verify_document
from models.wire.topics import parse_up_topic

ROUNDS = 8_000
OURS = (WireError, ConfigurationError, ValidationError)
TOKENS = [
    b"null",
    b"-1",
    b"1e999",
    b"9" * 40,
    b'""',
    b"[]",
    b"{}",
    b"true",
    b"NaN",
    b"\xff",
    b"\\ud800",
    b'"',
    b"\0",
]

pytestmark = pytest.mark.row("B11")


def mutated(seed: bytes, rng: random.Random) -> bytes:
    """The seed with a few bytes changed, cut out, doubled or replaced by words that hurt."""
    raw = bytearray(seed)
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(raw) + 1)
        stop = min(len(raw), start + rng.choice([0, 1, 1, 2, 8, 40]))
        put = rng.choice(
            [b"", rng.randbytes(1), rng.randbytes(4), bytes(raw[start:stop]) * 2, rng.choice(TOKENS)]
        )
        raw[start:stop] = put
    return bytes(raw)


def survive(
    read: Callable[[bytes], object], seeds: list[bytes], seed: int, rounds: int = ROUNDS
) -> tuple[int, int]:
    """How many mutated payloads were read and how many refused; any other error fails the test."""
    rng = random.Random(seed)
    read_well = refused = 0
    for _ in range(rounds):
        payload = mutated(rng.choice(seeds), rng)
        try:
            read(payload)
            read_well += 1
        except OURS:
            refused += 1
    return read_well, refused


def take_message(raw: bytes) -> object:
    """What ingest does with the bytes of a message before it stores anything."""
    envelope = open_envelope(raw)
    bodies = {Kind.CHANNELS: "channels", Kind.ALERT: "alert", Kind.EVIDENCE: "evidence", Kind.GAP: "gap"}
    if envelope.kind == Kind.TELEMETRY:
        return decode_columns(envelope.body)
    name = bodies.get(envelope.kind, "outage")
    return SCHEMAS[name].model_validate_json(envelope.body)


def resealed(raw: bytes) -> bytes:
    raw = raw[:48].ljust(48, b"\0") + raw[48:]
    digest = hashlib.blake2b(raw[:32] + raw[48:], digest_size=16).digest()
    return raw[:32] + digest + raw[48:]


def test_mutated_messages_are_refused_by_their_digest():
    read_well, refused = survive(take_message, list(envelopes().values()), seed=1)
    assert refused > ROUNDS * 0.9
    assert read_well < ROUNDS * 0.1


def test_mutated_messages_under_a_fresh_digest_end_as_values_or_errors_of_ours():
    read_well, refused = survive(lambda raw: take_message(resealed(raw)), list(envelopes().values()), seed=2)
    assert read_well > 0
    assert refused > 0


@pytest.mark.parametrize("name", messages())
def test_mutated_json_messages_end_as_values_or_errors_of_ours(name):
    message = messages()[name]
    read = type(message).model_validate_json
    read_well, refused = survive(read, [message.model_dump_json().encode()], seed=3, rounds=ROUNDS // 4)
    assert read_well > 0
    assert refused > 0


def test_mutated_documents_end_as_values_or_errors_of_ours():
    seeds = [document().model_dump_json().encode()]
    read_well, refused = survive(GatewayDocument.model_validate_json, seeds, seed=4)
    assert read_well > 0
    assert refused > 0


def test_mutated_documents_are_never_taken_as_signed():
    key = Ed25519PrivateKey.from_private_bytes(SIGNING_KEY).public_key().public_bytes_raw()
    honest = messages()["desired"]

    def take(raw: bytes) -> None:
        offered = SignedDocument.model_validate_json(raw)
        verify_document(offered, key)
        # Spaces and unknown fields around it may change, what was signed may not.
        assert offered.document == honest.document

    survive(take, [honest.model_dump_json().encode()], seed=5, rounds=ROUNDS // 2)


@pytest.mark.row("B10")
@pytest.mark.parametrize("model", SCHEMAS.values(), ids=SCHEMAS)
def test_deep_json_is_refused(model):
    for deep in ("[" * 200_000, '{"a":' * 100_000, '{"reasons":' + "[" * 100_000):
        with pytest.raises(ValidationError):
            model.model_validate_json(deep)


def test_whole_numbers_that_no_database_holds_are_refused():
    for name, message in messages().items():
        said = json.loads(message.model_dump_json())
        for key, value in said.items():
            if type(value) is int:
                for huge in (1 << 63, -(1 << 64), 10**300):
                    with pytest.raises(ValidationError):
                        type(message).model_validate_json(json.dumps(said | {key: huge}))
                assert type(message).model_validate(said) == message, name


def test_mutated_topics_are_ours_or_refused():
    def parse(raw: bytes) -> object:
        return parse_up_topic(raw.decode("utf-8", "replace"))

    read_well, refused = survive(parse, [b"lm/1/gw-b1/up/urgent", b"lm/1/gw-b1/up/bulk"], seed=6)
    assert read_well > 0
    assert refused > 0


WITHOUT_THE_COMPILER = """
import random, sys, warnings
warnings.simplefilter("ignore", RuntimeWarning)  # numbers wrap here as they do in compiled code
import numpy as np
from models.wire.column_block import read_block
from test_wire_columns import HAND_MADE
from wire_samples import TENTHS, calm_block, odd_block
from models.wire.columns import encode_columns, _unpack

rng = random.Random(12)
seeds = []
for make in (calm_block, odd_block):
    body = encode_columns(make().rows(0, 30), TENTHS)
    seeds.append(_unpack(body[54:]) if body[1] & 4 else body[54:])
seeds += [body[54:] for body, code in HAND_MADE.values() if len(body) < 200]
faults = set()
for _ in range(1500):
    body = bytearray(rng.choice(seeds) or b"\\0")
    for _ in range(rng.randint(0, 3)):
        body[rng.randrange(len(body))] = rng.choice([rng.randrange(256), 0, 255, 9])
    rows = rng.choice([1, 2, 30, 30])
    channels = rng.randint(1, min(rows, 5))
    columns = (np.empty(rows, kind) for kind in (np.int32, np.int64, np.float64, np.uint8))
    faults.add(int(read_block(np.frombuffer(bytes(body), np.uint8), channels, 0, *columns)))
print(sorted(faults))
"""


def test_the_reader_of_columns_never_reaches_outside_its_arrays():
    """Compiled code checks no index; the same code run by Python does, and raises where it would."""
    folder = Path(__file__).parent
    paths = os.pathsep.join([str(folder.parents[1]), str(folder)])
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": paths}
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_COMPILER],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 0, run.stderr
    assert len(json.loads(run.stdout)) >= 8
