"""A broker and the way to it, by MQTT 5's rules: sessions, QoS 1, retained, wills; nothing is durable."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from simulated_world import World

RECEIVE_MAXIMUM = 20
_KEEPALIVE_S = 45.0
_NOBODY_THERE = 0x10


class Client(Protocol):
    """What a broker says to whoever is connected."""

    def connected(self, *, session_present: bool) -> None: ...
    def acknowledged(self, packet: int, reason: int) -> None: ...
    def message(
        self, mid: int, topic: str, payload: bytes, qos: int, *, dup: bool, retained: bool
    ) -> None: ...
    def lost(self, reason: str) -> None: ...


class Link:
    """One TCP connection: two ways, each in order, with delay. Cut or stalled, what is under way is gone."""

    def __init__(
        self,
        world: World,
        broker: Broker,
        client: Client,
        slowness: Callable[[], float],
        keepalive_s: float | None = None,
    ) -> None:
        self._keepalive_s = keepalive_s
        self._world, self._broker, self._client, self._slowness = world, broker, client, slowness
        self.is_open, self.is_stalled = True, False
        self._free_at = [0.0, 0.0]
        self.session: _Session | None = None

    def up(self, what: Callable[[], None]) -> None:
        self._carry(0, what)

    def down(self, what: Callable[[], None]) -> None:
        self._carry(1, what)

    def _carry(self, way: int, what: Callable[[], None]) -> None:
        if not self.is_open or self.is_stalled:
            return
        arrival = max(self._free_at[way], self._world.now_s + self._slowness())
        self._free_at[way] = arrival
        self._world.after(arrival - self._world.now_s, lambda: self._arrive(way, what))

    def _arrive(self, way: int, what: Callable[[], None]) -> None:
        if self.is_open and not self.is_stalled and (way == 1 or self._broker.is_up):
            what()

    def cut(self, reason: str = "cut", *, tell_client: bool = True) -> None:
        """End it; either side hears of it, each after a while of its own."""
        if not self.is_open:
            return
        self.is_open = False
        draw = self._world.chance.random
        if tell_client:
            self._world.after(0.2 * draw(), lambda: self._client.lost(reason))
        self._world.after(0.2 * draw(), lambda: self._broker.lost(self))

    def stall(self) -> None:
        """A black hole: nobody hears anything any more, and nobody is told. The broker gives up in time."""
        self.is_stalled = True
        self._world.after(_KEEPALIVE_S, lambda: self._broker.lost(self))
        if self._keepalive_s is not None:
            self._world.after(self._keepalive_s, self._notice)

    def _notice(self) -> None:
        if self.is_open:
            self.is_open = False
            self._client.lost("no answer to a ping")


@dataclass
class _Queued:
    topic: str
    payload: bytes
    qos: int
    retained: bool = False


@dataclass
class _Session:
    client_id: str
    topics: set[str] = field(default_factory=set)
    queue: deque[_Queued] = field(default_factory=deque)
    in_flight: dict[int, _Queued] = field(default_factory=dict)
    link: Link | None = None
    client: Client | None = None
    will: tuple[str, bytes] | None = None
    receive_maximum: int = RECEIVE_MAXIMUM
    next_mid: int = 1


class Broker:
    """Keeps everything in memory, as mosquitto does between its rare saves."""

    def __init__(self, world: World, most_queued: int = 1000) -> None:
        self._world, self._most_queued = world, most_queued
        self.is_up, self.dropped = True, 0
        self._sessions: dict[str, _Session] = {}
        self._retained: dict[str, bytes] = {}

    # ---- what happens to it

    def kill(self, *, wiped: bool) -> None:
        """kill -9: what was queued and under way is gone; `wiped`: who had subscribed as well."""
        self.is_up = False
        self._world.say("broker killed", "wiped" if wiped else "")
        for session in self._sessions.values():
            link, session.link, session.client = session.link, None, None
            session.queue.clear()
            session.in_flight.clear()
            if link is not None:
                link.cut("broker gone")
        if wiped:
            self._sessions.clear()
            self._retained.clear()

    def start(self) -> None:
        self._world.say("broker up")
        self.is_up = True

    def stall_all(self) -> None:
        """SIGSTOP: connections stand, nothing moves."""
        for session in self._sessions.values():
            if session.link is not None:
                session.link.stall()

    def link_of(self, client_id: str) -> Link | None:
        session = self._sessions.get(client_id)
        return session.link if session else None

    # ---- what clients ask for (at the broker's end of the link)

    def connect(
        self,
        link: Link,
        client_id: str,
        client: Client,
        *,
        will: tuple[str, bytes] | None,
        receive_maximum: int,
    ) -> None:
        before = self._sessions.get(client_id)
        session = before or self._sessions.setdefault(client_id, _Session(client_id))
        if session.link is not None:
            session.link.cut("taken over")
        session.link, session.client, link.session = link, client, session
        session.will, session.receive_maximum = will, receive_maximum
        link.down(lambda: client.connected(session_present=before is not None))
        for mid, queued in list(session.in_flight.items()):
            self._deliver(session, mid, queued, dup=True)
        self._push(session)

    def subscribe(self, link: Link, topics: list[str]) -> None:
        session = link.session
        if session is None or session.link is not link:
            return
        fresh = set(topics) - session.topics
        session.topics.update(topics)
        for topic, payload in self._retained.items():
            if any(_fits(pattern, topic) for pattern in fresh):
                self._enqueue(session, _Queued(topic, payload, 1, True))
        self._push(session)

    def publish(
        self, link: Link | None, packet: int, topic: str, payload: bytes, *, qos: int, retain: bool
    ) -> None:
        if link is not None and (link.session is None or link.session.link is not link):
            return
        if retain:
            self._retained[topic] = payload
        reason = _NOBODY_THERE
        for session in self._sessions.values():
            if any(_fits(pattern, topic) for pattern in session.topics):
                reason = 0
                self._enqueue(session, _Queued(topic, payload, qos))
                self._push(session)
        if link is not None and qos and link.session is not None and link.session.client is not None:
            client = link.session.client
            link.down(lambda: client.acknowledged(packet, reason))

    def acknowledge(self, link: Link, mid: int) -> None:
        session = link.session
        if session is not None and session.link is link:
            session.in_flight.pop(mid, None)
            self._push(session)

    def lost(self, link: Link) -> None:
        session = link.session
        if session is None or session.link is not link:
            return
        session.link = session.client = None
        if session.will is not None and self.is_up:
            self.publish(None, 0, *session.will, qos=1, retain=True)

    # ---- inside

    def _enqueue(self, session: _Session, queued: _Queued) -> None:
        if queued.qos == 0 and session.link is None:
            return
        if len(session.queue) >= self._most_queued:
            self.dropped += 1
            self._world.say("broker drops", queued.topic, "for", session.client_id)
            return
        session.queue.append(queued)

    def _push(self, session: _Session) -> None:
        while session.queue and session.link is not None:
            queued = session.queue[0]
            if queued.qos and len(session.in_flight) >= session.receive_maximum:
                return
            session.queue.popleft()
            mid = session.next_mid
            session.next_mid += 1
            if queued.qos:
                session.in_flight[mid] = queued
            self._deliver(session, mid, queued, dup=False)

    def _deliver(self, session: _Session, mid: int, queued: _Queued, *, dup: bool) -> None:
        link, client = session.link, session.client
        if link is None or client is None:
            return
        link.down(
            lambda: client.message(
                mid, queued.topic, queued.payload, queued.qos, dup=dup, retained=queued.retained
            )
        )


def _fits(pattern: str, topic: str) -> bool:
    if "+" not in pattern:
        return pattern == topic
    wanted, parts = pattern.split("/"), topic.split("/")
    return len(wanted) == len(parts) and all(w in ("+", p) for w, p in zip(wanted, parts, strict=True))
