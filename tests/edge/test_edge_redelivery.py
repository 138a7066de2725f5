"""A redelivered message is stored once; a new one is never taken for it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.drivers.redelivery import WINDOW, Redelivery


def payload(counter: int, life: int = 0) -> bytes:
    return b"%d:%d" % (life, counter)


@given(st.data())
def test_messages_redelivered_in_any_window_over_restarts_are_taken_exactly_once(data):
    """The broker sends again from some unacknowledged message on, in order, also after we restart."""
    seen, taken, sent = Redelivery(None), [], 0
    for _ in range(data.draw(st.integers(1, 8))):
        back = data.draw(st.integers(0, min(20, sent)))
        sent_now = sent + data.draw(st.integers(0, 5))
        for counter in range(sent - back, sent_now):
            if seen.is_new("t", counter, payload(counter), dup=False):
                taken.append(counter)
        sent = sent_now
        if data.draw(st.booleans()):
            seen = Redelivery(seen.cursor())
    assert taken == list(range(sent))


@given(highest=st.integers(WINDOW, 10**12), restart=st.integers(0, 1))
def test_device_that_counts_anew_is_heard(highest, restart):
    seen = Redelivery(None)
    seen.is_new("t", highest, payload(highest), dup=False)
    if highest - restart >= WINDOW:
        assert seen.is_new("t", restart, payload(restart, life=1), dup=False)
        assert seen.is_new("t", restart + 1, payload(restart + 1, life=1), dup=False)


def test_device_that_counts_anew_within_the_window_is_told_by_its_bytes():
    seen = Redelivery(None)
    for counter in range(10):
        seen.is_new("t", counter, payload(counter), dup=False)
    assert seen.is_new("t", 0, payload(0, life=1), dup=False)


def test_topics_are_counted_apart():
    seen = Redelivery(None)
    assert seen.is_new("a", 5, b"5", dup=False)
    assert seen.is_new("b", 5, b"5", dup=False)


def test_without_a_counter_only_a_flagged_repetition_of_the_last_bytes_is_dropped():
    seen = Redelivery(None)
    assert seen.is_new("t", None, b"on", dup=False)
    assert seen.is_new("t", None, b"on", dup=False)
    assert not Redelivery(seen.cursor()).is_new("t", None, b"on", dup=True)
    assert seen.is_new("t", None, b"off", dup=True)


def test_cursor_stays_small_with_huge_counters():
    seen = Redelivery(None)
    for counter in (1, 10**15, 10**15 + 1):
        seen.is_new("t", counter, payload(counter), dup=False)
    assert len(seen.cursor()) < 60
