// All three maps are correlations of a picture with a window. At cell r of the result, tap t of the window lies on
//
//     place = r * step + t * reach      of the picture, in each direction.
//
//     map    picture                             window              step        reach
//     y      x with its padding                  w                   stride      dilation
//     dx     dy, spread out by the stride        w, turned by 180°   1           dilation
//     dw     x with its padding                  dy                  dilation    stride
//
// What meets padding, or a hole, adds nothing.

const { stride, padding, dilation } = data;
const shape = (array) => (Array.isArray(array) ? [array.length, ...shape(array[0])] : []);
const at = (name, index) => index.reduce((part, k) => part[k], data[name]);
const called = (name, index) => `${name}[${index.join(",")}]`;

const [N, C, H, W] = shape(data.x),
  [O, CG, KH, KW] = shape(data.w),
  [, , OH, OW] = shape(data.y);
const OG = O / data.groups; // outputs and (CG) channels of a group
const firstChannel = (o) => Math.floor(o / OG) * CG,
  firstOutput = (c) => Math.floor(c / CG) * OG;
const largestOf = Object.fromEntries(["x", "w", "y", "dy", "dx", "dw"].map((name) => [name, largest(data[name])]));

// One element of x with its padding.
function padded(n, c, [row, column]) {
  const h = row - padding[0],
    k = column - padding[1];
  const inside = h >= 0 && h < H && k >= 0 && k < W;
  return inside ? { name: "x", index: [n, c, h, k] } : { kind: "border", why: "the padding" };
}

// One element of dy, put down where its window began, so that turned windows of w meet it.
function spread(n, o, [row, column]) {
  const i = row + padding[0] - dilation[0] * (KH - 1),
    j = column + padding[1] - dilation[1] * (KW - 1);
  if (i < 0 || j < 0 || i > stride[0] * (OH - 1) || j > stride[1] * (OW - 1)) {
    return { kind: "border", why: "places where no window lies" };
  }
  if (i % stride[0] || j % stride[1]) return { kind: "hole", why: "holes that the stride leaves" };
  return { name: "dy", index: [n, o, i / stride[0], j / stride[1]] };
}

const times = (number) => `${number} ${number === 1 ? "pixel" : "pixels"}`;
const isMore = (pair) => pair[0] > 1 || pair[1] > 1;
const both = (pair) => (pair[0] === pair[1] ? times(pair[0]) : `${pair[0]} down and ${pair[1]} across`);

