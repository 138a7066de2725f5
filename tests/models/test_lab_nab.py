"""The NAB runner: its scorer against a slow twin, its runs against a small corpus."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.lab.cli import main
from models.lab.nab_score import PROFILES, evaluate, mark
from models.lab.onsets import onsets_of

START = datetime(2026, 3, 1, tzinfo=UTC)


def stamps(n):
    return [(START + timedelta(minutes=5 * k)).strftime("%Y-%m-%d %H:%M:%S") for k in range(n)]


def sigmoid(y):
    return -1.0 if y > 3 else 2.0 / (1.0 + math.exp(5.0 * y)) - 1.0


def slow_score(files, profile, threshold):
    """By the rules, row by row: files are (scores, windows as pairs of rows)."""
    raw, total = 0.0, 0
    for score, windows in files:
        probation = min(int(0.15 * len(score)), 750)
        best = [None] * len(windows)
        for row, value in enumerate(score):
            inside = [k for k, (first, last) in enumerate(windows) if first <= row <= last]
            if value < threshold or (row < probation and not inside):
                continue
            if inside:
                first, last = windows[inside[0]]
                worth = sigmoid(-(last - row + 1) / (last - first + 1)) / sigmoid(-1.0)
                before = best[inside[0]]
                best[inside[0]] = worth if before is None else max(before, worth)
                continue
            passed = [(first, last) for first, last in windows if last < row]
            y = (row - passed[-1][1]) / max(passed[-1][1] - passed[-1][0], 1) if passed else math.inf
            raw += profile.false * sigmoid(y)
        raw += sum(-profile.miss if worth is None else worth for worth in best)
        total += len(windows)
    return 100.0 * (raw + profile.miss * total) / (total * (1.0 + profile.miss))


def marked(files):
    return {
        str(k): mark(
            np.array(score),
            stamps(len(score)),
            [[stamps(len(score))[a], stamps(len(score))[b]] for a, b in windows],
        )
        for k, (score, windows) in enumerate(files)
    }


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_scorer_equals_its_slow_twin(seed):
    chance = np.random.default_rng(seed)
    files = [
        (np.round(chance.random(120), 1).tolist(), [(30, 39), (70, 84)] if k else [(50, 60)])
        for k in range(2)
    ]
    for profile in PROFILES:
        best = evaluate(marked(files), profile)
        levels = sorted({value for score, _ in files for value in score} | {math.inf})
        slow = [slow_score(files, profile, level) for level in levels]
        assert best.score == pytest.approx(max(slow))
        at = levels[int(chance.integers(len(levels) - 1))]
        assert evaluate(marked(files), profile, at).score == pytest.approx(slow_score(files, profile, at))


def test_perfect_detector_scores_near_100_and_a_silent_one_0():
    score = np.zeros(400)
    score[200] = 1.0
    for profile in PROFILES:
        assert evaluate(marked([(score.tolist(), [(200, 239)])]), profile).score == pytest.approx(100.0)
        silent = evaluate(marked([([0.0] * 400, [(200, 239)])]), profile, 0.5)
        assert (silent.score, silent.hit, silent.false) == (0.0, 0, 0)


def test_onsets_are_causal_and_count_a_run_once():
    chance = np.random.default_rng(1)
    score = chance.random(600)
    whole = onsets_of(score, 20)
    for n in (1, 57, 300):
        assert onsets_of(score[:n], 20).tolist() == whole[:n].tolist()
    for row in range(600):
        before = score[max(0, row - 20) : row]
        if whole[row]:
            assert whole[row] == score[row] and (not len(before) or score[row] > before.max())


@pytest.fixture
def corpus(tmp_path):
    """Two files at five minutes with a jump in a window each."""
    chance = np.random.default_rng(3)
    labels = {}
    for k, jump in enumerate((1300, 1100)):
        name = f"cat/file{k}.csv"
        value = 20 + np.sin(np.arange(1600) / 46) + chance.normal(0, 0.1, 1600)
        value[jump : jump + 40] += 9.0
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        rows = [f"{at},{v:.3f}" for at, v in zip(stamps(1600), value, strict=True)]
        path.write_text("\n".join(["timestamp,value", *rows]) + "\n")
        labels[name] = [[stamps(1600)[jump - 10], stamps(1600)[jump + 60]]]
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "combined_windows.json").write_text(json.dumps(labels))
    return tmp_path


def test_nab_finds_jumps_with_the_default_and_writes_its_scores(corpus, tmp_path, capsys):
    assert main(["nab", "--data", str(corpus), "--json", "--out", str(tmp_path / "out")]) == 0
    found = json.loads(capsys.readouterr().out)["profiles"]["standard"]
    assert (found["hit"], found["windows"]) == (2, 2)
    assert found["score"] > 60
    assert (tmp_path / "out" / "cat" / "file1.csv").read_text().startswith("timestamp,value,anomaly_score\n")


def test_nab_says_what_is_missing(tmp_path, capsys):
    assert main(["nab", "--data", str(tmp_path)]) == 78
    assert "combined_windows.json" in capsys.readouterr().err


def test_own_scorer_agrees_with_a_verified_one(recordings, tmp_path, capsys):
    data = recordings / "nab"
    assert main(["nab", "--data", str(data), "--detector", "ewma", "--out", str(tmp_path), "--json"]) == 0
    own = json.loads(capsys.readouterr().out)["profiles"]
    tool = data.parents[1] / "tools" / "nab_score.py"
    said = subprocess.run(
        [sys.executable, tool, tmp_path, "--json"], capture_output=True, text=True, check=True
    )
    verified = next(iter(json.loads(said.stdout).values()))
    for name, found in own.items():
        assert found["score"] == pytest.approx(verified[name]["score"], abs=1e-3)
        assert (found["hit"], found["false"]) == (verified[name]["hit"], verified[name]["fp_rows"])
