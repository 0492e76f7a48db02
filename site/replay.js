// Shows a version's answers to the last captured requests, compared with the champion at the time. The model page and
// the local console share this.

import { lower, make, minus } from "./page.js";
import { between, estimated, hint, opened, percent, table } from "./parts.js";
import { axis, draw, words } from "./plot.js";

const WIDTH = 340; // as of all plots
const SIDE = 20;
const ROW = 40; // a row's name, and the drawing below it
const FOOT = 44;
const END = 4; // half of the bars at a line's ends
const MOST_LETTERS = 52; // of a row's name, on one line
const MOST_GROUPS = 40; // in the plot; the table has all
const SPREAD = { p05: "5%", p25: "25%", p50: "50%", p75: "75%", p95: "95%" };

const whole = (count) => count.toLocaleString("en-GB");
const counted = (count, thing) => `${whole(count)} ${thing}${count === 1 ? "" : "s"}`;
const share = (value) => `${(100 * value).toFixed(value && value < 0.1 ? 1 : 0)}%`;
const known = (value) => value !== null && value !== undefined;
const dated = (date) =>
  new Date(date).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
const heading = (title) => make("h3", {}, title);
const figure = (title, ...inside) => make("figure", {}, heading(title), ...inside);

/** Show the replay in a card's verdict. labels: of columns, by their names. */
export function replayed({ verdict: { replay, confidence }, replayed: groups = [] }, target, labels) {
  const write = (value) => minus(value.toFixed(target.decimals + 1));
  const told = { replay, confidence, write, target, labelOf: (name) => labels[name] ?? name };
  if (replay.void) return [make("p", {}, replay.void)];
  return [make("p", {}, opening(replay)), ...found(groups, told)];
}

function opening({ champion, requests, since, until }) {
  if (!requests) return `There is no recent captured request that both this version and ${champion} can answer.`;
  const [first, last] = [since, until].map((date) => known(date) && dated(date));
  const when = first ? ` (${first === last ? first : `${first} to ${last}`})` : "";
  const many = requests === 1 ? "The last captured request" : `The last ${whole(requests)} captured requests`;
  return `${many}${when} ${requests === 1 ? "was" : "were"} replayed against this version and ${champion}:`;
}

function found(groups, told) {
  return [
    make("ul", {}, ...figures(told).map((one) => make("li", {}, one))),
    make("div", { className: "charts" }, ...(told.replay.change ? [spread(told)] : []), ...(groups.length ? [byGroup(groups, told)] : [])),
    ...(told.replay.outcomes ? onOutcomes(told) : []),
  ];
}

function figures({ replay, write, target }) {
  const { champion, half_width: half, moved, refused, reproduced } = replay;
  const width = known(half) ? ` (median: ±${write(half)} ${target.unit})` : "";
  return [
    reproduced && `${champion} reproduced its ${counted(reproduced, "captured prediction")} as served.`,
    known(moved) && `${share(moved)} of the scores change by more than the half-width of ${champion}’s interval${width}.`,
    ...replay.notes ?? [],
    refused
      ? `This version would refuse ${counted(refused, "request")} that ${champion} answers.`
      : `This version would refuse none of the requests that ${champion} answers.`,
  ].filter(Boolean);
}

// ---- How scores change ----

function spread({ replay, write, target }) {
  const { change, champion, half_width: half } = replay;
  const name = `change in score, ${target.unit}`;
  const sentence =
    `Change in ${lower(target.label)}, this version minus ${champion}: 5% of requests change by ${write(change.p05)} ` +
    `or less, the middle half by ${between({ low: change.p25, high: change.p75 }, write)}, and 5% by ${write(change.p95)} or more` +
    `${known(half) ? `; the median half-width of ${champion}’s intervals is ${write(half)}` : ""}.`;
  return figure(
    "How scores change",
    strips({
      sentence,
      name,
      rows: [
        { name: "Requests", low: change.p05, high: change.p95, box: [change.p25, change.p75], at: change.p50 },
        known(half) && { name: `Half-width of ${champion}’s intervals, on both sides`, low: -half, high: half, kind: "beside" },
      ].filter(Boolean),
    }),
    hint(
      "The line covers 90% of requests and the box the middle half; the dot is the median" +
        `${known(half) ? ", and the dashed line the median half-width" : ""}. Above 0, this version scores higher than ${champion}.`,
    ),
    opened(
      "Changes as a table",
      ["Share of requests", `Change of at most, ${target.unit}`],
      Object.entries(SPREAD).map(([key, of]) => [of, write(change[key])]),
      "Changes in scores",
    ),
  );
}

