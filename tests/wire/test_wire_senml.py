"""SenML as RFC 8428 has it: examples, exactness, and what is refused by name."""

from __future__ import annotations

import json
import os
import random
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import BodyError, VersionError, WireError
from models.wire import senml
from models.wire.senml import SenmlRecord, encode_senml, resolve_senml, senml_columns, senml_table
from models.wire.senml_syntax import MAX_PAYLOAD_BYTES, SECOND_NS

CASES = Path(__file__).parent / "cases" / "senml"
NOW_S = 1_700_000_000


def cases(file: str) -> list:
    """Cases of one file of data, each under its own name."""
    return [pytest.param(case, id=case["name"]) for case in json.loads((CASES / file).read_text())["cases"]]


def payload_of(case: dict) -> bytes:
    return bytes.fromhex(case["pack"]) if case["content"] == "cbor" else case["pack"].encode()


def record_of(said: dict) -> SenmlRecord:
    data = {"data": bytes.fromhex(said["data"])} if "data" in said else {}
    return SenmlRecord(**(said | data))


@pytest.mark.parametrize("case", [*cases("rfc8428.json"), *cases("resolved.json")])
def test_pack_resolves_to_the_records_it_means(case):
    records = resolve_senml(payload_of(case), case["content"], case["now_s"])
    assert records == [record_of(said) for said in case["records"]]


@pytest.mark.parametrize("case", [*cases("rfc8428.json"), *cases("resolved.json")])
def test_columns_of_a_pack_are_its_numbers_and_booleans(case):
    names, times, values = senml_columns(payload_of(case), case["content"], case["now_s"])
    expected = [
        (said["name"], said["time_ns"], float(said.get("value", said.get("flag"))))
        for said in case["records"]
        if "value" in said or "flag" in said
    ]
    assert list(zip(names, times.tolist(), values.tolist(), strict=True)) == expected
    assert (times.dtype, values.dtype) == (np.int64, np.float64)


@pytest.mark.parametrize("case", cases("refused.json"))
def test_pack_that_cannot_be_meant_is_refused_by_name(case):
    for read in (resolve_senml, senml_columns):
        with pytest.raises(WireError) as caught:
            read(payload_of(case), case["content"], case["now_s"])
        assert caught.value.code == case["code"]
        assert isinstance(caught.value, VersionError if case["code"] == "version" else BodyError)


def test_refusal_says_which_record():
    with pytest.raises(BodyError, match=r"^value: record 1: more than one value"):
        resolve_senml(b'[{"n":"a","v":1},{"n":"a","v":1,"vb":true}]', "json", NOW_S)


@pytest.mark.row("B10")
def test_pack_of_too_many_bytes_is_refused_before_it_is_read():
    for read in (resolve_senml, senml_columns):
        with pytest.raises(BodyError, match="size"):
            read(b" " * (MAX_PAYLOAD_BYTES + 1), "json", NOW_S)


def test_numbers_that_json_cannot_say_come_through_cbor():
    record = SenmlRecord("a", NOW_S * SECOND_NS, value=float("-inf"))
    assert resolve_senml(encode_senml([record], "cbor"), "cbor", NOW_S) == [record]
    with pytest.raises(ValueError, match="no word"):
        encode_senml([record], "json")


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9\-:./_]{0,20}", fullmatch=True)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def records(draw) -> SenmlRecord:
    kind = draw(st.sampled_from(["value", "text", "flag", "data", "sum"]))
    drawn = {
        "value": FLOATS,
        "text": st.text(max_size=9),
        "flag": st.booleans(),
        "data": st.binary(max_size=9),
    }
    return SenmlRecord(
        draw(NAMES),
        draw(st.integers((1 << 28) * SECOND_NS, 4_000_000_000 * SECOND_NS)),
        unit=draw(st.sampled_from(["", "Cel", "%RH"])),
        **{kind: draw(drawn.get(kind, FLOATS))},
        update_s=draw(st.none() | st.integers(1, 3600).map(float)),
    )


@settings(deadline=None)
@given(st.lists(records(), min_size=1, max_size=6), st.sampled_from(["json", "cbor"]))
def test_records_of_any_kind_come_back_to_the_nanosecond(written, content):
    assert resolve_senml(encode_senml(written, content), content, 0.0) == written


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 10**10), FLOATS), min_size=1, max_size=9), NAMES
)
def test_the_short_way_gives_what_the_long_way_gives(rows, base_name):
    start = NOW_S * SECOND_NS + 1_000_001
    written = [SenmlRecord(base_name + name, start + after, "Cel", value) for name, after, value in rows]
    payload = encode_senml(written, "json", base_name)
    names, times, values = senml_columns(payload, "json", 0.0)
    assert [(n, t, v) for n, t, v in zip(names, times.tolist(), values.tolist(), strict=True)] == [
        (record.name, record.time_ns, record.value) for record in written
    ]


