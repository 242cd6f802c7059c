// Bars on a logarithmic scale for every shape, and four sources in which lines that do the same are marked together.

const minus = (text) => text.replace("-", "−");
const percent = (share) => (share === null ? "" : `${number(100 * share, 2)}%`);

function drawShape(name, { x, w, flops }) {
  const rows = data.rows.filter((row) => row.shape === name),
    speeds = rows.map((row) => row.gflops).filter((it) => it > 0);
  const [low, high] = [Math.min(...speeds) / 2, Math.max(...speeds)];
  const width = (speed) => (100 * Math.log(speed / low)) / Math.log(high / low);
  const head = make(
    "tr",
    {},
    ...["", "GFLOP/s, on a logarithmic scale", "ms", "GFLOP/s", "of the peak", "differ\u00adence"].map((text, k) =>
      make("th", { scope: "col", class: k === 1 && "bar-cell", style: k === 1 && "text-align: left" }, text),
    ),
  );
  const body = rows.map((row) => {
    const title = make("th", { scope: "row" }, row.rung);
    if (row.seconds === null) return make("tr", {}, title, make("td", { class: "reason", colspan: 5 }, row.reason));
    const bar = make(
      "td",
      { class: "bar-cell", "aria-hidden": "true" },
      make("span", { class: "fill", style: `width: ${width(row.gflops)}%` }),
    );
    return make(
      "tr",
      { class: row.rung.startsWith("minigrad") && "taken" },
      title,
      bar,
      ...[
        number(1000 * row.seconds, 3),
        number(row.gflops, 3),
        percent(row.share),
        minus(row.difference.toExponential(1)),
      ].map((text) => make("td", {}, text)),
    );
  });
  return make(
    "section",
    { class: "card" },
    make("h2", {}, name),
    make(
      "p",
      { class: "soft" },
      `x ${x.join(" × ")}, w ${w.join(" × ")}: ${number(flops / 1e6, 3)} million operations`,
    ),
    make("div", { class: "frame" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...body))),
  );
}

function mark(concepts) {
  document.querySelectorAll("#sources .line").forEach((line) =>
    line.classList.toggle(
      "same",
      concepts.some((concept) => line.dataset.concepts.split(" ").includes(concept)),
    ),
  );
}

function drawSources() {
  find("sources").append(
    ...data.sources.map((source) => {
      const lines = source.lines.map(({ text, concepts }) => {
        const line = make(
          "div",
          { class: `line formula${concepts.length ? " marked" : ""}`, "data-concepts": concepts.join(" ") },
          text || " ",
        );
        if (concepts.length) {
          line.title = concepts.map((concept) => data.concepts[concept]).join("; ");
          line.addEventListener("pointerenter", () => mark(concepts));
        }
        return line;
      });
      return make(
        "section",
        { class: "card" },
        make("h3", {}, source.name),
        make("span", { class: "soft" }, source.file),
        make("div", { class: "code", tabindex: 0, role: "region", "aria-label": `source: ${source.name}` }, ...lines),
      );
    }),
  );
}

find("machine").textContent =
  data.peak === null
    ? "The compiled kernels are missing, so the machine's peak is not known."
    : `The peak of this machine, with ${data.threads} threads, is ${number(data.peak, 3)} GFLOP/s: in registers. ` +
      "Everything was timed in one process, one after the other; for claims about speed see the benchmarks.";
find("shapes").append(...Object.entries(data.shapes).map(([name, sizes]) => drawShape(name, sizes)));
drawSources();
for (const [concept, meaning] of Object.entries(data.concepts)) {
  const choice = make("input", { type: "radio", name: "concept", value: concept, checked: concept === "add" && "" });
  choice.addEventListener("change", () => mark([concept]));
  find("concepts").append(make("label", {}, choice, make("span", {}, meaning)));
}
mark(["add"]);
