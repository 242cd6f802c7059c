// Gradient descent on a quadratic of two weights. The quadratics come from the engine; what is done with them is simple
// enough to be done here, and a test compares it with the engine's own training.

const state = {
  lr: data.lr,
  momentum: data.momentum,
  start: [...data.start],
  steps: data.steps,
  reduction: data.reduction,
  convolve: data.convolve,
};

const experiment = () => data.experiments[`${state.reduction},${state.convolve ? "True" : "False"}`];

// The eigenvalues of a symmetric matrix of two rows, and the direction of the larger one.
function eigen([[a, b], [, d]]) {
  const middle = (a + d) / 2,
    spread = Math.hypot((a - d) / 2, b);
  return { low: middle - spread, high: middle + spread, angle: Math.atan2(middle + spread - a, b) };
}

function lossAt(weights) {
  const { hessian, target } = experiment(),
    [x, y] = [weights[0] - target[0], weights[1] - target[1]];
  return (hessian[0][0] * x * x + 2 * hessian[0][1] * x * y + hessian[1][1] * y * y) / 2;
}

// v <- momentum v + gradient, w <- w - lr v
function train() {
  const { hessian, target } = experiment();
  let w = [...state.start],
    v = [0, 0];
  const kernels = [w];
  for (let step = 0; step < state.steps; step++) {
    const error = w.map((weight, k) => weight - target[k]);
    v = v.map((before, k) => state.momentum * before + hessian[k][0] * error[0] + hessian[k][1] * error[1]);
    w = w.map((weight, k) => weight - state.lr * v[k]);
    kernels.push(w);
  }
  return { kernels, losses: kernels.map(lossAt) };
}

// The larger root |z| of z^2 - (1 + momentum - lr h) z + momentum = 0.
function factor(lr, curvature, momentum = state.momentum) {
  const half = (1 + momentum - lr * curvature) / 2,
    inside = half * half - momentum;
  return inside < 0 ? Math.sqrt(momentum) : Math.abs(half) + Math.sqrt(inside);
}

const limit = () => (2 * (1 + state.momentum)) / eigen(experiment().hessian).high;
const rate = () => {
  const { low, high } = eigen(experiment().hessian);
  return Math.max(factor(state.lr, low), factor(state.lr, high));
};

let run = train();

// --- charts

// A picture with axes: `x` and `y` are [from, to]; the y axis may be logarithmic.
function chart(where, { x, y, width = 340, height = 300, logarithmic = false, xLabel, yLabel }) {
  const margin = { left: 46, right: 10, top: 8, bottom: 34 },
    scale = logarithmic ? Math.log10 : (value) => value;
  const inside = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
  const X = (value) => margin.left + ((value - x[0]) / (x[1] - x[0])) * inside.width;
  const Y = (value) => margin.top + (1 - (scale(value) - scale(y[0])) / (scale(y[1]) - scale(y[0]))) * inside.height;
  const picture = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const clip = `clip-${where}`;
  picture.innerHTML =
    `<clipPath id="${clip}"><rect x="${margin.left - 6}" y="${margin.top}" width="${inside.width + 12}" ` +
    `height="${inside.height + 6}"/></clipPath>`; // with room for whole dots
  for (const value of ticks(x)) {
    picture.append(
      make("line", { class: "axis", x1: X(value), x2: X(value), y1: margin.top, y2: height - margin.bottom }),
      make(
        "text",
        { class: "tick", x: X(value), y: height - margin.bottom + 14, "text-anchor": "middle" },
        number(value, 3),
      ),
    );
  }
  for (const value of logarithmic ? powers(y) : ticks(y)) {
    picture.append(
      make("line", { class: "axis", x1: margin.left, x2: width - margin.right, y1: Y(value), y2: Y(value) }),
      make(
        "text",
        { class: "tick", x: margin.left - 5, y: Y(value) + 4, "text-anchor": "end" },
        logarithmic ? powerText(value) : number(value, 3),
      ),
    );
  }
  picture.append(make("text", { x: margin.left + inside.width / 2, y: height - 4, "text-anchor": "middle" }, xLabel));
  if (yLabel) picture.setAttribute("aria-label", yLabel);
  const drawing = make("g", { "clip-path": `url(#${clip})` });
  picture.append(drawing);
  find(where).replaceChildren(picture);
  const back = (event) => {
    const box = picture.getBoundingClientRect(),
      k = width / box.width;
    return [
      x[0] + (((event.clientX - box.left) * k - margin.left) / inside.width) * (x[1] - x[0]),
      y[0] + (1 - ((event.clientY - box.top) * k - margin.top) / inside.height) * (y[1] - y[0]),
    ];
  };
  return { X, Y, drawing, picture, back };
}