// `plane` is the pair of first indices of the result, `summand` counts what is added up beside the taps.
const MAPS = {
  y: {
    label: "y = conv2d(x, w)",
    result: "y",
    axes: ["n", "o"],
    planes: [N, O],
    size: [OH, OW],
    summands: ["c", CG],
    picture: [H + 2 * padding[0], W + 2 * padding[1]],
    window: [KH, KW],
    step: stride,
    reach: dilation,
    element: (plane, summand, place) => padded(plane[0], firstChannel(plane[1]) + summand, place),
    tap: (plane, summand, [u, v]) => ({ name: "w", index: [plane[1], summand, u, v] }),
    leftName: (plane, summand) => `x[${plane[0]},${firstChannel(plane[1]) + summand}]`,
    windowName: (plane, summand) => `w[${plane[1]},${summand}]`,
    story:
      "A window lies on x. Each weight of w is multiplied with the pixel it lies on, and the products add up." +
      (isMore(stride) ? ` From one cell of y to the next the window moves by ${both(stride)}: the stride.` : "") +
      (isMore(dilation) ? ` Its weights lie ${both(dilation)} apart: the dilation.` : "") +
      (padding[0] + padding[1] ? " The hatched border is padding: zeros, which add nothing." : ""),
  },
  dx: {
    label: "dx, the gradient for x",
    result: "dx",
    axes: ["n", "c"],
    planes: [N, C],
    size: [H, W],
    summands: ["o", OG],
    picture: [H + dilation[0] * (KH - 1), W + dilation[1] * (KW - 1)],
    window: [KH, KW],
    step: [1, 1],
    reach: dilation,
    element: (plane, summand, place) => spread(plane[0], firstOutput(plane[1]) + summand, place),
    tap: (plane, summand, [u, v]) => ({
      name: "w",
      index: [firstOutput(plane[1]) + summand, plane[1] % CG, KH - 1 - u, KW - 1 - v],
    }),
    leftName: (plane, summand) =>
      `dy[${plane[0]},${firstOutput(plane[1]) + summand}]${isMore(stride) ? ", spread" : ""}`,
    windowName: (plane, summand) => `w[${firstOutput(plane[1]) + summand},${plane[1] % CG}], turned by 180°`,
    story:
      "A pixel of x was met by several windows, each time by another weight. Its gradient adds up what comes back " +
      "from them: dy of the window times that weight. A window further up met the pixel with a weight further down, " +
      "so on dy the kernel lies turned by 180°." +
      (isMore(stride) ? " The stride skipped windows: they are the dotted holes." : "") +
      " In the hatched border no window lies.",
  },
  dw: {
    label: "dw, the gradient for w",
    result: "dw",
    axes: ["o", "c"],
    planes: [O, CG],
    size: [KH, KW],
    summands: ["n", N],
    picture: [H + 2 * padding[0], W + 2 * padding[1]],
    window: [OH, OW],
    step: dilation,
    reach: stride,
    element: (plane, summand, place) => padded(summand, firstChannel(plane[0]) + plane[1], place),
    tap: (plane, summand, [i, j]) => ({ name: "dy", index: [summand, plane[0], i, j] }),
    leftName: (plane, summand) => `x[${summand},${firstChannel(plane[0]) + plane[1]}]`,
    windowName: (plane, summand) => `dy[${summand},${plane[0]}]`,
    story:
      "A weight met one pixel in each window. Its gradient adds up, over all windows" +
      (N > 1 ? " and all images" : "") +
      ", that pixel times dy of the window: here dy is the kernel." +
      (isMore(stride) || isMore(dilation)
        ? " Stride and dilation change places: the stride spreads the window, the " + "dilation moves it."
        : "") +
      (padding[0] + padding[1] ? " Where the weight met padding, dy has nothing to multiply." : ""),
  },
};

let map = MAPS.y,
  plane = [0, 0],
  summand = 0,
  cells = {};

// The products of one cell, and what meets nothing.
function products(index) {
  const terms = [],
    misses = {};
  for (let s = 0; s < map.summands[1]; s++) {
    for (let u = 0; u < map.window[0]; u++) {
      for (let v = 0; v < map.window[1]; v++) {
        const right = map.tap(plane, s, [u, v]),
          left = map.element(plane, s, under(index, [u, v]));
        if (left.kind) (misses[left.why] ??= []).push(called(right.name, right.index));
        else terms.push([left, right]);
      }
    }
  }
  return { terms, misses };
}

const under = (cell, tap) => [0, 1].map((axis) => cell[axis] * map.step[axis] + tap[axis] * map.reach[axis]);

// A table of [rows, columns] cells; `element(place)` says what is in one. Returns the cells by row and column.
function matrix(where, [rows, columns], element, role = null) {
  const table = make("table", { class: "matrix", role }),
    found = [];
  for (let row = 0; row < rows; row++) {
    const line = make("tr", { role: role && "row" });
    found.push([]);
    for (let column = 0; column < columns; column++) {
      const it = element([row, column]),
        value = it.kind ? 0 : at(it.name, it.index);
      const label = it.kind ? it.why : `${called(it.name, it.index)} = ${number(value, 6)}`;
      const cell = make("td", { role: role && "gridcell", class: it.kind, title: label, "aria-label": role && label });
      if (!it.kind) {
        cell.style.background = colour(value, largestOf[it.name]);
        cell.append(make("span", { class: short(value).length > 3 && "long" }, short(value)));
      }
      line.append(cell);
      found[row].push(cell);
    }
    table.append(line);
  }
  find(where).replaceChildren(table);
  return found;
}

