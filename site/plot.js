// Draws values and their intervals as SVG, coloured by the style sheet, with a sentence as its text alternative.

import { minus } from "./page.js";

const WIDTH = 340;
const HEIGHT = 280;
const LEFT = 52; // of the axes, where their numbers and names have room
const TOP = 8;
const RIGHT = 12;
const BOTTOM = 44;
const TICKS = 5; // on an axis, or one or two more

/**
 * Draw a plot.
 *
 * sentence: what it shows, for screen readers. x, y: axes: a name, the numbers that the axis must
 * include, and the scale for numbers that are not plain. line, beside, marks: points
 * {x, y, low, high}; with low and high, a line has a band and a mark has an interval. diagonal:
 * whether to draw the line where x equals y. level: draw a horizontal line there. height: for a
 * WIDTH of 340.
 */
export function plot({ sentence, x, y, line = [], beside = [], marks = [], diagonal, level, height = HEIGHT }) {
  const [across, up] = [x, y].map(({ holds, as = axis }) => as(holds));
  const bottom = height - (x.name ? BOTTOM : BOTTOM / 2);
  const right = WIDTH - (x.as ? 2 : 1) * RIGHT; // the last tick's text is longer than a number
  const left = (value) => LEFT + across.share(value) * (right - LEFT);
  const top = (value) => bottom - up.share(value) * (bottom - TOP);
  const at = (value, height) => `${left(value).toFixed(1)},${top(height).toFixed(1)}`;
  const path = (points) => `M${points.join("L")}`;
  const band = (points) => [
    ...points.map((one) => at(one.x, one.high)),
    ...points.map((one) => at(one.x, one.low)).reverse(),
  ];
  const [low, high] = [Math.max(across.low, up.low), Math.min(across.high, up.high)];
  const lines = [["beside", beside], ["", line]].filter(([, points]) => points.length);
  return draw("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": sentence }, [
    ...up.ticks.flatMap((tick) => [
      draw("path", { class: "grid", d: path([at(across.low, tick), at(across.high, tick)]) }),
      words(up.write(tick), { x: LEFT - 6, y: top(tick) + 4, "text-anchor": "end" }),
    ]),
    ...across.ticks.flatMap((tick) => [
      draw("path", { class: "grid", d: path([at(tick, up.low), at(tick, up.high)]) }),
      words(across.write(tick), { x: left(tick), y: bottom + 16, "text-anchor": "middle" }),
    ]),
    x.name && words(x.name, { x: (LEFT + right) / 2, y: height - 6, "text-anchor": "middle" }),
    y.name && words(y.name, { transform: `translate(12 ${(bottom + TOP) / 2}) rotate(-90)`, "text-anchor": "middle" }),
    diagonal && draw("path", { class: "diagonal", d: path([at(low, low), at(high, high)]) }),
    level !== undefined && draw("path", { class: "diagonal", d: path([at(across.low, level), at(across.high, level)]) }),
    ...lines.map(([name, points]) => points[0].high !== undefined && draw("path", { class: `band ${name}`, d: `${path(band(points))}Z` })),
    ...lines.map(([name, points]) =>
      draw("path", { class: `line ${name}`, d: path(points.map((one) => at(one.x, one.y))) }),
    ),
    ...marks.flatMap((one) => [
      one.low !== undefined && draw("path", { class: "mark", d: path([at(one.x, one.low), at(one.x, one.high)]) }),
      draw("circle", { class: `mark ${one.kind ?? ""}`, cx: left(one.x), cy: top(one.y), r: 3.5 }),
    ]),
  ]);
}

/** Choose round ticks around the numbers that an axis must include; it ends at ticks. */
export function axis(holds) {
  const [least, most] = [Math.min(...holds), Math.max(...holds)];
  const rough = (most - least || Math.abs(most) || 1) / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((one) => one * power >= rough) * power;
  const first = Math.floor(least / step);
  const count = Math.max(Math.ceil(most / step) - first, 1);
  const [low, high] = [first * step, (first + count) * step];
  const decimals = Math.max(0, -Math.floor(Math.log10(step)));
  return {
    low,
    high,
    ticks: Array.from({ length: count + 1 }, (_, number) => (first + number) * step),
    share: (value) => (value - low) / (high - low),
    write: (value) => minus(value.toFixed(decimals)),
  };
}

export function draw(tag, attributes, inside = []) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  element.append(...inside.filter(Boolean));
  return element;
}

export const words = (text, attributes) => draw("text", attributes, [text]);
