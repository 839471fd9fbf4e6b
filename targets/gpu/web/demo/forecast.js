// Draws the last week of a window, the forecast, and what came where it is known.

const SHOWN = 168; // hours of the past

export async function forecastDemo(section, model, folder) {
  const { what, channels, windows } = await (await fetch(new URL("windows.json", folder))).json();
  const chosen = section.querySelector("[name=window]");
  const channel = section.querySelector("[name=channel]");
  section.querySelector(".what").textContent = what;
  windows.forEach(({ name }, place) => chosen.append(new Option(name, place)));
  channels.forEach((name, place) => channel.append(new Option(name, place)));
  channel.value = channels.length - 1;
  let forecast = null;

  const column = (values) => {
    const place = Number(channel.value);
    return Array.from({ length: values.length / channels.length }, (_, t) => values[t * channels.length + place]);
  };
  const draw = () => {
    const { x, y } = windows[chosen.value];
    plot(section.querySelector(".plot"), column(x).slice(-SHOWN), column(forecast), y && column(y));
  };
  const run = async () => {
    forecast = (await model.run({ x: Float32Array.from(windows[chosen.value].x) })).y;
    section.dataset.values = Array.from(forecast.slice(0, 7)).join(" ");
    draw();
  };
  chosen.addEventListener("change", run);
  channel.addEventListener("change", draw);
  await run();
}

function plot(canvas, past, forecast, came) {
  const context = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const { width, height } = canvas;
  const all = [...past, ...forecast, ...(came ?? [])];
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const x = (t) => (width * t) / (past.length + forecast.length - 1);
  const y = (value) => height - 12 - ((height - 24) * (value - least)) / (most - least || 1);
  const line = (values, first, colour, dash) => {
    context.beginPath();
    context.setLineDash(dash);
    context.strokeStyle = colour;
    values.forEach((value, t) => context.lineTo(x(first + t), y(value)));
    context.stroke();
  };
  context.clearRect(0, 0, width, height);
  context.lineWidth = 2;
  line(past, 0, "#888", []);
  if (came) line(came, past.length, "#888", [4, 4]);
  line(forecast, past.length, style.getPropertyValue("--accent"), []);
  context.font = "14px system-ui, sans-serif";
  context.fillStyle = "#888";
  context.fillText(came ? "past; dashed: what came" : "past", 8, 18);
  context.fillStyle = style.getPropertyValue("--accent");
  context.fillText("forecast", x(past.length) + 8, 18);
}
