// Shows the champion's monitoring: its requests, and its errors on recorded outcomes. The model page and the local
// console share this.

import { calibration } from "./checks.js";
import { list, lower, make, minus } from "./page.js";
import { between, estimated, hint, opened, percent, table } from "./parts.js";
import { plot } from "./plot.js";

const DAY = 24 * 3600 * 1000;
const HEIGHT = 200; // of a small chart
const TICKS = 5; // on an axis of dates, at most
const SUPERSCRIPT = [..."⁰¹²³⁴⁵⁶⁷⁸⁹"].map((digit) => `⁻${digit}`);
const FEWEST = 0.0001; // the smallest probability in text
const LEAST = 1e-9; // the smallest in a chart

const whole = (count) => count.toLocaleString("en-GB");
const dated = (date) =>
  new Date(date).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
const counted = (count, thing) => `${whole(count)} ${thing}${count === 1 ? "" : "s"}`;
const share = (value) => `${minus((100 * value).toFixed(value < 0.1 ? 1 : 0))}%`;
const chance = (p) => (p < FEWEST ? `<\u00a0${FEWEST}` : `${Number(p.toPrecision(2))}`);
const known = (value) => value !== null && value !== undefined;
const heading = (words) => make("h3", {}, words);
const dayOf = ({ date }) => Date.parse(date) / DAY;

/** Show the last run and the days before it. target: as in config.json. labels: of columns, by their names. */
export function since(monitoring, target, labels) {
  const { last, points } = monitoring;
  const { drift, outcomes, window, notes } = last;
  const write = (value) => minus(value.toFixed(target.decimals + 1));
  const words = { write, unit: target.unit, labelOf: (name) => labels[name] ?? name };
  return [
    make("p", {}, opening(monitoring)),
    said(drift.says, drift.drifted),
    said(outcomes.says, outcomes.degraded),
    make("div", { className: "charts" }, ...charts(points, last, words)),
    hint(`Each point covers the ${counted(daysOf(window), "day")} up to its date. ${shading(points, outcomes)}`),
    opened("Charts as a table", ...asTable(points, words)),
    ...changed(drift, words),
    ...came(outcomes, target, words),
    ...(notes.length ? [heading("Notes on this run"), listed(notes)] : []),
  ];
}

function opening({ served_since, requests, last: { window } }) {
  return (
    `In service since ${dated(served_since)}, with ${counted(requests, "request")} captured so far. The last run of the ` +
    `monitor covers the ${counted(daysOf(window), "day")} up to ${dated(window.date)}.`
  );
}

const daysOf = ({ since, until }) => Math.round((Date.parse(until) - Date.parse(since)) / DAY);
const listed = (sentences) => make("ul", {}, ...sentences.map((one) => make("li", {}, one)));
const said = (sentence, alarms) => make("p", { className: alarms ? "warning" : "" }, sentence);

const shading = (points, { confidence }) =>
  `${points.some(({ rmse }) => rmse) ? `Shaded: ${percent(confidence)} bootstrap intervals. ` : ""}` +
  `${points.some(({ drifted, degraded }) => drifted || degraded) ? "Dots mark days with an alarm." : ""}`;

// ---- Charts ----

function charts(points, last, words) {
  const { drift, outcomes } = last;
  const over = { points, words };
  return [
    chart(over, {
      title: "Requests",
      of: ({ requests }) => requests,
      write: whole,
      holds: [0],
    }),
    chart(over, {
      title: "Probability of this much change by chance",
      of: ({ drift_p_value }) => known(drift_p_value) ? Math.max(drift_p_value, LEAST) : null, // its axis has no 0
      write: chance,
      axis: { name: "p", as: powers },
      holds: [1, drift.alarm_level],
      level: drift.alarm_level,
      levelled: `Dashed: the alarm threshold, ${drift.alarm_level}.`,
      alarms: ({ drifted }) => drifted,
    }),
    chart(over, {
      title: "RMSE on recorded outcomes",
      of: ({ rmse }) => rmse,
      beside: ({ average_rmse }) => average_rmse,
      besides: "average baseline (dashed)",
      write: words.write,
      axis: { name: words.unit },
      holds: [0],
      alarms: ({ degraded }) => degraded,
    }),
    chart(over, {
      title: "Outcomes within their interval",
      of: ({ coverage }) => coverage,
      write: percent,
      axis: { name: "share" },
      holds: [1, outcomes.coverage_target ?? 1],
      level: outcomes.coverage_target ?? undefined,
      levelled: `Dashed: the target, ${share(outcomes.coverage_target ?? 1)}.`,
    }),
  ];
}