function byGroup(groups, { confidence, write, target, labelOf }) {
  const named = ({ feature, group }) => `${labelOf(feature)}: ${group}`;
  const drawn = groups.filter(({ mean_change: mean }) => mean).slice(0, MOST_GROUPS);
  const least = drawn.map((one) => `${named(one)} ${estimated(one.mean_change, write)}`);
  const rows = groups.map((one) => [
    named(one),
    whole(one.requests),
    one.mean_change ? estimated(one.mean_change, write) : "too few requests",
    known(one.moved) ? share(one.moved) : "",
    whole(one.refused),
  ]);
  const headings = ["Group", "Requests", `Mean change, ${target.unit}`, "Moved", "Refused"];
  if (!drawn.length) return figure("By group", table(headings, rows, "Replayed requests by group"));
  return figure(
    "By group",
    strips({
      sentence: `Mean change in ${lower(target.label)} by group: ${least.join("; ")}.`,
      name: `mean change in score, ${target.unit}`,
      rows: drawn.map((one) => ({
        name: `${named(one)}, ${counted(one.requests, "request")}`,
        ...one.mean_change,
        at: one.mean_change.value,
      })),
    }),
    hint(
      `Dots are means; their ${percent(confidence)} intervals hold for all groups jointly. Moved: the share of scores ` +
        "that change by more than the half-width of their interval.",
    ),
    opened("Groups as a table", headings, rows, "Replayed requests by group"),
  );
}

// ---- Requests with a recorded outcome ----

function onOutcomes({ replay, confidence, write, target }) {
  const { champion, outcomes, candidate_scores: own, champion_scores: its, rmse_difference: difference } = replay;
  const title = heading("Requests with a recorded outcome");
  const of = counted(outcomes, "outcome");
  if (!own || !its) return [title, make("p", {}, `${of}: too few to compare the two versions.`)];
  const three = (value) => minus(value.toFixed(3));
  const row = (name, { rmse, mae, r2 }) => [name, estimated(rmse, write), estimated(mae, write), estimated(r2, three)];
  return [
    title,
    table(
      ["Model", `RMSE, ${target.unit}`, `MAE, ${target.unit}`, "R²"],
      [row("This version", own), row(champion, its)],
      "Errors on replayed requests",
    ),
    hint(
      `On ${of} that neither version was trained on, with ${percent(confidence)} bootstrap intervals. ` +
        (difference ? `The difference in RMSE is ${estimated(difference, write)}; below 0, this version is better.` : ""),
    ),
  ];
}

// ---- Drawing ----

/** Draw rows over one axis: a line from low to high, with a box and a dot if given. */
function strips({ sentence, name, rows }) {
  const across = axis([0, ...rows.flatMap(({ low, high }) => [low, high])]);
  const height = rows.length * ROW + FOOT;
  const bottom = height - FOOT;
  const left = (value) => SIDE + across.share(value) * (WIDTH - 2 * SIDE);
  const path = (...points) => `M${points.map(([value, y]) => `${left(value).toFixed(1)},${y}`).join("L")}`;
  const row = ({ name, low, high, box, at, kind = "" }, number) => {
    const y = number * ROW + 28;
    const bar = (value) => path([value, y - END], [value, y + END]);
    const around = box && path([box[0], y - 8], [box[1], y - 8], [box[1], y + 8], [box[0], y + 8]);
    return [
      draw("path", { class: "diagonal", d: path([0, y - 10], [0, y + 10]) }),
      words(name.length > MOST_LETTERS ? `${name.slice(0, MOST_LETTERS - 1)}…` : name, { x: 4, y: y - 14 }),
      draw("path", { class: `line ${kind}`, d: path([low, y], [high, y]) }),
      draw("path", { class: "mark", d: bar(low) + bar(high) }),
      box && draw("path", { class: "band", d: `${around}Z` }),
      box && draw("path", { class: "line", d: `${around}Z` }),
      at !== undefined && draw("circle", { class: "mark", cx: left(at), cy: y, r: 3.5 }),
    ];
  };
  return draw("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": sentence }, [
    ...across.ticks.flatMap((tick) => [
      draw("path", { class: "grid", d: path([tick, 0], [tick, bottom]) }),
      words(across.write(tick), { x: left(tick), y: bottom + 16, "text-anchor": "middle" }),
    ]),
    words(name, { x: WIDTH / 2, y: height - 6, "text-anchor": "middle" }),
    ...rows.flatMap(row),
  ]);
}