// Draws the three matrices of the map and the planes that are chosen.
function drawMatrices() {
  find("story").textContent = map.story;
  find("left-name").textContent = map.leftName(plane, summand);
  find("window-name").textContent = map.windowName(plane, summand);
  find("result-name").textContent = `${map.result}[${plane}]`;
  cells.left = matrix("left", map.picture, (place) => map.element(plane, summand, place));
  cells.window = matrix("window", map.window, (tap) => map.tap(plane, summand, tap));
  cells.result = matrix("result", map.size, (place) => ({ name: map.result, index: [...plane, ...place] }), "grid");
  cells.result[0][0].closest("table").setAttribute("aria-label", `${map.result}[${plane}]: arrow keys choose a cell`);
  cells.result.forEach((row, r) =>
    row.forEach((cell, c) => {
      cell.addEventListener("pointerenter", () => show(r * map.size[1] + c)); // a look; a click stays
      cell.addEventListener("click", () => steps.go(r * map.size[1] + c));
      cell.addEventListener("keydown", (event) => move(event, r, c));
    }),
  );
  find("result").onpointerleave = () => show(steps.place());
  cells.left.forEach((row, r) =>
    row.forEach((cell, c) => {
      cell.addEventListener("pointerenter", () => feed([r, c]).forEach((fed) => fed.classList.add("fed")));
      cell.addEventListener("pointerleave", () => feed([r, c]).forEach((fed) => fed.classList.remove("fed")));
    }),
  );
  fit();
}

// Where an element of the picture goes: the cells of the result that have it in their window.
function feed(place) {
  const axis = (k) =>
    Array.from({ length: map.window[k] }, (_, tap) => (place[k] - tap * map.reach[k]) / map.step[k]).filter(
      (cell) => Number.isInteger(cell) && cell >= 0 && cell < map.size[k],
    );
  return axis(0).flatMap((row) => axis(1).map((column) => cells.result[row][column]));
}

function move(event, row, column) {
  const ways = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
  const to = ways && cells.result[row + ways[0]]?.[column + ways[1]];
  if (!ways) return;
  event.preventDefault();
  if (to) {
    steps.go((row + ways[0]) * map.size[1] + column + ways[1]);
    to.focus();
  }
}

// Cells as large as the width allows, side by side. Where that leaves no room for numbers, as on a phone, one matrix
// below the other, if all three are then seen at once.
function fit() {
  const NUMBERED = 26,
    panels = find("panels"),
    width = panels.clientWidth,
    [rows, columns] = [0, 1].map((axis) => [map.picture[axis], map.window[axis], map.size[axis]]),
    sum = (counts) => counts.reduce((total, count) => total + count);
  const beside = (width - 120) / sum(columns),
    stacked = Math.min((width - 6) / Math.max(...columns), Math.max(NUMBERED, (0.7 * innerHeight) / sum(rows)));
  const isSeen = stacked >= NUMBERED && stacked * sum(rows) < 0.8 * innerHeight;
  const isBeside = beside >= NUMBERED || (beside >= 14 && !isSeen);
  const cell = Math.max(8, Math.min(46, isBeside ? beside : stacked));
  panels.style.setProperty("--cell", `${Math.floor(cell)}px`);
  panels.classList.toggle("small", cell < NUMBERED);
  panels.classList.toggle("stacked", !isBeside);
}

// Marks what makes up one cell of the result, and writes the products down.
function show(place) {
  const index = [Math.floor(place / map.size[1]), place % map.size[1]];
  document.querySelectorAll(".in, .chosen, .missed").forEach((cell) => cell.classList.remove("in", "chosen", "missed"));
  document.querySelectorAll("[data-weight]").forEach((cell) => cell.removeAttribute("data-weight"));
  for (let u = 0; u < map.window[0]; u++) {
    for (let v = 0; v < map.window[1]; v++) {
      const [row, column] = under(index, [u, v]),
        cell = cells.left[row][column];
      const meets = !map.element(plane, summand, [row, column]).kind;
      const tap = map.tap(plane, summand, [u, v]);
      cell.classList.add("in");
      cell.dataset.weight = `×${number(at(tap.name, tap.index), 2)}`;
      cell.style.setProperty("--letters", cell.dataset.weight.length);
      cells.window[u][v].classList.add(meets ? "in" : "missed");
    }
  }
  cells.result.flat().forEach((cell, k) => (cell.tabIndex = k === place ? 0 : -1));
  cells.result[index[0]][index[1]].classList.add("chosen");
  find("position").textContent = `cell ${place + 1} of ${map.size[0] * map.size[1]}`;
  find("slider").setAttribute("aria-valuetext", called(map.result, [...plane, ...index]));
  write([...plane, ...index], products(index));
  markMatrix([...plane, ...index]);
}