DIGITS = st.text("0123456789", min_size=1, max_size=22)
SPACES = st.sampled_from(["", "", "", " ", "\n\t", "\r "])


@st.composite
def numbers(draw) -> str:
    """Numbers as JSON writes them, near and beyond what a float, 18 digits or 64 bits hold."""
    whole = draw(st.sampled_from(["0", "1", "20", "1767225600", "9007199254740993"]) | DIGITS)
    fraction = draw(st.sampled_from(["", "", ".0", ".5", ".001", ".0000000005", ".29999999999999"]) | DIGITS)
    power = draw(st.sampled_from(["", "", "", "e0", "E+2", "e-7", "e9", "e-25", "e308", "e-320", "e4000"]))
    fraction = "." + fraction if fraction.isdigit() else fraction
    return draw(st.sampled_from(["", "-"])) + whole + fraction + power


def members(draw, others: bool) -> list[tuple[str, str]]:
    small = st.sampled_from(["0", "-0", "0.25", "-1.5e-3", "1", "4.995", "0.10000000149011612"])
    absolute = st.sampled_from(["1767225600", "1.767225600123e+09", "1767225600.000000001", "-5", "0"])
    said = {
        "n": st.sampled_from(['"t"', '"h"', '"d01/q1"', '""']),
        "u": st.sampled_from(['"Cel"', '"%RH"']),
        "t": small | absolute | numbers(),
        "v": numbers() | FLOATS.map(repr),
        "bn": st.sampled_from(['"urn:dev:1:"', '"b/"', '""', '"urn:dev:1:"']),
        "bt": absolute | numbers(),
        "bu": st.just('"Cel"'),
    }
    odd = {
        "vb": st.sampled_from(["true", "false"]),
        "vs": st.just('"on"'),
        "bv": numbers(),
        "s": numbers(),
        "bver": st.sampled_from(["10", "11", "5"]),
        "n": st.sampled_from(['"-t"', '"t\\u0065"', '"\u00b0"', '"a b"', '"' + "x" * 510 + '"', "3", "null"]),
        "v": st.sampled_from(["01", "1.", ".5", "+1", "-", "1e", "null", '"1"', "true", "NaN", "[1]"]),
        "x": numbers(),
        "x_": numbers(),
    }
    chosen = draw(st.lists(st.sampled_from(["t", "u", "bn", "bt", "bu"]), unique=True, max_size=3))
    pairs = [(label, draw(said[label])) for label in ["n", "v", *chosen]]
    if others:
        label = draw(st.sampled_from([*odd, *said]))
        pairs.append((label, draw(odd.get(label, said.get(label, numbers())))))
        pairs = pairs[draw(st.integers(0, 2)) :]
    return draw(st.permutations(pairs))


@st.composite
def packs(draw) -> bytes:
    """Packs as text, most of them plain; about every second has something out of the ordinary."""
    others = draw(st.booleans())
    records = []
    for _ in range(draw(st.integers(1, 5))):
        space = draw(SPACES)
        pairs = [
            f'{space}"{label}"{space}:{space}{value}{space}'
            for label, value in members(draw, others and draw(st.booleans()))
        ]
        records.append(space + "{" + ",".join(pairs) + space + "}" + space)
    text = draw(SPACES) + "[" + ",".join(records) + "]" + draw(SPACES)
    if others and draw(st.booleans()):
        place = draw(st.integers(0, len(text)))
        text = (
            text[:place] + draw(st.sampled_from(["", ",", "}", "]", "\0", '"', "0", "-"])) + text[place + 1 :]
        )
    return text.encode()


@settings(deadline=None, max_examples=250)
@given(packs(), st.sampled_from([0.0, NOW_S, NOW_S + 0.000001, -5.0, 9e9]))
def test_table_of_any_pack_is_to_the_bit_what_the_full_resolver_says(payload, now_s):
    try:
        resolved = resolve_senml(payload, "json", now_s)
    except WireError as wrong:
        with pytest.raises(type(wrong)) as caught:
            senml_table(payload, "json", now_s)
        assert str(caught.value) == str(wrong)
        return
    table = senml_table(payload, "json", now_s)
    kept = [r for r in resolved if r.value is not None or r.flag is not None]
    values = np.array([r.flag if r.value is None else r.value for r in kept], np.float64)
    assert [table.names[place] for place in table.place] == [r.name for r in kept]
    assert table.time.tolist() == [r.time_ns for r in kept]
    assert table.value.tobytes() == values.tobytes()


