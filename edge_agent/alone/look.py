"""The status page as HTML, in English and Chinese, without a script."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from models.clock import SECOND_NS

_WORDS = {
    "en": {
        "title": "Gateway",
        "alone": "The cloud does not answer. Rules, detectors and local actions go on.",
        "calm": "Nothing fires.",
        "firing": "Firing now",
        "cloud": "Cloud",
        "connected": "connected",
        "away": "not connected",
        "receipt": "Last receipt",
        "never": "none yet",
        "waiting": "Waiting to be sent",
        "messages": "messages",
        "configuration": "Configuration",
        "on_trial": "on trial",
        "version": "Program",
        "written": "As of",
        "devices": "Devices",
        "monitors": "Monitors",
        "actions": "Actions",
        "up": "answers",
        "readings": "readings",
        "on": "on",
        "off": "off",
        "today": "today",
        "of": "of",
        "test": "Test",
        "failed": "failed",
        "none": "none",
        "log": "Last actions",
    },
    "zh": {
        "title": "网关",
        "alone": "云端无应答。规则、检测与本地动作照常运行。",
        "calm": "当前无告警。",
        "firing": "正在告警",
        "cloud": "云端",
        "connected": "已连接",
        "away": "未连接",
        "receipt": "最近回执",
        "never": "尚无",
        "waiting": "待发送",
        "messages": "条消息",
        "configuration": "配置版本",
        "on_trial": "试运行",
        "version": "程序版本",
        "written": "更新于",
        "devices": "设备",
        "monitors": "监视项",
        "actions": "本地动作",
        "up": "正常",
        "readings": "个读数",
        "on": "开",
        "off": "关",
        "today": "今日",
        "of": "/",
        "test": "测试",
        "failed": "失效",
        "none": "无",
        "log": "最近动作",
    },
}
_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--page:#f6f8fa;--card:#fff;--line:#d0d7de;
--good:#1a7f37;--bad:#b42318;--badcard:#fff1ef}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa4af;--page:#0d1117;--card:#161b22;--line:#30363d;
--good:#57c26b;--bad:#ff8b7e;--badcard:#2d1512}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,"Noto Sans SC",sans-serif}
main{max-width:46rem;margin:0 auto;padding:1rem}h1{font-size:1.35rem;margin:.2rem 0 .8rem}
h2{font-size:1rem;margin:0 0 .4rem}
section{background:var(--card);border:1px solid var(--line);border-radius:8px;
padding:.8rem 1rem;margin:0 0 .8rem}
section.bad{background:var(--badcard);border-color:var(--bad)}
ul,dl{margin:0;padding:0;list-style:none}li,dl div{display:flex;flex-wrap:wrap;gap:.1rem .8rem;
justify-content:space-between;padding:.3rem 0;border-top:1px solid var(--line);overflow-wrap:anywhere}
li:first-child,dl div:first-child{border-top:0}dt,small{color:var(--soft)}dd{margin:0}small{font-size:.875rem}
.good{color:var(--good)}.wrong{color:var(--bad);font-weight:600}form{margin:0}
button{font:inherit;color:var(--ink);background:var(--page);border:1px solid var(--line);border-radius:6px;
min-height:44px;min-width:72px}
"""


def render(told: dict[str, Any], language: str, token: str) -> str:
    """The page for a status as `edge_agent.status.describe` gives it; `language` is en or zh."""
    say = _WORDS[language]
    name = _text(told.get("gateway", ""))
    parts = [
        f"<h1>{say['title']} {name}</h1>",
        f'<section class="bad"><b class="wrong">{say["alone"]}</b></section>' if told.get("is_alone") else "",
        _firing(told, say),
        _state(told, say),
        _list(say["devices"], say, [_device(one, say) for one in told.get("devices", ())]),
        _list(say["actions"], say, [_action(one, say, token) for one in told.get("actions", ())]),
        _list(say["monitors"], say, [_monitor(one, say) for one in told.get("monitors", ())]),
        _list(say["log"], say, [_note(one) for one in reversed(told.get("action_log", ()))]),
    ]
    head = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="refresh" content="5"><title>{say["title"]} {name}</title><style>{_STYLE}</style>'
    )
    return f"{head}</head><body><main>{''.join(parts)}</main></body></html>"