const powerText = (value) =>
  value >= 0.01 && value < 10000 ? number(value, 3) : value.toExponential(0).replace("e+", "e").replace("-", "−");

function ticks([from, to]) {
  const rough = (to - from) / 5,
    power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((each) => each * power >= rough) * power,
    found = [];
  for (let k = Math.ceil(from / step - 1e-9); k * step <= to + 1e-9 * step; k++) found.push(k * step);
  return found;
}

function powers([from, to]) {
  const first = Math.ceil(Math.log10(from) - 1e-9),
    last = Math.floor(Math.log10(to) + 1e-9);
  const step = Math.max(1, Math.ceil((last - first) / 6)),
    found = [];
  for (let k = first; k <= last; k += step) found.push(10 ** k);
  return found;
}

const line = (points, X, Y) =>
  points
    .filter((point) => point.every(Number.isFinite))
    .map(([x, y]) => `${clamp(X(x))},${clamp(Y(y))}`)
    .join(" ");
const clamp = (place) => Math.max(-5000, Math.min(5000, place)).toFixed(2);

let weightsAt = null; // where in the valley the pointer is

function drawValley() {
  const { hessian, target } = experiment(),
    { low, high, angle } = eigen(hessian),
    range = [-2.3, 2.3];
  const { X, Y, drawing, back } = chart("valley", {
    x: range,
    y: range,
    height: 326,
    xLabel: "first weight, second weight upwards",
    yLabel: "Lines of equal loss, and the way of the kernel",
  });
  const most = lossAt([target[0] + 4, target[1] + 4]);
  for (let level = most; level > most / 3000; level /= 3) {
    const points = Array.from({ length: 73 }, (_, k) => {
      const turn = (k * Math.PI) / 36,
        [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      const along = Math.sqrt((2 * level) / high) * Math.cos(turn),
        across = Math.sqrt((2 * level) / low) * Math.sin(turn);
      return [target[0] + along * cos - across * sin, target[1] + along * sin + across * cos];
    });
    drawing.append(make("polyline", { class: "contour", points: line(points, X, Y) }));
  }
  drawing.append(make("polyline", { class: "path", points: line(run.kernels, X, Y) }));
  run.kernels.slice(0, 200).forEach(([x, y], k) => {
    if (Math.abs(x) < 50 && Math.abs(y) < 50) {
      drawing.append(make("circle", { class: "dot", cx: X(x), cy: Y(y), r: 3.5, "data-step": k }));
    }
  });
  drawing.append(
    make(
      "text",
      { class: "star", x: X(target[0]), y: Y(target[1]) + 6, "text-anchor": "middle", "font-size": 18 },
      "★",
    ),
  );
  drawing.append(
    make(
      "text",
      { x: X(target[0]) + 12, y: Y(target[1]) - 8 },
      `[${target.map((value) => number(value, 3)).join(", ")}]`,
    ),
  );
  weightsAt = (event) => back(event).map((value) => Number(Math.max(-2.3, Math.min(2.3, value)).toFixed(2)));
}

function drawLosses() {
  const finite = run.losses.filter((loss) => loss > 0 && Number.isFinite(loss));
  const top = Math.min(1e12, Math.max(...finite, 1e-9)),
    bottom = Math.max(1e-12, Math.min(...finite, top / 100));
  const { X, Y, drawing } = chart("losses", {
    x: [0, state.steps],
    y: [10 ** Math.floor(Math.log10(bottom)), 10 ** Math.ceil(Math.log10(top) + 1e-9)],
    logarithmic: true,
    xLabel: "step",
    yLabel: "The loss after each step",
  });
  const shownLosses = run.losses.map((loss, k) => [k, Math.max(loss, 1e-13)]);
  const predicted = run.losses.map((_, k) => [k, run.losses[0] * rate() ** (2 * k)]);
  drawing.append(
    make("polyline", {
      class: "predicted",
      points: line(
        predicted.filter(([, loss]) => loss > 1e-13 && loss < 1e13),
        X,
        Y,
      ),
    }),
    make("polyline", { class: "path", points: line(shownLosses, X, Y) }),
  );
  shownLosses.slice(0, 200).forEach(([k, loss]) => {
    if (Number.isFinite(loss)) {
      drawing.append(make("circle", { class: "dot", cx: X(k), cy: clamp(Y(loss)), r: 3, "data-step": k }));
    }
  });
}

function drawRates() {
  const { low, high } = eigen(experiment().hessian);
  const most = Math.max(1.25 * limit(), Math.min(1.1 * state.lr, 4 * limit()));
  const { X, Y, drawing } = chart("rates", {
    x: [0, most],
    y: [0, 1.4],
    xLabel: "learning rate",
    yLabel: "By what a step multiplies the error",
  });
  const places = Array.from({ length: 201 }, (_, k) => (most * k) / 200);
  const curve = (curvature) => places.map((place) => [place, factor(place, curvature)]);
  drawing.append(
    make("rect", { class: "unstable", x: X(0), y: Y(1.4), width: X(most) - X(0), height: Y(1) - Y(1.4) }),
    make("line", { class: "zero", x1: X(0), x2: X(most), y1: Y(1), y2: Y(1) }),
    make("polyline", { class: "gentle", points: line(curve(low), X, Y) }),
    make("polyline", { class: "steep", points: line(curve(high), X, Y) }),
    make("line", { class: "predicted", x1: X(limit()), x2: X(limit()), y1: Y(0), y2: Y(1.4) }),
    make("text", { x: X(limit()) + 4, y: Y(0.04) }, number(limit(), 4)),
    make("line", { class: "here", x1: X(state.lr), x2: X(state.lr), y1: Y(0), y2: Y(1.4) }),
    make("circle", { class: "dot", cx: X(state.lr), cy: clamp(Y(Math.min(2, rate()))), r: 5 }),
  );
  find("high").textContent = number(high, 4);
  find("low").textContent = number(low, 4);
}

// --- in words

let speech = null; // for screen readers the verdict changes when a slider has come to rest

function drawVerdict() {
  const { low, high } = eigen(experiment().hessian),
    half = Math.floor(state.steps / 2);
  const last = run.losses[state.steps],
    shrinking = (last / run.losses[half]) ** (0.5 / (state.steps - half)),
    stable = state.lr < limit();
  let measured = `it was by ${number(shrinking, 5)}`;
  if (last <= 1e-24 * run.losses[0]) measured = "it has arrived: what is left is rounding";
  else if (!Number.isFinite(last) || !Number.isFinite(run.losses[half])) measured = "it is beyond all numbers";
  find("verdict").classList.toggle("ill", !stable);
  const share = state.lr / limit(),
    words = [
      stable
        ? `It converges: the learning rate is at ${number(100 * share, 3)}% of its limit, ${number(limit(), 5)}.`
        : `It does not converge: the learning rate must be below 2 (1 + momentum) / ${number(high, 4)} = ` +
          `${number(limit(), 5)}.`,
      `In the long run the error is multiplied by ${number(rate(), 5)} per step; in the second half of these ` +
        `${state.steps} steps ${measured}.`,
      `Loss at the end: ${number(last, 4)}. Without momentum the best learning rate is ` +
        `2 / (${number(low, 4)} + ${number(high, 4)}) = ${number(2 / (low + high), 4)}.`,
    ];
  if (stable && share < 0.1) words.push("That is a crawl: it could be ten times as large.");
  find("verdict").textContent = words.join(" ");
  clearTimeout(speech);
  speech = setTimeout(() => (find("spoken").textContent = words.join(" ")), 600);
}

function show(k) {
  document.querySelectorAll(".dot.now").forEach((dot) => dot.classList.remove("now"));
  document.querySelectorAll(`[data-step="${k}"]`).forEach((dot) => dot.classList.add("now"));
  const w = run.kernels[k],
    laid = state.convolve ? [w[1], w[0]] : w;
  find("position").textContent = `step ${k} of ${state.steps}`;
  find("kernel").textContent =
    `kernel [${w.map((value) => number(value, 5)).join(", ")}], loss ${number(run.losses[k], 5)}`;
  const predicted = data.image.map((row) => row.slice(1).map((_, j) => row[j] * laid[0] + row[j + 1] * laid[1]));
  const shown = { image: data.image, "edges that this kernel finds": predicted, "edges that are wanted": data.edges };
  find("matrices").replaceChildren(
    ...Object.entries(shown).map(([caption, values]) =>
      make("figure", {}, make("figcaption", {}, caption), matrixOf(values, 1)),
    ),
  );
}

function drawTable() {
  const titles = ["step", "first weight", "second weight", "loss"];
  const head = make("tr", {}, ...titles.map((text) => make("th", { scope: "col" }, text)));
  find("table").replaceChildren(
    head,
    ...run.kernels.map((w, k) =>
      make("tr", {}, ...[k, ...w, run.losses[k]].map((value) => make("td", {}, number(value, 10)))),
    ),
  );
}

// --- controls

function update() {
  run = train();
  const {
    lr,
    momentum,
    steps,
    start: [start0, start1],
  } = state;
  for (const [name, value] of Object.entries({ lr, momentum, steps, start0, start1 })) {
    if (document.activeElement !== find(name)) find(name).value = Number(value.toPrecision(6));
  }
  find("lr-slider").value = Math.log10(state.lr);
  find("lr-slider").setAttribute("aria-valuetext", number(state.lr, 4));
  find("momentum-slider").value = state.momentum;
  drawValley();
  drawLosses();
  drawRates();
  drawVerdict();
  drawTable();
  control.go(Math.min(control.place(), state.steps));
}

// A number from a field, if it is one that makes sense there.
function listen(name, accepts, set) {
  find(name).addEventListener("input", () => {
    const value = Number(find(name).value);
    const valid = find(name).value !== "" && accepts(value);
    find(name).setAttribute("aria-invalid", !valid);
    if (!valid) return;
    set(value);
    update();
  });
  find(name).addEventListener("change", () => {
    find(name).setAttribute("aria-invalid", false); // what makes no sense is gone when the field is left
    update();
  });
}

function radios(where, name, options) {
  find(where).replaceChildren(
    ...options.map(([label, value]) => {
      const choice = make("input", { type: "radio", name, value, checked: state[name] === value && "" });
      choice.addEventListener("change", () => {
        state[name] = value;
        update();
      });
      return make("label", {}, choice, make("span", {}, label));
    }),
  );
}

function startThere(event) {
  state.start = weightsAt(event);
  update();
}
find("valley").addEventListener("click", startThere);
find("valley").addEventListener("pointermove", (event) => {
  if (event.pointerType === "mouse" && event.buttons === 1) startThere(event); // a finger scrolls the page
});

radios("reduction", "reduction", [
  ["sum", "sum"],
  ["mean", "mean"],
]);
radios("convolve", "convolve", [
  ["as it is (cross-correlation)", false],
  ["flipped (convolution)", true],
]);
listen(
  "lr",
  (value) => value > 0 && value < 1e6,
  (value) => {
    state.lr = value;
  },
);
listen(
  "lr-slider",
  () => true,
  (value) => {
    state.lr = Number((10 ** value).toPrecision(3));
  },
);
listen(
  "momentum",
  (value) => value >= 0 && value < 1,
  (value) => {
    state.momentum = value;
  },
);
listen(
  "momentum-slider",
  () => true,
  (value) => {
    state.momentum = value;
  },
);
listen(
  "start0",
  (value) => Math.abs(value) <= 1000,
  (value) => {
    state.start[0] = value;
  },
);
listen(
  "start1",
  (value) => Math.abs(value) <= 1000,
  (value) => {
    state.start[1] = value;
  },
);
listen(
  "steps",
  (value) => Number.isInteger(value) && value >= 1 && value <= data.most,
  (value) => {
    state.steps = value;
  },
);
find("steps").max = data.most;

const PRESETS = {
  "the book's 0.03": { lr: 0.03, momentum: 0 },
  "the best, 1/36": { lr: 1 / 36, momentum: 0 },
  "the limit, 1/30": { lr: 1 / 30, momentum: 0 },
  "too much, 0.036": { lr: 0.036, momentum: 0 },
  "with momentum": { lr: 0.03, momentum: 0.3 },
};
find("presets").append(
  ...Object.entries(PRESETS).map(([label, settings]) => {
    const button = make("button", {}, label);
    button.addEventListener("click", () => {
      Object.assign(state, settings, { reduction: "sum" });
      document.querySelector("input[name=reduction][value=sum]").checked = true;
      update();
    });
    return button;
  }),
);

const control = player(() => state.steps + 1, show);
update();
