// Draws values with their intervals over an axis, as SVG: what a style sheet colours, and a sentence says.

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
 * sentence: what it shows, for who has it read out. x, y: axes with a name and the numbers that
 * they must hold. line, marks: points {x, y, low, high}; a line has a band, a mark an interval.
 * diagonal: whether to draw where x and y are the same.
 */
export function plot({ sentence, x, y, line = [], marks = [], diagonal = false }) {
  const [across, up] = [axis(x.holds), axis(y.holds)];
  const left = (value) => LEFT + across.share(value) * (WIDTH - LEFT - RIGHT);
  const top = (value) => HEIGHT - BOTTOM - up.share(value) * (HEIGHT - TOP - BOTTOM);
  const at = (value, height) => `${left(value).toFixed(1)},${top(height).toFixed(1)}`;
  const path = (points) => `M${points.join("L")}`;
  const band = [...line.map((one) => at(one.x, one.high)), ...line.map((one) => at(one.x, one.low)).reverse()];
  const [low, high] = [Math.max(across.low, up.low), Math.min(across.high, up.high)];
  return draw("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": sentence }, [
    ...up.ticks.flatMap((tick) => [
      draw("path", { class: "grid", d: path([at(across.low, tick), at(across.high, tick)]) }),
      words(up.write(tick), { x: LEFT - 6, y: top(tick) + 4, "text-anchor": "end" }),
    ]),
    ...across.ticks.flatMap((tick) => [
      draw("path", { class: "grid", d: path([at(tick, up.low), at(tick, up.high)]) }),
      words(across.write(tick), { x: left(tick), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }),
    ]),
    words(x.name, { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }),
    words(y.name, { transform: `translate(12 ${(HEIGHT - BOTTOM + TOP) / 2}) rotate(-90)`, "text-anchor": "middle" }),
    diagonal && draw("path", { class: "diagonal", d: path([at(low, low), at(high, high)]) }),
    line.length && draw("path", { class: "band", d: `${path(band)}Z` }),
    line.length && draw("path", { class: "line", d: path(line.map((one) => at(one.x, one.y))) }),
    ...marks.flatMap((one) => [
      draw("path", { class: "mark", d: path([at(one.x, one.low), at(one.x, one.high)]) }),
      draw("circle", { class: "mark", cx: left(one.x), cy: top(one.y), r: 3.5 }),
    ]),
  ]);
}

/** Choose round ticks around the numbers that an axis must hold, and its ends at ticks. */
function axis(holds) {
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

function draw(tag, attributes, inside = []) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  element.append(...inside.filter(Boolean));
  return element;
}

const words = (text, attributes) => draw("text", attributes, [text]);