/** Draw one figure over time, under its title, or say that there are no data yet. */
function chart({ points }, { title, of, beside, besides, write, axis, holds, level, levelled, alarms }) {
  const line = points.filter((one) => known(of(one))).map((one) => point(one, of));
  const other = beside ? points.filter((one) => known(beside(one))).map((one) => point(one, beside)) : [];
  const marks = alarms ? points.filter((one) => alarms(one) && known(of(one))).map((one) => point(one, of)) : [];
  if (!line.length) return figure(title, make("p", { className: "hint" }, "No data yet."));
  const latest = line.at(-1);
  const held = [...line, ...other].flatMap(({ y, low, high }) => [y, low ?? y, high ?? y]);
  const [first, last] = [points[0], points.at(-1)].map(({ date }) => dated(date));
  const now = known(latest.low) ? `${write(latest.y)} (${between(latest, write)})` : write(latest.y);
  const aside = other.length ? `, ${besides} ${write(other.at(-1).y)}` : "";
  const rings = marks.length ? ` ${counted(marks.length, "day")} with an alarm.` : "";
  return figure(
    title,
    plot({
      sentence: `${title}, ${first} to ${last}; latest value ${now}${aside}.${rings}`,
      x: { name: "", holds: points.map(dayOf), as: calendar },
      y: { name: "", ...axis, holds: [...holds, ...held] },
      line,
      beside: other,
      marks: [...marks.map((one) => ({ x: one.x, y: one.y, kind: "alarm" })), ...(line[1] ? [] : [latest])],
      level,
      height: HEIGHT,
    }),
    make("figcaption", { className: "hint" }, `Latest: ${now}${aside}. ${levelled ?? ""}`),
  );
}

const figure = (title, ...inside) => make("figure", {}, heading(title), ...inside);

function point(one, of) {
  const found = of(one);
  const x = dayOf(one);
  return typeof found === "number" ? { x, y: found } : { x, y: found.value, low: found.low, high: found.high };
}

function asTable(points, { write, unit }) {
  const some = (value, as) => (known(value) ? as(value) : "");
  const rows = points.toReversed().map((one) => [
    dated(one.date),
    whole(one.requests),
    some(one.drift_p_value, chance),
    whole(one.outcomes),
    some(one.rmse, () => estimated(one.rmse, write)),
    some(one.average_rmse, () => estimated(one.average_rmse, write)),
    some(one.coverage, () => estimated(one.coverage, percent)),
    [one.drifted && "Drifted", one.degraded && "Degraded"].filter(Boolean).join(", "),
  ]);
  return [["Up to", "Requests", "p", "Outcomes", `RMSE, ${unit}`, "Average baseline", "Within interval", "Alarm"], rows];
}

// ---- Axes ----

/** Tick days backwards from the last one; a range of most of a year or more is labelled by month. */
function calendar(holds) {
  const [first, last] = [Math.min(...holds), Math.max(...holds)];
  const [low, high] = first < last ? [first, last] : [first - 1, last + 1];
  const step = [1, 2, 7, 14, 28, 91, 182, 364].find((days) => (last - first) / days < TICKS) ?? 3640;
  const parts = last - first > 300 ? { month: "short", year: "numeric" } : { day: "numeric", month: "short" };
  return {
    low,
    high,
    ticks: Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, number) => last - number * step),
    share: (day) => (day - low) / (high - low),
    write: (day) => new Date(day * DAY).toLocaleDateString("en-GB", { ...parts, timeZone: "UTC" }),
  };
}

/** Tick powers of ten. */
function powers(holds) {
  const [low, high] = [Math.floor(Math.log10(Math.min(...holds))), Math.ceil(Math.log10(Math.max(...holds)))];
  return {
    low: 10 ** low,
    high: 10 ** high,
    ticks: Array.from({ length: high - low + 1 }, (_, number) => 10 ** (low + number)),
    share: (value) => (Math.log10(value) - low) / (high - low || 1),
    write: (value) => (value < 0.001 ? `10${SUPERSCRIPT[-Math.round(Math.log10(value))] ?? ""}` : `${value}`),
  };
}

// ---- Whether requests changed ----

function changed(drift, words) {
  if (!drift.columns.length) return [];
  const { labelOf } = words;
  const rows = drift.columns.map((one) => {
    const { moved, p_value, psi, band, rows, drifted } = one;
    const level = moved ? `${moved.level}: ${share(moved.before)} → ${share(moved.now)}` : "too few rows";
    return [
      columned(one, labelOf),
      drifted ? make("strong", {}, level) : level,
      known(p_value) ? chance(p_value) : "",
      known(psi) ? `${psi.toFixed(2)},\u00a0${band}` : "",
      whole(rows),
    ];
  });
  return [
    heading("Drift by column"),
    table(["Column", "Level with the largest change, training data → requests", "p", "PSI", "Rows"], rows),
    hint(
      "p: the probability of at least this much change by chance, for each column on its own. The alarm goes off if the " +
        `p of all columns together is below ${drift.alarm_level}` +
        `${known(drift.p_value) ? `; it is ${chance(drift.p_value)}` : ""}. ` +
        "PSI, the population stability index, is stable below 0.1 and large from 0.2; it triggers no alarm.",
    ),
    ...scores(drift, words),
  ];
}

