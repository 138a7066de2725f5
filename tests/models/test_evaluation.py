"""Evaluation: claims against the truth, in small stories and in general."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.alert import Alert, AlertKind, AlertState, Severity
from models.evaluation import (
    SECOND,
    Claim,
    Event,
    Lead,
    Tally,
    Verdict,
    add_tallies,
    claims_of,
    group_claims,
    judge_claims,
    lead_over,
    ratio_interval,
    tally,
    wilson,
)

MINUTE = 60 * SECOND
FIRE = Event("fire", ("b/kitchen", "b/hall"), 100 * MINUTE, 160 * MINUTE, True, calm_ns=200 * MINUTE)
COOKING = Event("cooking", ("b/kitchen",), 10 * MINUTE, 40 * MINUTE, False, calm_ns=60 * MINUTE)
EVENTS = [COOKING, FIRE]


def verdicts(*claims: tuple[int, str]) -> list[str]:
    given = [Claim(place, minute * MINUTE) for minute, place in claims]
    return [judgement.verdict.value for judgement in judge_claims(given, EVENTS)]


def alert(**changes) -> Alert:
    fields = {
        "id": "0" * 32,
        "gateway": "g",
        "monitor": "m",
        "detector": "limit",
        "channel": "c",
        "place": "b/kitchen",
        "hazard": "fire",
        "severity": Severity.MODERATE,
        "state": AlertState.FIRING,
        "boot": "0" * 32,
        "onset_index": 0,
        "onset_at": 0,
        "fired_at": 5 * MINUTE,
        "measured_at": 0,
        "score": 10.0,
        "threshold": 3.0,
        "value": 1.0,
    }
    return Alert(**fields | changes)


def test_a_claim_while_it_burns_is_true_and_the_next_says_nothing_new():
    assert verdicts((110, "b/kitchen"), (150, "b/hall"), (170, "b/kitchen")) == ["true", "further", "further"]


def test_a_claim_elsewhere_or_before_is_false():
    assert verdicts((99, "b/kitchen"), (110, "b/cellar")) == ["false", "false"]


def test_a_claim_after_a_missed_fire_is_neither_until_its_smoke_has_gone():
    assert verdicts((170, "b/kitchen"), (201, "b/kitchen")) == ["aftermath", "false"]


def test_grace_lets_a_claim_come_a_little_late():
    [late] = judge_claims([Claim("b/hall", 165 * MINUTE)], EVENTS, grace_ns=10 * MINUTE)
    assert late.verdict == Verdict.TRUE


def test_what_was_taken_for_a_hazard_is_named():
    judged = judge_claims([Claim("b/kitchen", 20 * MINUTE), Claim("b/hall", 20 * MINUTE)], EVENTS)
    counts = tally(judged, EVENTS)
    assert counts == Tally((None,), 2, {"cooking": 1, "other": 1})
    assert counts.recall == 0.0 and counts.false_alarm_ratio == 1.0 and counts.median_delay_s is None


def test_two_fires_at_once_are_detected_one_after_the_other():
    second = Event("fire", ("b/kitchen",), 105 * MINUTE, 160 * MINUTE, True)
    judged = judge_claims(
        [Claim("b/kitchen", 110 * MINUTE), Claim("b/kitchen", 145 * MINUTE)], [FIRE, second]
    )
    assert tally(judged, [FIRE, second]).delays_s == (600.0, 2400.0)


def test_alerts_become_claims_when_they_fire_for_a_hazard():
    given = [
        alert(),
        alert(fired_at=20 * MINUTE),
        alert(fired_at=36 * MINUTE),
        alert(state=AlertState.RESOLVED, resolved_at=90 * MINUTE),
        alert(kind=AlertKind.MAINTENANCE, place="b/hall"),
        alert(trial=True, place="b/roof"),
    ]
    assert claims_of(given) == (Claim("b/kitchen", 5 * MINUTE, 2), Claim("b/kitchen", 36 * MINUTE, 1))


def test_lead_counts_who_alone_found_it():
    lead = lead_over(Tally((60.0, 30.0, None, None)), Tally((20.0, None, 5.0, None)))
    assert lead == Lead((40.0,), 1, 1) and lead.median_s == 40.0
    assert Lead((), 0, 0).median_s is None
    assert Lead((), 2, 0).median_s == math.inf and Lead((), 1, 1).median_s is None
    with pytest.raises(ValueError):
        lead_over(Tally((1.0,)), Tally())


def test_no_events_and_no_claims_give_no_ratios():
    assert Tally().recall is None and Tally().false_alarm_ratio is None
    assert ratio_interval([Tally(), Tally()]) is None
    assert wilson(0, 0) == (0.0, 1.0)


places = st.sampled_from(["b", "b/kitchen", "b/hall", "c/kitchen"])
claims = st.lists(st.builds(Claim, places, st.integers(0, 300 * MINUTE)), max_size=12)
moments = st.integers(0, 200 * MINUTE)


@st.composite
def event_lists(draw):
    found = []
    for _ in range(draw(st.integers(0, 4))):
        begin, long, fades = draw(moments), draw(moments), draw(moments)
        where = tuple(draw(st.lists(places, min_size=1, max_size=2, unique=True)))
        real = draw(st.booleans())
        found.append(Event("e", where, begin, begin + long, real, begin + long + fades))
    return found


@given(claims=claims, events=event_lists())
def test_every_claim_gets_one_verdict_and_every_event_at_most_one_true_claim(claims, events):
    judged = judge_claims(claims, events)
    assert sorted(j.claim.at_ns for j in judged) == sorted(c.at_ns for c in claims)
    true = [j for j in judged if j.verdict == Verdict.TRUE]
    assert len({id(j.event) for j in true}) == len(true)
    for j in true:
        assert j.event.is_real and j.event.from_ns <= j.claim.at_ns <= j.event.to_ns
        assert j.event.touches(j.claim.place)


@given(claims=claims, events=event_lists(), grace=st.integers(0, 60 * MINUTE))
def test_grace_makes_no_claim_false(claims, events, grace):
    """It may only turn false claims and aftermath into something better."""
    strict = [j.verdict for j in judge_claims(claims, events)]
    lenient = [j.verdict for j in judge_claims(claims, events, grace_ns=grace)]
    assert lenient.count(Verdict.FALSE) <= strict.count(Verdict.FALSE)


@given(claims=claims, events=event_lists())
def test_look_alikes_change_nothing_but_the_names_of_false_claims(claims, events):
    without = [event for event in events if event.is_real]
    all_of, real = tally(judge_claims(claims, events), events), tally(judge_claims(claims, without), without)
    assert (all_of.delays_s, all_of.false) == (real.delays_s, real.false)
    assert sum(all_of.false_by.values()) == all_of.false


@given(st.lists(st.tuples(moments, places), max_size=30))
def test_claims_keep_every_alert_and_lie_apart(fired):
    found = group_claims(fired)
    assert sum(claim.alerts for claim in found) == len(fired)
    for place in {place for _, place in fired}:
        at = [claim.at_ns for claim in found if claim.place == place]
        assert all(b - a > 1800 * SECOND for a, b in itertools.pairwise(at))
        assert at[0] == min(moment for moment, where in fired if where == place)


@given(st.integers(0, 200), st.integers(0, 200))
def test_wilson_holds_the_share(successes, more):
    trials = successes + more
    low, high = wilson(successes, trials)
    assert 0.0 <= low <= high <= 1.0
    assert not trials or low - 1e-12 <= successes / trials <= high + 1e-12


def test_ratio_interval_narrows_with_runs_and_holds_the_ratio():
    few = [Tally((1.0,), 1), Tally((1.0,), 0), Tally((None,), 2), Tally((1.0,), 0)]
    many = few * 25
    ratio = add_tallies(many).false_alarm_ratio
    (low, high), (near, far) = ratio_interval(few), ratio_interval(many)
    assert low <= near <= ratio <= far <= high and far - near < (high - low) / 2
