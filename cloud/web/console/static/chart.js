// The series around an alert: readings, their spread, the expected band, the limit, and where the alert stands.
import { get } from "./api.js";
import { now } from "./moments.js";
import { language, say } from "./words.js";

const POINTS = 600;
const MINUTE = 60000;
const HOUR = 60 * MINUTE;
// Bits of a reading's quality: what is not believed of it, and that the gateway's clock was not set.
const NOT_BELIEVED = 1 | 2 | 4 | 8 | 64;
const UNTIMED = 16;

const style = () => getComputedStyle(document.documentElement);
const colour = (name) => style().getPropertyValue(`--${name}`).trim();

function format(value, digits, unit) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "";
  const places = digits === null ? { maximumFractionDigits: 2 } : { minimumFractionDigits: digits, maximumFractionDigits: digits };
  const text = value.toLocaleString("en", { ...places, useGrouping: false }).replace("-", "−");
  return unit ? `${text} ${unit}` : text;
}

// The span to show: `hours` up to now; when 0 around the alert, or as wide around a past moment.
function spanOf(alert, hours, moment) {
  const present = now();
  if (hours) return [present - hours * HOUR, present];
  const end = alert.over ?? alert.fired;
  const width = Math.max(8 * MINUTE, (end - alert.onset) * 3);
  if (moment !== null) return [moment - width, Math.min(present, moment + width / 2)];
  return [alert.onset - width, Math.min(present, end + width / 2)];
}

function clocks(zone, long) {
  const day = long ? { month: "2-digit", day: "2-digit" } : {};
  return new Intl.DateTimeFormat(language, { timeZone: zone, hour: "2-digit", minute: "2-digit", hour12: false, ...day });
}

// Values of another series at these times, by the last one known; null before the first.
function align(times, otherTimes, values) {
  let place = -1;
  return times.map((time) => {
    while (place + 1 < otherTimes.length && otherTimes[place + 1] <= time) place += 1;
    return place < 0 ? null : values[place];
  });
}

// The band as the detector told it over time; where only the alert has it, from its onset on.
// A rule expects nothing: what it calls a bound is the limit, which has its own line.
function bandOf(band, alert, times) {
  if (band?.times?.length) {
    if (band.expected.every((value) => value === null)) return [times.map(() => null), times.map(() => null)];
    return [align(times, band.times, band.lower), align(times, band.times, band.upper)];
  }
  const flat = (edge) => times.map((time) => (edge !== null && time >= alert.onset ? edge : null));
  return [flat(alert.lower), flat(alert.upper)];
}

