// A slider over the steps of a walk: in each a contribution arrives at a node, and is added to what is there.

let walk = data.walks[0],
  way = "walk",
  inspected = null;

const node = (number) => walk.nodes[number];
const steps = () => walk[way];
const box = (number) => find(`box${node(number).box}`);

const WAYS = {
  walk: "backward(): newest first",
  recursion: "plain recursion",
};
const LEADS = {
  walk:
    "The walk visits operations newest first. So an operation comes after all that used its result: when it passes " +
    "its gradient on, nothing can arrive any more. Where a tensor was used twice, two contributions add up.",
  recursion:
    "Why not simply pass on each contribution as it comes, and so on from there? Because then an operation is " +
    "called again whenever something more arrives, and passes on again what it has passed on before.",
};

// --- one step in words and numbers

function sentences(step, k) {
  const target = node(step.target).short;
  if (step.stored) {
    return [
      `The walk is through. What arrived at ${target} goes to ${target}.grad` +
        (step.before
          ? ", which still holds the gradient from before: it is added. zero_grad() would have cleared it."
          : ", which was None."),
    ];
  }
  if (step.hooked) {
    return [
      `All that goes to ${target} has arrived. A hook is registered there: it is called with ${shown(step.dx)}, and ` +
        `what it returns takes the place of that.`,
    ];
  }
  if (step.source === null) return [`It starts at ${target}: its gradient with respect to itself.`];
  const source = node(step.source),
    earlier = steps()
      .slice(0, k)
      .filter(
        (other) =>
          other.source === step.source &&
          other.position === step.position &&
          other.target === step.target &&
          !other.stored,
      );
  const words = [
    `${source.title} has the gradient dy = ${shown(step.dy)}. Its backward gives ${shown(step.dx)} to ` +
      `${target}, its input ${step.position}.`,
  ];
  if (way === "recursion" && earlier.length) {
    words.push(
      `But ${source.short} has been here before, and gave ` +
        `${earlier.map((other) => shown(other.dx)).join(", then ")}: ` +
        "that is counted again.",
    );
  } else if (step.before) {
    const isOutput = steps().some(
      (other) => other.target === step.target && other.source === null && !other.stored && !other.hooked,
    );
    words.push(
      `${target} ${isOutput ? "is an output itself" : "was used more than once"}, so there is something already: ` +
        "the two add up.",
    );
  }
  return words;
}

const shown = (glimpse) => glimpse.text.replaceAll("-", "−");

// A glimpse as a number, a small matrix, or in outline.
function pictureOf(glimpse, largestValue) {
  if (glimpse.values === null) return make("span", { class: "number" }, shown(glimpse));
  if (!Array.isArray(glimpse.values)) {
    return make("span", { class: "number", title: number(glimpse.values, 9) }, shown(glimpse));
  }
  return matrixOf(glimpse.values, largestValue);
}

function sum(step) {
  const parts = step.before
    ? [step.before, "+", step.dx, "=", step.after]
    : step.hooked
      ? [step.dx, "→", step.after]
      : [step.after];
  const deepest = Math.max(
    ...[step.before, step.dx, step.after].filter((it) => it?.values != null).map((it) => largest([it.values])),
    0,
  );
  return make("div", { class: "sum" }, ...parts.map((it) => (typeof it === "string" ? it : pictureOf(it, deepest))));
}

// --- the picture

function drawPicture() {
  find("picture").innerHTML = walk.svg;
  find("picture")
    .querySelectorAll(".box")
    .forEach((element, number) => {
      const members = walk.nodes.flatMap((it, k) => (it.box === number ? [k] : [])),
        last = members[members.length - 1];
      element.setAttribute("tabindex", 0);
      element.setAttribute("role", "button");
      element.setAttribute("aria-label", `${node(last).title}, ${node(last).shape.join(" by ") || "a number"}`);
      element.addEventListener("click", () => inspect(last));
      element.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          inspect(last);
        }
      });
    });
}

