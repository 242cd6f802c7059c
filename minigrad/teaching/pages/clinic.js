// The gradient that was found, the right one, and their difference, cell beside cell.

function drawVerdict() {
  const verdict = find("verdict");
  verdict.classList.toggle("ill", data.pattern !== null);
  verdict.replaceChildren(
    ...(data.pattern === null
      ? ["All gradients are right: finite differences agree."]
      : [make("b", {}, `${data.pattern}: `), data.text]),
  );
  find("operations").replaceChildren(
    "Operations, each checked by itself: ",
    ...data.operations.flatMap((name, k) => [
      k ? " → " : "",
      make("span", { class: data.wrong.includes(name) && "wrong" }, name),
      data.large.includes(name) ? " (too large to be looked into)" : "",
    ]),
    data.operations.length ? "" : "none was recorded",
  );
  find("source").hidden = !data.source || data.pattern === null;
  find("source").querySelector("code").textContent = data.source;
  find("patterns").replaceChildren(
    ...Object.entries(data.patterns).flatMap(([name, meaning]) => [
      make("dt", { class: name === data.pattern && "this" }, name),
      make("dd", { class: name === data.pattern && "this" }, meaning),
    ]),
  );
}

// What is too much; the rounding of finite differences is nothing.
const minus = (one, other) =>
  Array.isArray(one)
    ? one.map((part, k) => minus(part, other[k]))
    : Math.abs(one - other) > 1e-7 * (1 + Math.abs(other))
      ? one - other
      : 0;
const listed = (values) => (Array.isArray(values) ? values : [values]);

function drawMatrices() {
  find("chart").hidden = data.pattern === null || data.shape === null;
  if (find("chart").hidden) return;
  find("where").textContent =
    (data.operation ? `${data.operation}.backward, input ${data.position}` : `inputs[${data.position}]`) +
    `, shape ${data.shape.join(" × ") || "a number"}. ${data.complaint}`;
  if (data.expected === null) {
    find("matrices").textContent = "It has too many elements to be shown.";
    return;
  }
  const difference = minus(data.found, data.expected),
    deepest = largest([data.found, data.expected]);
  const captions = {
    "backward gives": data.found,
    "finite differences give": data.expected,
    "backward − right": difference,
  };
  const figures = Object.entries(captions).map(([caption, values]) =>
    make("figure", {}, make("figcaption", {}, caption), matrixOf(listed(values), deepest)),
  );
  find("matrices").replaceChildren(...figures);
  const cells = figures.map((figure) => [...figure.querySelectorAll("td")]);
  const numbers = Object.values(captions).map((values) => listed(values).flat(Infinity));
  const show = (k) => {
    cells.flat().forEach((cell) => cell.classList.remove("same"));
    cells.forEach((its) => its[k].classList.add("same"));
    const [found, expected] = numbers.map((its) => its[k]);
    const ratio = expected === 0 ? "" : `; ${number(found / expected)} times as much`;
    find("numbers").textContent =
      `[${place(k)}]: backward gives ${number(found, 6)}, right is ${number(expected, 6)}${ratio}`;
    cells[0].forEach((cell, other) => (cell.tabIndex = other === k ? 0 : -1));
  };
  const width = data.shape[data.shape.length - 1] ?? 1;
  const ways = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -width, ArrowDown: width };
  cells.forEach((its) => its.forEach((cell, k) => cell.addEventListener("pointerenter", () => show(k))));
  cells[0].forEach((cell, k) =>
    cell.addEventListener("keydown", (event) => {
      const to = k + ways[event.key];
      if (!cells[0][to]) return;
      event.preventDefault();
      show(to);
      cells[0][to].focus();
    }),
  );
  show(
    Math.max(
      0,
      numbers[2].findIndex((value) => Math.abs(value) > 1e-4 * deepest),
    ),
  );
}

// The index of element k.
function place(k) {
  const index = [];
  for (const size of [...data.shape].reverse()) {
    index.unshift(k % size);
    k = Math.floor(k / size);
  }
  return index.join(", ");
}

drawVerdict();
drawMatrices();
