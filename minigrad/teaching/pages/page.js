// What all pages use: the numbers from Python, elements, colours, and a player that steps through things.
"use strict";

// JSON has no number that is not finite: these come as texts.
const UNUSUAL = { NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity };
const data = JSON.parse(document.getElementById("data").textContent, (_, value) =>
  typeof value === "string" && value in UNUSUAL ? UNUSUAL[value] : value,
);

const find = (id) => document.getElementById(id);

// An element: make("td", { class: "in" }, "text", child, ...). Attributes that are false or null are left out.
function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "path", "rect", "circle", "line", "text", "title", "polyline"].includes(tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// A number in at most `digits` that count, with a true minus sign.
function number(value, digits = 4) {
  if (!Number.isFinite(value)) return String(value).replace("-", "−").replace("Infinity", "∞");
  const text = String(Number(value.toPrecision(digits)));
  return (text === "-0" ? "0" : text).replaceAll("-", "−").replace("e+", "e");
}

// A number in few characters, for a cell.
function short(value) {
  const text = [3, 2, 1].map((digits) => number(value, digits)).find((each) => each.length <= 5);
  return text ?? value.toExponential(0).replace("-", "−").replace("e+", "e").replace("e-", "e−");
}

// White at 0, blue above, orange below; `largest` is as deep as it gets.
function colour(value, largest) {
  if (!Number.isFinite(value) || !(largest > 0)) return "var(--zero)";
  const share = Math.min(100, Math.round(100 * Math.sqrt(Math.abs(value) / largest)));
  return `color-mix(in oklab, ${value < 0 ? "var(--negative)" : "var(--positive)"} ${share}%, var(--zero))`;
}

const largest = (numbers) => Math.max(0, ...numbers.flat(Infinity).map(Math.abs).filter(Number.isFinite));

// Rows of numbers; of what has more than two axes, matrix below matrix.
function matrixOf(values, largestValue) {
  let rows = Array.isArray(values[0]) ? values : [values],
    block = rows.length;
  while (Array.isArray(rows[0][0])) [block, rows] = [rows[0].length, rows.flat()];
  const table = make("table", { class: "matrix plain", "aria-label": `${rows.length} rows of ${rows[0].length}` });
  rows.forEach((row, k) => {
    const cells = row.map((value) => {
      const cell = make("td", { title: number(value, 7) }, short(value));
      cell.style.background = colour(value, largestValue);
      return cell;
    });
    table.append(make("tr", { class: k > 0 && k % block === 0 && "another" }, ...cells));
  });
  return table;
}

// In a frame: how high the page is, for whoever wants to make room for it.
if (parent !== window) {
  new ResizeObserver(() => parent.postMessage({ minigrad: document.body.scrollHeight }, "*")).observe(document.body);
}

// Buttons, slider and keys that lead through `count()` places; `show(place)` draws one of them.
function player(count, show) {
  let place = 0,
    timer = null;
  const slider = find("slider"),
    play = find("play");

  function go(to, byItself = false) {
    if (!byItself) stop();
    place = Math.max(0, Math.min(count() - 1, to));
    slider.max = count() - 1;
    slider.value = place;
    find("back").setAttribute("aria-disabled", place === 0); // not `disabled`, which would lose the focus
    find("forward").setAttribute("aria-disabled", place === count() - 1);
    show(place);
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶ Play";
  }
  play.addEventListener("click", () => {
    if (timer) return stop();
    if (place === count() - 1) go(0);
    timer = setInterval(() => (place === count() - 1 ? stop() : go(place + 1, true)), 700);
    play.textContent = "⏸ Pause";
  });
  find("back").addEventListener("click", () => go(place - 1));
  find("forward").addEventListener("click", () => go(place + 1));
  slider.addEventListener("input", () => go(Number(slider.value)));
  return { go, place: () => place, playing: () => timer !== null };
}