function show(k) {
  const step = steps()[k],
    now = gradients(k),
    picture = find("picture");
  picture
    .querySelectorAll(".source, .target, .flow, .reached")
    .forEach((it) => it.classList.remove("source", "target", "flow", "reached"));
  picture.querySelectorAll(".label").forEach((it) => it.remove());
  picture.querySelectorAll(".gradient").forEach((it) => (it.textContent = ""));
  for (const [number, glimpse] of Object.entries(now)) {
    box(number).classList.add("reached");
    box(number).querySelector(".gradient").textContent = walk.word + clipped(shown(glimpse));
  }
  box(step.target).classList.add("target");
  if (step.source !== null) {
    box(step.source).classList.add("source");
    const line = find(`line${walk.lines[`${step.source},${step.position}`]}`);
    if (line) {
      line.classList.add("flow");
      const middle = line.getPointAtLength(line.getTotalLength() / 2);
      line.parentNode.append(label(clipped(shown(step.dx)), middle));
    }
  }
  into(picture, box(step.target));
  const left = way === "walk" && walk.left_out ? `; ${walk.left_out} more are not kept` : "";
  find("position").textContent = `step ${k + 1} of ${steps().length}${left}`;
  find("slider").setAttribute("aria-valuetext", sentences(step, k)[0]);
  find("step").setAttribute("aria-live", control.playing() ? "off" : "polite");
  find("step").replaceChildren(...sentences(step, k).map((text) => make("p", {}, text)), sum(step));
  const source = step.source === null ? "" : (walk.sources[walk.source_of[step.source]] ?? "");
  find("source").hidden = !source;
  find("source").querySelector("code").textContent = source;
  find("verdict").replaceChildren(...(k === steps().length - 1 ? verdict() : []));
  find("log")
    .querySelectorAll("li")
    .forEach((it, number) => {
      it.classList.toggle("now", number === k);
      if (number === k) it.firstChild.setAttribute("aria-current", "step");
      else it.firstChild.removeAttribute("aria-current");
    });
  if (inspected !== null) inspect(inspected);
}

// A text on a line, on a ground of its own.
function label(text, { x, y }) {
  const [width, height] = [7.3 * text.length + 8, 16];
  return make(
    "g",
    { class: "label" },
    make("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: 3 }),
    make("text", { x, y: y + 4 }, text),
  );
}

const clipped = (text) => (text.length > walk.letters ? `${text.slice(0, walk.letters - 1)}…` : text);

// What has arrived at each node after step k.
function gradients(k) {
  const found = {};
  for (const step of steps().slice(0, k + 1)) if (!step.stored) found[step.target] = step.after;
  return found;
}

// Scrolls the picture, and only the picture, so that the box is seen.
function into(picture, element) {
  const frame = picture.getBoundingClientRect(),
    it = element.getBoundingClientRect();
  if (it.top < frame.top) picture.scrollTop += it.top - frame.top - 40;
  if (it.bottom > frame.bottom) picture.scrollTop += it.bottom - frame.bottom + 40;
  if (it.left < frame.left) picture.scrollLeft += it.left - frame.left - 40;
  if (it.right > frame.right) picture.scrollLeft += it.right - frame.right + 40;
}

function verdict() {
  if (!walk.recursion) {
    return [
      make(
        "p",
        {},
        `Plain recursion would have called operations ${walk.calls} times; the walk visited ` +
          `${walk.operations}. ${walk.obstacle}`,
      ),
    ];
  }
  if (way === "walk") return [];
  const leaves = (steps) =>
    Object.fromEntries(
      steps
        .filter((step) => !node(step.target).operation && !step.stored)
        .map((step) => [step.target, step.after.text]),
    );
  const right = leaves(walk.walk),
    wrong = leaves(walk.recursion);
  const rows = Object.keys(right).map((leaf) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, node(leaf).short),
      ...[right, wrong].map((its) => make("td", { class: "number" }, (its[leaf] ?? "nothing").replaceAll("-", "−"))),
    ),
  );
  const isWrong = walk.again && Object.keys(right).some((leaf) => right[leaf] !== wrong[leaf]);
  find("verdict").classList.toggle("wrong", isWrong);
  const head = make("tr", {}, ...["", "backward()", "recursion"].map((text) => make("th", { scope: "col" }, text)));
  return [
    make(
      "p",
      {},
      isWrong
        ? `Wrong. It called operations ${walk.calls} times where the walk visits ` +
            `${walk.operations}, and counted again what had been passed on before.`
        : walk.again
          ? `The same, this time. It called operations ${walk.calls} times where the walk visits ` +
            `${walk.operations}, but what it counted again adds up to nothing.`
          : "Right, this time: every result in this graph is used only once. Try b = a + a; c = b + b.",
    ),
    make("table", {}, head, ...rows),
  ];
}

