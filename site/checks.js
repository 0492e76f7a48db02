// Shows how a model does on held-out rows: its calibration, its win probabilities, and its learning curve. The model
// page and the local console share this.

import { lower, make, minus } from "./page.js";
import { between, estimated, hint, opened, percent } from "./parts.js";
import { plot } from "./plot.js";

const HELD = "had the better outcome as often as predicted, within chance.";
const FAILED =
  "did not have the better outcome as often as predicted, by more than chance explains: do not rely on win " +
  "probabilities when you compare treatments.";

/** Say why no requests were replayed; the module that draws a replay need not be loaded for that. */
export const unreplayed = ({ champion }) =>
  champion
    ? "No requests were replayed when this version was evaluated."
    : "No requests were replayed because there was no champion when this version was evaluated.";

/** Say how many rows were not part of the upload. */
export const outcomesAmong = (outcomes) =>
  `${outcomes} of these rows ${outcomes === 1 ? "is a prediction" : "are predictions"} of earlier versions with ` +
  `${outcomes === 1 ? "an outcome" : "outcomes"} recorded after the upload.`;

const ends = (points) => points.flatMap(({ low, high }) => [low, high]);

/** Show recorded against predicted values; nothing if the card has no calibration. rows: what the dots are means of. */
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
      sentence: `Recorded against predicted ${lower(target.label)}. ${sentence}`,
      x: { name: `predicted, ${target.unit}`, holds },
      y: { name: `recorded, ${target.unit}`, holds },
      marks,
      line,
      diagonal: true,
    }),
    hint(
      `Each dot is the mean of ${rows} with similar predictions${line.length ? "; the line is a smooth fit" : ""}. ` +
        "On the dashed line, recorded and predicted values are equal. " +
        `The ${percent(confidence)} intervals are pointwise.`,
    ),
    opened(
      "Calibration as a table",
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
    `On average, recorded values are ${size} ${unit} ${higher} than predicted (${between(off, write)}), ` +
    `${chance}.`;
  if (slope.low === slope.high) return `${mean} All predictions are identical.`;
  return `${mean} The calibration slope is ${times(slope.value)} (${between(slope, times)}; ideally 1): ${sloped(slope)}.`;
}

function sloped({ low, high }) {
  if (low > 1) return "predictions are too close together";
  if (high < 1) return low > 0 ? "predictions are too extreme" : "predictions do not rank patients";
  return low > 0 ? "no deviation beyond chance" : "too few rows to tell";
}

/** Show how often the first of two rows did better, against the predicted probability. */
export function wins({ verdict: { wins } }) {
  if (!wins) return [];
  const seen = wins.bins.filter(({ won }) => won);
  const marks = seen.map(({ predicted, won }) => ({ ...won, x: predicted, y: won.value }));
  const sentence = `In pairs of ${wins.rows} held-out rows, the first ${wins.holds ? HELD : FAILED}`;
  if (!seen.length) return [make("p", {}, `${wins.rows} held-out rows are too few to check win probabilities.`)];
  return [
    make("p", {}, sentence),
    plot({
      sentence: `How often the first of two rows did better, against the predicted probability. ${sentence}`,
      x: { name: "predicted win probability", holds: [0, 1] },
      y: { name: "observed frequency", holds: [0, 1, ...ends(marks)] },
      marks,
      diagonal: true,
    }),
    hint("Ties count as half. The intervals hold for all dots jointly. On the dashed line, predicted and observed are equal."),
    opened(
      "Win probabilities as a table",
      ["Predicted win probability", "Observed frequency", "Pairs"],
      wins.bins.map((one) => [percent(one.predicted), estimated(one.won, percent), `${one.pairs}`]),
    ),
  ];
}

/** Show the error against the number of training rows. */
export function learning({ learning_curve: curve }, target) {
  if (!curve?.points.length) return [];
  const write = (value) => minus(value.toFixed(target.decimals + 1));
  const line = curve.points.map(({ rows, rmse }) => ({ ...rmse, x: rows, y: rmse.value }));
  return [
    make("p", {}, curve.says),
    plot({
      sentence: `RMSE against the number of training rows. ${curve.says}`,
      x: { name: "training rows", holds: [0, ...line.map(({ x }) => x)] },
      y: { name: `RMSE, ${target.unit}`, holds: ends(line) },
      line,
      marks: line,
    }),
    hint(
      `On ${curve.held_out_rows} held-out rows, with ${percent(curve.confidence)} intervals` +
        `${curve.max_trees ? `, for forests of ${curve.max_trees} trees` : ""}.`,
    ),
    opened(
      "Learning curve as a table",
      ["Training rows", `RMSE, ${target.unit}`],
      curve.points.map((one) => [`${one.rows}, ${percent(one.fraction)}`, estimated(one.rmse, write)]),
    ),
  ];
}
