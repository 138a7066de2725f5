"""Reasons and happenings in words: numbers with units, the right direction, nothing lost when unknown."""

from __future__ import annotations

import pytest

from cloud.web.console.explanation import limit, reasons, surprise
from cloud.web.console.happenings import actor, happening
from cloud.web.console.queries.incidents import AlertView, Happening
from cloud.web.console.wording import wording
from models.alert import Alert, AlertState, Reason, Severity

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


def reason(code: str, **parameters: float) -> Reason:
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