def _firing(told: dict[str, Any], say: dict[str, str]) -> str:
    alerts = told.get("firing", ())
    if not alerts:
        return f'<section><b class="good">{say["calm"]}</b></section>'
    rows = [
        f'<span class="wrong">{_text(one["hazard"])}, {_text(one["severity"])}</span>'
        f"<small>{_text(one['monitor'])}, {_text(one['place'] or one['channel'])}, "
        f"{_time(one['fired_at'])}</small>"
        for one in alerts
    ]
    return f'<section class="bad"><h2>{say["firing"]}</h2>{_rows(rows)}</section>'


def _state(told: dict[str, Any], say: dict[str, str]) -> str:
    uplink, outbox = told.get("uplink", {}), told.get("outbox", {})
    waiting = int(outbox.get("urgent_rows", 0)) + int(outbox.get("bulk_rows", 0))
    problem = _text(uplink.get("problem", ""))
    link = (
        f'<span class="good">{say["connected"]}</span>'
        if uplink.get("is_connected")
        else f'<span class="wrong">{say["away"]}</span> <small>{problem}</small>'
    )
    receipt = uplink.get("last_receipt_at", 0)
    trial = f" ({say['on_trial']})" if told.get("on_trial") else ""
    facts = [
        (say["cloud"], link),
        (say["receipt"], _time(receipt) if receipt else say["never"]),
        (say["waiting"], f"{waiting} {say['messages']}"),
        (say["configuration"], f"{_text(told.get('config_version', ''))}{trial}"),
        (say["version"], _text(told.get("code_version", ""))),
        (say["written"], _time(told.get("written_at", 0))),
    ]
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    return f"<section><dl>{rows}</dl></section>"


def _device(one: dict[str, Any], say: dict[str, str]) -> str:
    state = f'<span class="good">{say["up"]}</span>' if one["is_up"] else _wrong(one["problem"])
    return f"<span>{_text(one['name'])}</span><small>{state}, {one['readings']} {say['readings']}</small>"


def _action(one: dict[str, Any], say: dict[str, str], token: str) -> str:
    state = f'<b class="wrong">{say["on"]}</b>' if one["is_on"] else say["off"]
    problem = f" {_wrong(one['problem'])}" if one["problem"] else ""
    button = (
        f'<form method="post" action="/test"><input type="hidden" name="token" value="{_text(token)}">'
        f'<input type="hidden" name="action" value="{_text(one["name"])}">'
        f"<button>{say['test']}</button></form>"
    )
    times = f"{say['today']} {one['today']} {say['of']} {one['per_day']}"
    return f"<span>{_text(one['name'])}<br><small>{state}, {times}{problem}</small></span>{button}"


def _monitor(one: dict[str, Any], say: dict[str, str]) -> str:
    state = _wrong(say["failed"]) if one["is_failed"] else _text(one["hazard"])
    return f"<span>{_text(one['name'])}</span><small>{state}</small>"


def _note(one: dict[str, Any]) -> str:
    return (
        f"<span>{_text(one['action'])}: {_text(one['event'])} {_text(one['reason'])}</span>"
        f"<small>{_time(one['at'])}</small>"
    )


def _list(title: str, say: dict[str, str], rows: Sequence[str]) -> str:
    return f"<section><h2>{title}</h2>{_rows(rows) if rows else say['none']}</section>"


def _rows(rows: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{row}</li>" for row in rows) + "</ul>"


def _wrong(text: object) -> str:
    return f'<span class="wrong">{_text(text)}</span>'


def _text(value: object) -> str:
    return html.escape(str(value))


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns / SECOND_NS, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
