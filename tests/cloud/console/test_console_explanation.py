"""Reasons and happenings in words: numbers with units, the right direction, nothing lost when unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from cloud.web.console.explanation import limit, parts, reasons, surprise
from cloud.web.console.happenings import actor, happening
from cloud.web.console.past import past
from cloud.web.console.queries.incidents import AlertView, EvidenceView, Happening
from cloud.web.console.wording import wording
from models.alert import Alert, AlertState, Moment, Reason, Severity

EN, ZH = wording("en"), wording("zh")


def view(kind: str, unit: str, resolution: float, *given: Reason, **about: object) -> AlertView:
    fixed = {
        "id": "a" * 32, "gateway": "gw", "monitor": "m", "detector": "limit", "channel": "kitchen/one",
        "hazard": "fire", "severity": Severity.SEVERE, "state": AlertState.FIRING, "boot": "b" * 32,
        "onset_index": 1, "onset_at": 1, "fired_at": 2, "measured_at": 2, "score": 4.0, "threshold": 3.0,
        "value": None, "unit": unit, "reasons": given,
    }  # fmt: skip
    alert = Alert.model_validate(fixed | about)
    return AlertView(
        alert.id, "m", "fire", "severe", "firing", False, "gw", 3, alert, 1, "kitchen/one", kind, resolution
    )


def reason(code: str, **parameters: float | str | None) -> Reason:
    return Reason(code=code, parameters=parameters)


CASES = [
    (view("smoke", "ppm", 1.0, reason("above_limit", value=412.0, limit=300.0)),
     "Smoke 412 ppm is above the limit of 300 ppm", "烟雾浓度 412 ppm，高于限值 300 ppm"),
    (view("temperature", "Cel", 0.1,
          reason("unexpected", value=28.4, expected=20.0, lower=19.2, upper=21.0), detector="time_of_day"),
     "Temperature 28.4 °C is 8.4 °C higher than usual at this hour (19.2 °C to 21.0 °C)",
     "温度 28.4 °C，比平时这一钟点高 8.4 °C（通常 19.2 °C 至 21.0 °C）"),
    (view("temperature", "Cel", 0.1, reason("unexpected", value=-25.0, expected=-18.0, lower=-19.5)),
     "Temperature −25.0 °C is 7.0 °C lower than expected (at least −19.5 °C)",
     "温度 −25.0 °C，比预期低 7.0 °C（预期不低于 −19.5 °C）"),
    (view("leak", "", 1.0, reason("above_limit", value=1.0, limit=0.5)),
     "Leak contact: wet", "漏水触点：有水"),
    (view("door", "", 1.0, reason("held", state=1.0, seconds=420.0, limit=300.0)),
     "Door: open for 7 min, longer than 5 min", "门：打开已 7 分钟，超过 5 分钟"),
    (view("temperature", "Cel", 0.1, reason("rate", per_s=-0.05, limit=0.03, window_s=60.0)),
     "Temperature falls by 3.0 °C a minute, faster than 1.8 °C a minute",
     "温度下降速度 3.0 °C/分钟，超过 1.8 °C/分钟"),
    (view("humidity", "%RH", 0.5, reason("flat", value=61.0, seconds=5400.0, limit=1800.0)),
     "Humidity has stood still at 61.0 % RH for 1 h 30 min; 30 min is the longest that can be true",
     "湿度停在 61.0 % RH 不变已 1 小时 30 分，最长只应持续 30 分钟"),
    (view("co2", "ppm", 1.0, reason("silent", seconds=912.0, limit=60.0)),
     "Carbon dioxide: no reading for 15 min; one is due at least every 1 min",
     "15 分钟没有收到二氧化碳读数，至少每 1 分钟应有一个"),
    (view("door", "", 1.0, reason("lasted", state=1.0, seconds=2520.0)),
     "Door: open for 42 min, longer than usual for this time of day", "门：打开已 42 分钟，比此时段通常的久"),
    (view("power", "W", 1.0, reason("lasted", state=1.0, seconds=2520.0)),
     "Power: on for 42 min, longer than usual for this time of day",
     "功率：开启已 42 分钟，比此时段通常的久"),
    (view("door", "", 1.0, reason("too_many", count=41.0, expected=2.5, seconds=3600.0)),
     "Door: 41 times within 1 h 0 min; usual now is about 2.5", "门：1 小时 0 分内 41 次，此时通常约 2.5 次"),
    (view("lift", "", 1.0, reason("too_few", count=0.0, expected=24.0, seconds=3600.0)),
     "Lift: only 0 times within 1 h 0 min; usual now is about 24",
     "电梯：1 小时 0 分内仅 0 次，此时通常约 24 次"),
    (view("power", "W", 1.0, reason("unexpected", value=5.0, expected=45.0, upper=50.0), detector="season"),
     "Power 5 W is 40 W lower than usual at this hour (at most 50 W)",
     "功率 5 W，比平时这一钟点低 40 W（通常不高于 50 W）"),
    (view("temperature", "Cel", 0.1, reason("outlying", value=35.0, expected=20.0, lower=18.1, upper=22.0)),
     "Temperature 35.0 °C lies far from where it mostly is (18.1 °C to 22.0 °C)",
     "温度 35.0 °C，远离其常态（通常 18.1 °C 至 22.0 °C）"),
    (view("humidity", "%RH", 0.5, reason("level_up", value=61.0, expected=50.0, change=9.5, seconds=3600.0)),
     "Humidity has moved up by 9.5 % RH within 1 h 0 min: 61.0 % RH, before about 50.0 % RH",
     "湿度在 1 小时 0 分内上移了 9.5 % RH：现为 61.0 % RH，此前约 50.0 % RH"),
    (view("vibration", "mm/s", 0.1, reason("restless", value=3.0, times=4.2)),
     "Vibration varies 4.2 times as much as usual (now 3.0 mm/s)",
     "振动的起伏是平时的 4.2 倍（现为 3.0 mm/s）"),
    (view("vibration", "mm/s", 0.1, reason("gone_still", value=0.0, times=8.0)),
     "Vibration has gone still: it varies 8 times less than usual (now 0.0 mm/s)",
     "振动异常平静：起伏仅为平时的 8 分之一（现为 0.0 mm/s）"),
    (view("water_level", "cm", 0.1, reason("trend_down", value=91.0, change=1.8, seconds=10800.0)),
     "Water level has been falling by 1.8 cm in 3 h 0 min (now 91.0 cm), more than it usually does",
     "水位每 3 小时 0 分下降 1.8 cm（现为 91.0 cm），快于平时"),
    (view("flow", "", 0.0), "Flow: no reading came", "没有收到流量读数"),
    (view("co2", "ppm", 1.0, reason("silent", seconds=3600.0, period=60.0)),
     "Carbon dioxide: no reading for 1 h 0 min; one usually comes every 1 min",
     "1 小时 0 分没有收到二氧化碳读数，通常每 1 分钟有一个"),
    (view("temperature", "Cel", 0.1, reason("spike", value=85.0, expected=None, rows=1)),
     "Temperature 85.0 °C for a moment: the sensor, not what it measures",
     "温度瞬间为 85.0 °C：问题在传感器，不在被测量"),
    (view("temperature", "Cel", 0.1, reason("dropout", value=None, expected=20.0, rows=2)),
     "Temperature: the sensor tells no number", "温度：传感器未给出数值"),
    (view("temperature", "Cel", 0.1,
          reason("unit_jump", value=68.0, expected=20.0, factor=1.8, looks_like="fahrenheit")),
     "Temperature 68.0 °C, where about 20.0 °C was due: as if told in degrees Fahrenheit",
     "温度 68.0 °C，本应约 20.0 °C：似乎改用了华氏度"),
    (view("flow", "L/min", 0.01,
          reason("unit_jump", value=0.02, expected=20.0, factor=0.001, looks_like="times")),
     "Flow 0.02 L/min, where about 20.00 L/min was due: as if told 0.001 times over",
     "流量 0.02 L/min，本应约 20.00 L/min：似乎变为 0.001 倍"),
    (view("humidity", "%RH", 0.5, reason("stuck", value=61.0, seconds=21600.0, longest=7200.0)),
     "Humidity has stood still at 61.0 % RH for 6 h 0 min; 2 h 0 min is the longest it ever did",
     "湿度停在 61.0 % RH 不变已 6 小时 0 分，以往最长为 2 小时 0 分"),
    (view("co2", "ppm", 1.0, reason("drift", value=900.0, start=450.0, seconds=1209600.0)),
     "Carbon dioxide has crept from about 450 ppm to 900 ppm within 14 d 0 h, in one direction alone",
     "二氧化碳在 14 天 0 小时内由约 450 ppm 单向缓慢变到 900 ppm"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "english", "chinese"), CASES)
def test_reason_in_both_languages(given: AlertView, english: str, chinese: str) -> None:
    assert reasons(given, EN) == [english]
    assert reasons(given, ZH) == [chinese]


def test_reason_nobody_knows_keeps_all_it_says() -> None:
    strange = view("smoke", "ppm", 1.0, Reason(code="<b>new", parameters={"x": 4.5, "why": "that"}))
    assert reasons(strange, EN) == ["<b>new (x 4.5, why that)"]


def test_reason_that_lacks_a_parameter_is_shown_as_it_is() -> None:
    assert reasons(view("smoke", "ppm", 1.0, reason("above_limit", value=5.0)), EN) == [
        "above_limit (value 5)"
    ]


def test_limit_finer_than_the_resolution_keeps_its_decimals() -> None:
    fine = view("water_level", "cm", 1.0, reason("above_limit", value=3.0, limit=2.25))
    assert reasons(fine, EN) == ["Water level 3 cm is above the limit of 2.25 cm"]


def test_chart_limit_is_only_what_can_be_drawn() -> None:
    drawn = view("smoke", "ppm", 1.0, reason("above_limit", value=412.0, limit=300.0)).alert
    seconds = view("smoke", "ppm", 1.0, reason("silent", seconds=90.0, limit=60.0)).alert
    assert drawn and seconds
    assert (limit(drawn), limit(seconds)) == (300.0, None)


def test_surprise_of_a_rule_is_not_told() -> None:
    assert surprise(view("smoke", "ppm", 1.0, score=10.0), EN) == ""
    assert surprise(view("smoke", "ppm", 1.0, score=3.0), EN) == "about one reading in 1000"


def test_parts_of_a_fused_score_tell_their_shares() -> None:
    two = (Reason(code="new_shape", share=0.62), Reason(code="new_extreme", share=0.38))
    fused = view("temperature", "Cel", 0.1, *two, value=9.0)
    assert [part.share for part in parts(fused, EN)] == ["62 % of the score", "38 % of the score"]
    assert [part.share for part in parts(fused, ZH)] == ["占得分的 62 %", "占得分的 38 %"]
    alone = view("smoke", "ppm", 1.0, reason("above_limit", value=412.0, limit=300.0))
    assert [part.share for part in parts(alone, EN)] == [""]


def remembering(*moments: Moment) -> AlertView:
    fired = at("2026-11-05T09:00")
    evidence = EvidenceView(fired - 60 * 10**9, fired, moments)
    return replace(view("temperature", "Cel", 0.1, measured_at=fired), evidence=evidence)


def at(text: str) -> int:
    """A time of Shanghai as ns UTC."""
    return int(datetime.fromisoformat(f"{text}+08:00").timestamp()) * 10**9


def test_past_moments_are_told_by_day_and_by_how_far_they_are() -> None:
    told = remembering(
        Moment(at=at("2026-11-03T18:40"), distance=4.2, usual=2.0),
        Moment(at=at("2025-12-31T23:59"), distance=2.1, usual=2.0),
        Moment(at=at("2026-01-01T00:00"), distance=2.1),
    )
    assert [one.text for one in past(told, "Asia/Shanghai", EN)] == [
        "The nearest to this was on Tuesday 3 November at 18:40: 2.1 times as far off as usual",
        "Next on Wednesday 31 December 2025 at 23:59: no further off than usual",
        "Next on Thursday 1 January at 00:00",
    ]
    assert [one.text for one in past(told, "Asia/Shanghai", ZH)] == [
        "此前最接近的是11月3日星期二 18:40，差异为平时的 2.1 倍",
        "其次是2025年12月31日星期三 23:59，差异不比平时大",
        "其次是1月1日星期四 00:00",
    ]
    assert past(told, "Asia/Shanghai", EN)[0].at_ms == at("2026-11-03T18:40") // 10**6


def test_nothing_is_said_of_the_past_where_nothing_was_remembered() -> None:
    assert past(remembering(), "Asia/Shanghai", EN) == []
    assert past(view("temperature", "Cel", 0.1), "Asia/Shanghai", EN) == []


def entry(code: str, who: str = "system", **parameters: object) -> Happening:
    return Happening(1, 1, who, {"wang": "Wang Fang", "li": "Li Jianguo"}, code, parameters)


def test_happening_names_people_and_codes_in_words() -> None:
    escalated = entry(
        "escalated", task="t", clock="accepted", rung=0, before="wang", assignee="li", because="escalation"
    )
    assert happening(escalated, EN, "UTC") == "Escalated to Li Jianguo: Wang Fang did not answer in time"
    told = {"cause": "cooking", "note": "", "measured_value": None, "measured_unit": ""}
    found = entry("outcome", "person/wang", task="t", verdict="false_alarm", **told)
    assert happening(found, EN, "UTC") == "Found: False alarm. cooking"
    assert actor(found, EN) == "Wang Fang"


def test_happening_with_times_tells_them_in_the_zone_of_the_site() -> None:
    late = entry(
        "late", "gateway/gw-1", alert="a", onset_at=1_735_689_600 * 10**9, received_at=1_735_693_200 * 10**9
    )
    assert "2025-01-01 08:00:00 Asia/Shanghai" in happening(late, ZH, "Asia/Shanghai")
    assert actor(late, ZH) == "网关 gw-1"


def test_happening_nobody_knows_is_shown_as_it_is() -> None:
    assert happening(entry("teleported", to="roof"), EN, "UTC") == "teleported (to roof)"
