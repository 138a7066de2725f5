"""Slow, obvious twin of the room detector: a few channels, one reading at a time, plain Python."""

from __future__ import annotations

import math

from detector_twins import LevelTwin


class MemberTwin(LevelTwin):
    """One channel of a room: its level, its latest value, the room as it stood when that came."""

    def __init__(self, warmup_s, memory_s):
        super().__init__(warmup_s, memory_s)
        self.value, self.joint = 0.0, 0.0

    def move(self, value):
        return max(-1e6, min(1e6, (value - self.mean) / self.scale)) if self.scale > 0 else 0.0

    def stands(self, time):
        known = self.last is not None and self.taught >= 0.125 * self.warmup
        return known and abs(time - self.last) <= 4 * self.pace


class RoomTwin:
    """Keeps every moment as it is told; channels are called by number."""

    def __init__(self, channels, tau_s=3600.0, warmup_s=86400.0, memory_s=14 * 86400.0):
        self.tau, self.warmup, self.memory = tau_s, warmup_s, memory_s
        self.members = {channel: MemberTwin(warmup_s, memory_s) for channel in channels}
        self.products = {one: dict.fromkeys(channels, 0.0) for one in channels}
        self.speaker = None

    def correlation(self, one, other):
        if one == other:
            return 1.0
        squares = self.products[one][one] * self.products[other][other]
        return 0.98 * self.products[one][other] / math.sqrt(squares) if squares > 0 else 0.0

    def root(self, names):
        """Lower triangle of the correlations' Cholesky root."""
        root = []
        for a, one in enumerate(names):
            line = []
            for b in range(a + 1):
                entry = self.correlation(one, names[b])
                other = root[b] if b < a else line
                for c in range(b):
                    entry -= line[c] * other[c]
                line.append(entry / root[b][b] if b < a else math.sqrt(max(entry, 1e-9)))
            root.append(line)
        return root

    def judged(self, names, moves):
        """Squared distance, and each channel's part of it."""
        root, way = self.root(names), []
        for a, line in enumerate(root):
            rest = moves[a]
            for c in range(a):
                rest -= line[c] * way[c]
            way.append(rest / line[a])
        pull = [0.0] * len(names)
        for a in reversed(range(len(names))):
            rest = way[a]
            for c in range(a + 1, len(names)):
                rest -= root[c][a] * pull[c]
            pull[a] = rest / root[a][a]
        total = 0.0
        for step in way:
            total += step * step
        return total, {name: pull[a] * moves[a] for a, name in enumerate(names)}

    def speaks(self, parts):
        most = max(parts, key=lambda name: parts[name])
        if self.speaker in parts and parts[most] <= 2 * parts[self.speaker]:
            return self.speaker
        return most

    def learn_held(self, time, step):
        since = max(member.last for member in self.members.values() if member.last is not None)
        lasted = min(time - since, step)
        if lasted <= 0:
            return
        seconds = lasted * 1e-9
        kept, weight, moves = math.exp(-seconds / self.memory), seconds, {}
        for name, member in self.members.items():
            moves[name] = max(-5.0, min(5.0, member.move(member.value))) if member.stands(since) else 0.0
            if member.last == since and member.joint > 9.0:
                weight = min(weight, seconds * 9.0 / member.joint)
        for one in self.members:
            for other in self.members:
                learned = weight * moves[one] * moves[other]
                self.products[one][other] = kept * self.products[one][other] + learned

    def score(self, time, value, channel):
        own = self.members[channel]
        if own.last is None:
            own.mean, own.last, own.value, self.speaker = value, time, value, channel
            return 0.0
        names = [one for one, member in self.members.items() if one != channel and member.stands(time)]
        moves = [self.members[name].move(self.members[name].value) for name in names] + [own.move(value)]
        square, parts = self.judged([*names, channel], moves)
        speaker = self.speaks(parts)
        beyond = max(0.0, math.sqrt(2.0 * square) - math.sqrt(2.0 * len(parts) - 1.0))
        distance = beyond if speaker == channel else 0.0
        score = own.surprise(distance)
        if time > own.last:
            step = own.step(time)
            self.learn_held(time, step)
            if own.taught >= 0.5 * self.warmup:
                own.sketch.learn(distance, step * 1e-9)
            own.learn(value - own.mean, own.scale, step, self.tau, own.taught >= 0.125 * self.warmup)
            own.taught += step * 1e-9
            own.last, own.value, own.joint, self.speaker = time, value, square / len(parts), speaker
        return score