@pytest.mark.parametrize(
    "pack",
    [
        b'[{"bt":1767225600,"n":"a","u":"Cel","t":0.009,"v":18.3},{"n":"b","v":-0.0}]',
        b' [ {"bn":"b:"} , { "n" : "a" , "v" : 21.299999999999997 }, {"bn":"c:","t":-1e-3,"v":1}]\n',
        b'[{"n":"a","bt":1.276020076001e+09,"v":1e-05},{"n":"a","t":0.10000000149011612,"v":5}]',
    ],
)
def test_ordinary_packs_are_never_resolved_the_long_way(pack, monkeypatch):
    expected = resolve_senml(pack, "json", NOW_S)
    monkeypatch.setattr(senml, "resolve_senml", lambda *_: pytest.fail("went the long way"))
    table = senml_table(pack, "json", NOW_S)
    assert [(table.names[p], t, v) for p, t, v in zip(*table[1:], strict=True)] == [
        (record.name, record.time_ns, record.value) for record in expected
    ]


def test_pack_of_many_names_in_any_order_tells_each_name_once():
    rng = random.Random(5)
    names = [f"d{number:03}/{'abcdefgh'[: number % 9]}" for number in range(700)]
    said = [rng.choice(names) for _ in range(4000)]
    pack = json.dumps([{"n": name, "v": number} for number, name in enumerate(said)]).encode()
    table = senml_table(pack, "json", NOW_S)
    assert table.names == tuple(dict.fromkeys(said))
    assert [table.names[place] for place in table.place] == said
    assert table.value.tolist() == list(range(4000))


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [SenmlRecord("", NOW_S * SECOND_NS, value=1.0)],
        [SenmlRecord("a", 5 * SECOND_NS, value=1.0)],
        [SenmlRecord("b", NOW_S * SECOND_NS, value=1.0)],
    ],
)
def test_records_that_would_read_as_something_else_are_not_written(wrong):
    with pytest.raises(ValueError, match=r"name|relative|begin"):
        encode_senml(wrong, "json", base_name="a")


@pytest.mark.row("B11")
@pytest.mark.parametrize("content", ["json", "cbor"])
def test_mutated_packs_give_records_or_an_error_of_ours_and_both_ways_agree(content):
    rng = random.Random(11)
    files = ("rfc8428.json", "resolved.json", "refused.json")
    seeds = [payload_of(param.values[0]) for file in files for param in cases(file)]
    seeds = [seed for seed in seeds if 0 < len(seed) < 2000]
    tokens = [
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b'"',
        b"1e999",
        b"-",
        b"null",
        b'"v":1',
        b'"bn":"x"',
        b"\x9f",
        b"\xc4",
    ]
    outcomes = set()
    for _ in range(6_000):
        payload = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(payload) + 1)
            payload[place : place + rng.randrange(3)] = rng.choice(
                [*tokens, rng.randbytes(1), rng.randbytes(3)]
            )
        outcomes.add(outcome_of(bytes(payload), content))
    assert {"records", "syntax", "pack", "type", "name"} <= outcomes


def outcome_of(payload: bytes, content: str) -> str:
    try:
        resolved = resolve_senml(payload, content, NOW_S)
    except WireError as wrong:
        with pytest.raises(WireError) as caught:
            senml_columns(payload, content, NOW_S)
        assert caught.value.code == wrong.code
        return wrong.code
    names, times, values = senml_columns(payload, content, NOW_S)
    numbers = [r for r in resolved if r.value is not None or r.flag is not None]
    assert names == [record.name for record in numbers]
    assert times.tolist() == [record.time_ns for record in numbers]
    expected = [record.flag if record.value is None else record.value for record in numbers]
    assert np.array_equal(values, np.array(expected, np.float64), equal_nan=True)
    return "records"


def standards() -> list[Path]:
    default = Path(__file__).parents[3] / "shared" / "standards"
    return sorted(
        (Path(os.environ.get("LASTMILE_STANDARDS", default)) / "senml").glob("ex*.gen.resolved.json")
    )


@pytest.mark.parametrize("resolved", standards(), ids=lambda path: path.name.split(".")[0])
def test_packs_of_the_standards_folder_resolve_as_its_resolved_files_say(resolved):
    example = resolved.name.split(".")[0]
    packs = [(resolved.parent / f"{example}.json", "json"), (resolved.parent / f"{example}.gen.cbor", "cbor")]
    expected = json.loads(resolved.read_text())
    for path, content in packs:
        if not path.exists():
            continue
        now_s = expected[0]["t"]
        said = [asdict(record) for record in resolve_senml(path.read_bytes(), content, now_s)]
        # The reference left the record with data out of example 7.
        said = [record for record in said if record["data"] is None]
        assert [(r["name"], r["unit"], r["value"], r["text"], r["flag"]) for r in said] == [
            (e["n"], e.get("u", ""), e.get("v"), e.get("vs"), e.get("vb")) for e in expected
        ]
        for record, wanted in zip(said, expected, strict=True):
            assert abs(record["time_ns"] / 1e9 - wanted["t"]) < 1e-6