function columned({ column, over = [] }, labelOf) {
  const without = list(over.map((name) => lower(labelOf(name))));
  return over.length ? `${labelOf(column)}, with ${without} not known` : labelOf(column);
}

function scores({ score_mean: mean, score_variance: variance, ...drift }, { write, unit, labelOf }) {
  if (!known(mean)) return [];
  const before = known(drift.reference_score_mean)
    ? ` (on held-out rows, ${write(drift.reference_score_mean)} and ${write(drift.reference_score_variance)})`
    : "";
  const gaps = drift.gaps.map(({ feature, group, rows, mean, less_all }) => [
    `${labelOf(feature)}: ${group}`,
    whole(rows),
    write(mean),
    `${less_all < 0 ? "" : "+"}${write(less_all)}`,
  ]);
  return [
    make("p", {}, `The scores have a mean of ${write(mean)} and a variance of ${write(variance)}${before}.`),
    ...(gaps.length ? [opened("Scores by group", ["Group", "Requests", `Mean, ${unit}`, "Minus overall mean"], gaps, "Scores by group")] : []),
  ];
}

// ---- Errors on recorded outcomes ----

function came(outcomes, target, words) {
  const { write, unit } = words;
  const { rmse, average_rmse, rmse_difference, mean_error, coverage, coverage_target, confidence } = outcomes;
  const parts = [heading("Errors on recorded outcomes")];
  if (outcomes.unknown || outcomes.waiting) parts.push(make("p", {}, unmatched(outcomes)));
  if (rmse) {
    parts.push(
      table(
        ["Outcomes", `RMSE, ${unit}`, "Average baseline", "Difference", "Mean error", "Within interval"],
        [[
          whole(outcomes.outcomes),
          ...[rmse, average_rmse, rmse_difference, mean_error].map((one) => estimated(one, write)),
          estimated(coverage, percent),
        ]],
      ),
      hint(
        `In brackets: ${percent(confidence)} bootstrap intervals. A difference below 0 favours the model; a mean error ` +
          "(predicted minus recorded) below 0 means that predictions are too low" +
          `${known(coverage_target) ? `; ${share(coverage_target)} of outcomes should be within their interval` : ""}.`,
      ),
    );
  }
  if (outcomes.tests.length) {
    parts.push(listed(outcomes.tests.map(({ says }) => says)));
  }
  if (outcomes.selection) parts.push(make("p", {}, outcomes.selection.says));
  if (outcomes.calibration) parts.push(...calibrated(outcomes, target));
  if (outcomes.subgroups.length) parts.push(bySubgroup(outcomes, words));
  if (outcomes.notes.length) parts.push(listed(outcomes.notes));
  return parts[1] ? parts : [];
}

function unmatched({ unknown, waiting }) {
  return [
    waiting && `${counted(waiting, "outcome")} ${waiting === 1 ? "waits for its prediction" : "wait for their predictions"} to be captured.`,
    unknown && `${counted(unknown, "outcome")} ${unknown === 1 ? "has an ID that matches" : "have IDs that match"} no prediction.`,
  ].filter(Boolean).join(" ");
}

/** Draw the same calibration plot as for held-out rows, for outcomes. */
function calibrated({ calibration: found, confidence }, target) {
  const parts = calibration({ verdict: { calibration: found, confidence } }, target, "recorded outcomes");
  return [heading("Calibration on recorded outcomes"), ...parts];
}

function bySubgroup({ subgroups }, { write, unit, labelOf }) {
  const rows = subgroups.map((one) => [
    `${labelOf(one.feature)}: ${one.group}`,
    whole(one.rows),
    estimated(one.rmse, write),
    one.off_zero
      ? make("strong", {}, `${estimated(one.mean_error, write)}: predictions too ${one.mean_error.value > 0 ? "high" : "low"}`)
      : estimated(one.mean_error, write),
    estimated(one.coverage, percent),
  ]);
  return opened(
    "Errors by group",
    ["Group", "Outcomes", `RMSE, ${unit}`, `Mean error, ${unit}`, "Within interval"],
    rows,
    "Errors by group",
  );
}