const MOST = 40; // products that are written down

function write(index, { terms, misses }) {
  const name = called(map.result, index),
    rest = terms.length > MOST ? ` + … (${terms.length - MOST} more)` : "";
  const value = ({ name: it, index: place }) => number(at(it, place), 6);
  const bracketed = (factor, k) => (k && value(factor).startsWith("−") ? `(${value(factor)})` : value(factor));
  const sum = (left, right) =>
    terms.length === 0
      ? ["nothing"]
      : [
          ...terms
            .slice(0, MOST)
            .flatMap((term, k) => [k ? " + " : "", make("span", {}, `${left(term[0], k)} · ${right(term[1], 1)}`)]),
          rest,
        ];
  const names = (factor) => called(factor.name, factor.index);
  const box = find("terms");
  box.setAttribute("aria-live", steps?.playing() ? "off" : "polite");
  box.replaceChildren(
    make("p", { class: "formula", id: "formula" }, make("b", {}, name), " = ", ...sum(names, names)),
    make("p", { class: "formula", id: "values" }, "= ", ...sum(bracketed, bracketed)),
    make("p", { class: "formula", id: "value" }, "= ", make("b", {}, number(at(map.result, index), 7))),
  );
  for (const [why, factors] of Object.entries(misses)) {
    const list = factors.length > MOST ? `${factors.slice(0, MOST).join(", ")}, …` : factors.join(", ");
    box.append(make("p", { class: "soft" }, `Left out, on ${why}: `, make("span", { class: "formula" }, list)));
  }
}

// The matrix of the whole map y, for image plane n: row (o, i, j), column (c, h, k), one path for each weight.
const rowOf = (o, i, j) => (o * OH + i) * OW + j,
  columnOf = (c, h, k) => (c * H + h) * W + k;
const rows = O * OH * OW,
  columns = C * H * W;
let paths = null,
  band = null;

function drawMatrix() {
  const weights = O * CG * KH * KW,
    entries = weights * OH * OW;
  find("matrix-story").textContent =
    (N > 1 ? "With each image of x and of y as a long vector" : "With x and y as long vectors") +
    `, y = M x. M has ${rows} rows, one for each cell of y, and ${columns} columns, one for each pixel of x. ` +
    "From row to row the kernel moves along. Read by columns it is the backward pass: dx\u00a0=\u00a0Mᵀ\u00a0dy. " +
    "And dw adds up all entries that hold the weight. " +
    (entries > 20000
      ? `It has up to ${entries} entries that are not zero: too many to draw.`
      : "The green band is the cell that is shown above; point into M to choose another.");
  if (entries > 20000) return;
  const picture = make("svg", {
    viewBox: `0 0 ${columns} ${rows}`,
    role: "img",
    "aria-label": `The matrix M, ${rows} rows and ${columns} columns`,
    preserveAspectRatio: "none",
  });
  band = make("rect", { class: "band" });
  paths = {};
  for (let o = 0; o < O; o++)
    for (let c = 0; c < CG; c++)
      for (let u = 0; u < KH; u++)
        for (let v = 0; v < KW; v++) {
          let line = "";
          for (let i = 0; i < OH; i++) {
            for (let j = 0; j < OW; j++) {
              const it = padded(0, firstChannel(o) + c, [
                i * stride[0] + u * dilation[0],
                j * stride[1] + v * dilation[1],
              ]);
              if (!it.kind) line += `M${columnOf(...it.index.slice(1))} ${rowOf(o, i, j)}h1v1h-1z`;
            }
          }
          const weight = at("w", [o, c, u, v]),
            path = make("path", { d: line, fill: colour(weight, largestOf.w) });
          path.append(make("title", {}, `${called("w", [o, c, u, v])} = ${number(weight, 6)}`));
          picture.append(path);
          paths[[o, c, u, v]] = path;
        }
  picture.append(band);
  picture.addEventListener("pointermove", (event) => pick(event, picture));
  const size = Math.min(10, 700 / columns);
  picture.style.width = `${Math.max(columns * size, 200)}px`;
  picture.style.aspectRatio = `${columns} / ${rows}`;
  find("matrix").replaceChildren(picture);
}

