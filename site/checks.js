// Shows how a model's numbers came true on held-out rows: what it predicted, which of two did better, and what
// more rows would bring. The model page and the local console show the same.

import { lower, make, minus } from "./page.js";
import { between, estimated, hint, opened, percent } from "./parts.js";
import { plot } from "./plot.js";

const HELD = "did better as often as predicted, within what chance allows.";
const FAILED =
  "did not do better as often as predicted, and chance does not explain it: do not rely on pairs where treatments are " +
  "compared.";

/** Say why no requests were replayed: what the module that draws a replay is not fetched for. */
export const unreplayed = ({ champion }) =>
  champion
    ? "No requests were replayed when this version was judged."
    : "No model served when this version was judged, so there was none to replay requests beside.";

/** Say how many rows were no part of the upload. */
export const outcomesAmong = (outcomes) =>
  `Of these rows, ${outcomes} ${outcomes === 1 ? "is a prediction" : "are predictions"} of earlier versions and what came ` +
  "of them, told after the upload.";

const ends = (points) => points.flatMap(({ low, high }) => [low, high]);

/** Show what was recorded where so much was predicted; nothing of a card that does not know. rows: what was recorded. */
export function calibration(
  { verdict: { calibration, confidence }, calibration_curve: curve = [] },
  target,
  rows = "held-out rows",
) {
  if (!calibration) return [];
  const write = (value) => minus(value.toFixed(target.decimals + 1));
  const point = ({ predicted, recorded }) => ({ ...recorded, x: predicted, y: recorded.value });
  const [marks, line] = [calibration.bins.map(point), curve.map(point)];
  const holds = [...marks, ...line].flatMap((one) => [one.x, one.low, one.high]);
  const sentence = calibrated(calibration, write, target.unit);
  return [
    make("p", {}, sentence),
    plot({
      sentence: `Recorded over predicted ${lower(target.label)}. ${sentence}`,
      x: { name: `predicted, ${target.unit}`, holds },
      y: { name: `recorded, ${target.unit}`, holds },
      marks,
      line,
      diagonal: true,
    }),
    hint(
      `Dots are the means of ${rows} with about the same prediction` +
        `${line.length ? ", the line runs smoothly through all rows" : ""}; on the dashed line both are the same. ` +
        `Intervals are of ${percent(confidence)}, each for itself.`,
    ),
    opened(
      "The dots as a table",
      [`Predicted, ${target.unit}`, `Recorded, ${target.unit}`, "Rows"],
      calibration.bins.map((one) => [write(one.predicted), estimated(one.recorded, write), `${one.rows}`]),
      `Predicted, ${rows}`,
    ),
  ];
}

function calibrated({ slope, in_the_large: off }, write, unit) {
  const size = write(Math.abs(off.value));
  const higher = off.value < 0 ? "lower" : "higher";
  const chance = off.low <= 0 && off.high >= 0 ? "no more than chance explains" : "more than chance explains";
  const times = (value) => minus(value.toFixed(2));
  const mean =
    `On average, what was recorded is ${size} ${unit} ${higher} than predicted (${between(off, write)}), ` +
    `${chance}.`;
  if (slope.low === slope.high) return `${mean} All predictions are the same.`;
  return (
    `${mean} Recorded values differ ${times(slope.value)} times (${between(slope, times)}) as much as predictions do: ` +
    `${sloped(slope)}.`
  );
}

function sloped({ low, high }) {
  if (low > 1) return "predictions lie too close together";
  if (high < 1) return low > 0 ? "predictions lie too far apart" : "predictions do not tell who is above whom";
  return low > 0 ? "1 is best, and within chance" : "too few rows to tell";
}

/** Show how often the first of two rows did better, where so much was predicted. */
export function wins({ verdict: { wins } }) {
  if (!wins) return [];
  const seen = wins.bins.filter(({ won }) => won);
  const marks = seen.map(({ predicted, won }) => ({ ...won, x: predicted, y: won.value }));
  const sentence = `In pairs of ${wins.rows} held-out rows, the first ${wins.holds ? HELD : FAILED}`;
  if (!seen.length) return [make("p", {}, `${wins.rows} held-out rows are too few to check pairs of them.`)];
  return [
    make("p", {}, sentence),
    plot({
      sentence: `How often the first of two did better, over how often it was predicted. ${sentence}`,
      x: { name: "predicted to do better", holds: [0, 1] },
      y: { name: "did better", holds: [0, 1, ...ends(marks)] },
      marks,
      diagonal: true,
    }),
    hint("Ties count half. The intervals hold for all dots at once; on the dashed line both are the same."),
    opened(
      "The pairs as a table",
      ["Predicted to do better", "Did better", "Pairs"],
      wins.bins.map((one) => [percent(one.predicted), estimated(one.won, percent), `${one.pairs}`]),
    ),
  ];
}

/** Show how the error falls with the rows that a model is trained on. */
export function learning({ learning_curve: curve }, target) {
  if (!curve?.points.length) return [];
  const write = (value) => minus(value.toFixed(target.decimals + 1));
  const line = curve.points.map(({ rows, rmse }) => ({ ...rmse, x: rows, y: rmse.value }));
  return [
    make("p", {}, curve.says),
    plot({
      sentence: `RMSE over the number of training rows. ${curve.says}`,
      x: { name: "training rows", holds: [0, ...line.map(({ x }) => x)] },
      y: { name: `RMSE, ${target.unit}`, holds: ends(line) },
      line,
      marks: line,
    }),
    hint(
      `On ${curve.held_out_rows} held-out rows, with ${percent(curve.confidence)} intervals` +
        `${curve.max_trees ? `; of forests of ${curve.max_trees} trees` : ""}.`,
    ),
    opened(
      "The curve as a table",
      ["Training rows", `RMSE, ${target.unit}`],
      curve.points.map((one) => [`${one.rows}, ${percent(one.fraction)}`, estimated(one.rmse, write)]),
    ),
  ];
}