export class Chart {
  constructor(box) {
    this.zone = box.dataset.zone;
    this.place = box.querySelector("[data-chart]");
    this.note = box.querySelector("[data-chart-note]");
    this.keys = box.querySelector("[data-chart-keys]");
    this.heading = box.querySelector("[data-chart-title]");
    this.buttons = [...box.querySelectorAll("[data-hours]")];
    this.hours = 0;
    this.moment = null;
    for (const button of this.buttons) button.addEventListener("click", () => this.reach(Number(button.dataset.hours)));
    this.place.tabIndex = 0;
    this.place.addEventListener("keydown", (event) => this.step(event));
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    new MutationObserver(() => this.draw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  choose(alert) {
    this.alert = alert;
    return this.moment === null ? this.load() : this.reach(0);
  }

  reach(hours) {
    return this.turn(hours, null);
  }

  // What the channel did at a past moment, ms UTC.
  recall(alert, moment) {
    this.alert = alert;
    return this.turn(0, moment);
  }

  turn(hours, moment) {
    Object.assign(this, { hours, moment });
    const isShown = (one) => moment === null && Number(one.dataset.hours) === hours;
    for (const one of this.buttons) one.setAttribute("aria-pressed", String(isShown(one)));
    for (const one of document.querySelectorAll("[data-moment]")) one.setAttribute("aria-pressed", String(this.shows(one)));
    return this.load();
  }

  shows(button) {
    return this.moment !== null && button.dataset.of === this.alert.id && Number(button.dataset.moment) === this.moment;
  }

  size() {
    return { width: Math.max(200, this.place.clientWidth), height: this.place.clientHeight };
  }

  async load() {
    const { alert } = this;
    if (!alert) return;
    this.heading.textContent = alert.name;
    this.place.setAttribute("aria-label", say("chart.label", { channel: alert.name }));
    if (!window.uPlot) return this.say("chart.missing");
    if (alert.channel === null) return this.say("chart.empty");
    const [start, end] = spanOf(alert, this.hours, this.moment);
    const span = `start=${new Date(start).toISOString()}&end=${new Date(end).toISOString()}&points=${POINTS}`;
    try {
      const [series, band] = await Promise.all([
        get(`/series?channel=${alert.channel}&${span}`),
        alert.evidence ? get(`/alerts/${alert.id}/band`).catch(() => null) : null,
      ]);
      if (alert !== this.alert) return;
      Object.assign(this, { series, band, range: [start, end] });
      this.draw();
    } catch {
      this.say("chart.failed");
    }
  }

  say(key, values) {
    this.note.textContent = say(key, values);
  }

  draw() {
    const { series, alert } = this;
    this.plot?.destroy();
    this.plot = null;
    if (!series?.times.length) return series && this.say("chart.empty");
    const [lower, upper] = bandOf(this.band, alert, series.times);
    const limit = series.times.map(() => alert.limit);
    const data = [series.times, series.minimum, series.maximum, lower, upper, limit, series.values];
    this.shown = { lower, upper };
    this.plot = new window.uPlot(this.options(), data, this.place);
    this.place.dataset.drawn = String(series.times.length);
    this.summarise();
    this.listKeys();
    return null;
  }

  options() {
    const { unit } = this.alert;
    const ink = colour("soft");
    const long = this.range[1] - this.range[0] > 26 * HOUR;
    const clock = clocks(this.zone, long);
    const axis = { stroke: ink, grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 } };
    const unseen = { stroke: "transparent", width: 0, points: { show: false } };
    const edge = { stroke: colour("accent"), width: 0.75, points: { show: false } };
    const show = (splits) => splits.map((value) => (value === null ? "" : format(value, null, "")));
    return {
      ...this.size(),
      ms: 1,
      tzDate: (ms) => window.uPlot.tzDate(new Date(ms), this.zone),
      legend: { show: false },
      cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
      scales: { x: { range: () => this.range }, y: { range: (_, low, high) => this.reachOf(low, high) } },
      axes: [
        { ...axis, space: long ? 90 : 60, values: (_, splits) => splits.map((ms) => clock.format(new Date(ms))) },
        { ...axis, size: 58, values: (_, splits) => show(splits), label: unit, labelSize: unit ? 18 : 0 },
      ],
      series: [
        {},
        unseen,
        unseen,
        edge,
        edge,
        { stroke: colour("ink"), width: 1.5, dash: [6, 5], points: { show: false } },
        { stroke: colour("ink"), width: 1.5, spanGaps: false, points: { size: 4, fill: colour("ink") } },
      ],
      bands: [
        { series: [2, 1], fill: `color-mix(in srgb, ${colour("ink")} 16%, transparent)` },
        { series: [4, 3], fill: colour("fill") },
      ],
      hooks: { draw: [(plot) => this.mark(plot)], setCursor: [(plot) => this.read(plot)] },
    };
  }

  // Room above and below, so that neither limit nor peak touches the frame.
  reachOf(low, high) {
    if (low === null || high === null) return [0, 1];
    const room = Math.max((high - low) * 0.08, 10 ** -(this.alert.digits ?? 2));
    return [low >= 0 && low - room < 0 ? 0 : low - room, high + room];
  }

  mark(plot) {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio || 1;
    const marks = [["onset", this.alert.onset], ["fired", this.alert.fired], ["over", this.alert.over], ["then", this.moment]];
    ctx.save();
    ctx.font = `${12 * ratio}px ${style().getPropertyValue("--font")}`;
    ctx.textBaseline = "top";
    for (const [name, time] of marks) {
      if (time === null || time < this.range[0] || time > this.range[1]) continue;
      const x = Math.round(plot.valToPos(time, "x", true));
      ctx.strokeStyle = ctx.fillStyle = name === "fired" ? colour(this.alert.severity) || colour("ink") : colour("soft");
      ctx.lineWidth = (name === "fired" ? 2 : 1) * ratio;
      ctx.setLineDash(name === "fired" ? [] : [3 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      // The onset is told to the left of its line and the end one line lower, so that no two words meet.
      const word = say(`chart.${name}`);
      const isLeft = name === "onset" || x + 5 * ratio + ctx.measureText(word).width > bbox.left + bbox.width;
      ctx.textAlign = isLeft ? "right" : "left";
      ctx.fillText(word, x + (isLeft ? -5 : 5) * ratio, bbox.top + (name === "over" ? 18 : 2) * ratio);
    }
    ctx.restore();
  }

  read(plot) {
    const place = plot.cursor.idx;
    if (place === null || place === undefined) return;
    const { series, alert } = this;
    const time = new Intl.DateTimeFormat(language, { timeZone: this.zone, dateStyle: "short", timeStyle: "medium", hour12: false });
    const parts = [time.format(new Date(series.times[place])), format(series.values[place], alert.digits, alert.unit) || "–"];
    const edges = [this.shown.lower[place], this.shown.upper[place]];
    if (edges.some((edge) => Number.isFinite(edge)))
      parts.push(`${say("chart.band")} ${edges.map((edge) => format(edge, alert.digits, alert.unit) || "…").join(" – ")}`);
    const flags = series.quality?.[place] ?? 0;
    if (flags & NOT_BELIEVED) parts.push(say("chart.unreliable"));
    if (flags & UNTIMED) parts.push(say("chart.untimed"));
    this.note.textContent = parts.join(" · ");
  }

  step(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[event.key];
    if (!move || !this.plot) return;
    event.preventDefault();
    const { times } = this.series;
    const place = Math.min(times.length - 1, Math.max(0, (this.plot.cursor.idx ?? times.length - 1) + move));
    this.plot.setCursor({ left: this.plot.valToPos(times[place], "x"), top: 10 });
  }

  summarise() {
    const { alert, series } = this;
    const values = series.values.filter((value) => value !== null);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const words = (value) => format(value, alert.digits, alert.unit);
    this.say("chart.summary", { channel: alert.name, low: words(low), high: words(high), last: words(values.at(-1)) });
    this.place.setAttribute("aria-label", `${say("chart.label", { channel: alert.name })}. ${this.note.textContent}`);
    this.note.textContent = `${this.note.textContent}. ${say("chart.zone", { zone: this.zone })}`;
    const within = series.thinned_within;
    if (within) {
      const error = [Number(within.toPrecision(3)), alert.unit].filter(Boolean).join(" ");
      this.note.textContent = `${this.note.textContent}. ${say("chart.thinned", { error })}`;
    }
  }

  listKeys() {
    const has = (values) => values?.some((value) => value !== null && value !== undefined);
    const spread = this.series.minimum?.some((value, place) => value !== this.series.maximum[place]);
    const entries = [
      ["values", true],
      ["spread", spread],
      ["band", has(this.shown.lower) || has(this.shown.upper)],
      ["limit", this.alert.limit !== null],
    ];
    this.keys.replaceChildren(
      ...entries.filter(([, there]) => there).map(([name]) => {
        const item = document.createElement("li");
        const key = document.createElement("span");
        key.className = `key key-${name}`;
        item.append(key, say(`chart.${name}`));
        return item;
      }),
    );
  }
}