// The pointer on M chooses the cell of the result that its row, its column or its weight stands for.
function pick(event, picture) {
  const box = picture.getBoundingClientRect();
  const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
  const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
  const [across, size] = map === MAPS.y ? [row, OH * OW] : [column, H * W];
  if (map === MAPS.dw) {
    const key = Object.keys(paths).find((each) => paths[each] === event.target);
    if (key) choose(key.split(",").map(Number));
  } else {
    const first = Math.floor(across / size),
      rest = across % size;
    choose([plane[0], first, Math.floor(rest / map.size[1]), rest % map.size[1]]);
  }
}

// Shows a cell of the result, by all its indices.
function choose(index) {
  const before = [...plane];
  plane = index.slice(0, 2);
  if (`${before}` !== `${plane}`) drawAll();
  steps.go(index[2] * map.size[1] + index[3]);
}

function markMatrix(index) {
  if (!paths) return;
  Object.values(paths).forEach((path) => path.classList.remove("same"));
  find("matrix").classList.toggle("weights", map === MAPS.dw);
  const [x, y, width, height] =
    map === MAPS.y
      ? [0, rowOf(...index.slice(1)), columns, 1]
      : map === MAPS.dx
        ? [columnOf(...index.slice(1)), 0, 1, rows]
        : [0, 0, 0, 0];
  Object.entries({ x, y, width, height }).forEach(([name, value]) => band.setAttribute(name, value));
  if (map === MAPS.dw) paths[index].classList.add("same");
}

// Which image and channels are shown, where there are several.
function drawPlanes() {
  const wanted = [
    ...map.axes.map((name, axis) => [
      `${map.result}: ${WORDS[name]}`,
      map.planes[axis],
      plane[axis],
      (value) => {
        plane[axis] = value;
      },
    ]),
    [
      `added up over the ${PLURALS[map.summands[0]]}; shown:`,
      map.summands[1],
      summand,
      (value) => {
        summand = value;
      },
    ],
  ].filter(([, count]) => count > 1);
  find("planes").replaceChildren(
    ...wanted.map(([text, count, chosen, set]) => {
      const choice = make(
        "select",
        {},
        ...Array.from({ length: count }, (_, k) =>
          make("option", { value: k, selected: k === chosen && "" }, String(k)),
        ),
      );
      choice.addEventListener("change", () => {
        set(Number(choice.value));
        drawMatrices();
        steps.go(steps.place());
      });
      return make("label", { class: "soft" }, `${text} `, choice);
    }),
  );
}

const WORDS = { n: "image", o: "output channel", c: "channel" };
const PLURALS = { n: "images", o: "output channels", c: "channels" };

function drawAll() {
  drawPlanes();
  drawMatrices();
}

const same = (pair) => (pair[0] === pair[1] ? pair[0] : `(${pair.join(", ")})`);
find("sizes").textContent =
  ["x", "w", "y"].map((name) => `${name} ${shape(data[name]).join(" × ")}`).join(", ") +
  `; stride ${same(stride)}, padding ${same(padding)}, dilation ${same(dilation)}, groups ${data.groups}`;
for (const [name, each] of Object.entries(MAPS)) {
  const choice = make("input", { type: "radio", id: name, name: "map", value: name, checked: each === map && "" });
  choice.addEventListener("change", () => {
    [map, plane, summand] = [each, [0, 0], 0];
    drawAll();
    steps.go(0);
  });
  find("choices").append(make("label", {}, choice, make("span", {}, each.label)));
}
let steps = null;
steps = player(() => map.size[0] * map.size[1], show);
drawAll();
drawMatrix();
steps.go(0);
addEventListener("resize", fit);