function inspect(number) {
  inspected = number;
  const it = node(number),
    gradient = gradients(control.place())[number];
  const figure = (caption, glimpse, missing) =>
    make(
      "figure",
      {},
      make("figcaption", {}, caption),
      glimpse
        ? pictureOf(glimpse, glimpse.values === null ? 1 : largest([glimpse.values]))
        : make("span", { class: "soft" }, missing),
    );
  find("inspected").replaceChildren(
    make("h2", {}, it.title),
    make("p", { class: "soft" }, [it.path, it.shape.join(" × ") || "a number", it.dtype].filter(Boolean).join(", ")),
    figure(
      "value",
      it.value,
      it.operation
        ? "not kept: no backward reads it, and it has no name"
        : "not known: it has been written in place since it was used",
    ),
    figure("gradient so far", gradient, "none"),
  );
}

// --- putting it together

function drawLog() {
  find("log").replaceChildren(
    ...steps().map((step, k) => {
      const target = node(step.target).short,
        plus = step.before ? `${shown(step.before)} + ${shown(step.dx)} = ` : "";
      const text = step.stored
        ? `${target}.grad: ${plus}${shown(step.after)}`
        : step.hooked
          ? `${target}, a hook: ${shown(step.dx)} → ${shown(step.after)}`
          : step.source === null
            ? `${target} starts with ${shown(step.after)}`
            : `${node(step.source).short} → ${target}: ${plus}${shown(step.after)}`;
      const button = make("button", {}, text);
      button.addEventListener("click", () => control.go(k));
      return make("li", {}, button);
    }),
  );
  if (walk.left_out && way === "walk")
    find("log").append(make("li", {}, make("span", {}, `… ${walk.left_out} steps more`)));
}

function drawWay() {
  find("lead").textContent = LEADS[way];
  drawLog();
  control.go(0);
}

function drawWalk() {
  inspected = null;
  find("inspected").replaceChildren();
  const ways = Object.keys(WAYS).filter((name) => walk[name]);
  if (!ways.includes(way)) way = "walk";
  find("choices").replaceChildren(
    ...ways.map((name) => {
      const choice = make("input", { type: "radio", name: "way", value: name, checked: name === way && "" });
      choice.addEventListener("change", () => {
        way = name;
        drawWay();
      });
      return make("label", {}, choice, make("span", {}, WAYS[name]));
    }),
  );
  drawPicture();
  drawWay();
}

if (data.walks.length > 1) {
  const choice = make("select", {}, ...data.walks.map((_, k) => make("option", { value: k }, String(k + 1))));
  choice.addEventListener("change", () => {
    walk = data.walks[choice.value];
    drawWalk();
  });
  find("walk-choice").append(
    make("label", {}, "Call of backward(): ", choice),
    make("span", { class: "soft" }, data.more ? `and ${data.more} more, which are not shown` : ""),
  );
}
const control = player(() => steps().length, show);
drawWalk();
// A frame gets its size late.
new ResizeObserver(() => into(find("picture"), box(steps()[control.place()].target))).observe(find("picture"));
