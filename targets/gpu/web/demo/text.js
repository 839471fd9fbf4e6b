// Types text, and shows tokens per second and which experts are in use.

const LINES = 400; // characters before it stops by itself

export async function textDemo(section, model) {
  const form = section.querySelector("form");
  const output = section.querySelector(".output");
  const rate = section.querySelector(".rate");
  const stop = form.elements.stop;
  const bars = expertBars(section.querySelector(".experts"), model);
  let run = 0; // of the present text; a later one ends those before

  async function type(most) {
    const mine = ++run;
    stop.disabled = false;
    output.textContent = form.elements.prompt.value;
    model.resetExpertUse();
    const options = {
      maxTokens: most,
      temperature: Number(form.elements.temperature.value),
      seed: Date.now(),
      experts: true,
    };
    let count = 0;
    let begin = performance.now();
    try {
      for await (const piece of model.generate(form.elements.prompt.value, options)) {
        if (mine !== run) return;
        output.textContent += piece;
        if (++count === 1) begin = performance.now(); // the prompt is read by then
        const seconds = (performance.now() - begin) / 1000;
        const speed = count > 1 ? ((count - 1) / seconds).toFixed(1) : "...";
        rate.textContent = `${count} tokens, ${speed} tokens per second`;
        section.dataset.tokens = count;
        section.dataset.rate = speed;
        bars(model.expertUse());
      }
    } catch (error) {
      rate.textContent = error.message;
    } finally {
      if (mine === run) stop.disabled = true;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    type(LINES);
  });
  stop.addEventListener("click", () => {
    run++;
    stop.disabled = true;
  });
  await type(1);
}

/** One row of bars per MoE layer; returns what draws them anew. */
function expertBars(parent, model) {
  const layers = model.expertUse().map((layer) => {
    const element = document.createElement("div");
    element.className = "layer";
    const title = document.createElement("span");
    const bars = document.createElement("div");
    bars.className = "bars";
    for (let i = 0; i < layer.experts; i++) bars.append(document.createElement("i"));
    element.append(title, bars);
    parent.append(element);
    return { title, bars };
  });
  return (use) => {
    use.forEach(({ name, origin, counts, tokens, experts }, place) => {
      const { title, bars } = layers[place];
      const used = counts.filter((count) => count > 0).length;
      title.textContent = `${origin || name}: ${used} of ${experts} experts used`;
      counts.forEach((count, expert) => {
        bars.children[expert].style.height = `${(100 * count) / Math.max(1, tokens)}%`;
        bars.children[expert].title = `expert ${expert}: ${count} of ${tokens} tokens`;
      });
    });
  };
}
