import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { exactTime } from "@/lib/format";
import { currentLanguage, formatNumber, t } from "@/lib/i18n";

interface Point {
  at: number;
  value: number | null;
}

interface ChartMark {
  at: number;
  label: string;
  failed: boolean;
}

interface ChartProps {
  title: string;
  unit: string;
  points: Point[];
  marks: ChartMark[];
}

const HEIGHT = 176;

/** A line over time. Dragging zooms, a double click shows everything again; marks stand on the time axis. */
export function Chart({ title, unit, points, marks }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const drawn = useRef<ChartMark[]>(marks);
  const [hovered, setHovered] = useState<number | null>(null);
  drawn.current = marks;
  const data: uPlot.AlignedData = [points.map((point) => point.at), points.map((point) => point.value)];
  const shownData = useRef(data);
  shownData.current = data;

  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsFor(element, drawn, setHovered), shownData.current, element);
    };
    make();
    const watcher = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    watcher.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    window.addEventListener("kernex:theme", make);
    scheme.addEventListener("change", make);
    return () => {
      watcher.disconnect();
      window.removeEventListener("kernex:theme", make);
      scheme.removeEventListener("change", make);
      plot.current?.destroy();
      plot.current = null;
    };
  }, []);

  useEffect(() => {
    plot.current?.setData([points.map((point) => point.at), points.map((point) => point.value)]);
  }, [points]);

  const shown = hovered === null ? points.at(-1) : points[hovered];
  const values = points.flatMap((point) => (point.value === null ? [] : [point.value]));
  const format = (value: number) => `${formatNumber(value, { maximumFractionDigits: 2 })} ${unit}`.trim();
  return (
    <figure className="grid min-w-0 gap-1">
      <figcaption className="tabular flex min-h-5 justify-between gap-3 text-[0.8125rem]">
        <span className="font-medium">{shown?.value == null ? "–" : format(shown.value)}</span>
        <span className="text-muted">{shown && exactTime(new Date(shown.at * 1000).toISOString())}</span>
      </figcaption>
      <div
        ref={box}
        role="img"
        aria-label={t("chart.summary", {
          title,
          count: values.length,
          min: format(values.length === 0 ? 0 : Math.min(...values)),
          max: format(values.length === 0 ? 0 : Math.max(...values)),
        })}
        className="min-w-0 overflow-hidden"
      />
    </figure>
  );
}

type MarksRef = { readonly current: ChartMark[] };

function optionsFor(element: HTMLElement, marks: MarksRef, onHover: (index: number | null) => void): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string) => resolveColor(element, style.getPropertyValue(name));
  const [line, muted, grid] = [color("--accent"), color("--muted"), color("--line")];
  const font = "11px Inter Variable, sans-serif";
  const axis: uPlot.Axis = { stroke: muted, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    scales: { y: { range: (_, low, high) => rangeOf(low, high) } },
    axes: [
      { ...axis, size: 26, values: (_, splits, __, ___, step) => splits.map((at) => timeLabel(at, step)) },
      { ...axis, size: 48, values: (_, splits) => splits.map((value) => formatNumber(value, { notation: "compact" })) },
    ],
    series: [
      {},
      { stroke: line, width: 1.75, fill: `color-mix(in srgb, ${line} 10%, transparent)`, points: { show: false } },
    ],
    hooks: {
      setCursor: [(chart) => onHover(chart.cursor.idx ?? null)],
      draw: [
        (chart) =>
          drawMarks(chart, marks.current, { ok: color("--ok-fill"), failed: color("--bad-fill"), text: muted }),
      ],
    },
  };
}

/** A canvas knows no `light-dark()`; an element does. */
function resolveColor(element: HTMLElement, value: string): string {
  const probe = document.createElement("span");
  probe.style.color = value;
  element.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}

function rangeOf(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  const top = high === low ? high + Math.max(Math.abs(high) * 0.1, 1) : high + (high - low) * 0.1;
  const bottom = low >= 0 && low < (high - low) * 3 + 1 ? 0 : low - (high - low) * 0.1;
  return [bottom, top];
}

const MINUTE = 60;
const DAY = 86_400;

function timeLabel(at: number, step: number): string {
  const parts: Intl.DateTimeFormatOptions =
    step >= DAY
      ? { month: "short", day: "numeric" }
      : { hour: "2-digit", minute: "2-digit", hour12: false, ...(step < MINUTE ? { second: "2-digit" } : {}) };
  return new Intl.DateTimeFormat(currentLanguage(), parts).format(new Date(at * 1000));
}

function drawMarks(chart: uPlot, marks: ChartMark[], colors: { ok: string; failed: string; text: string }): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.font = `${11 * devicePixelRatio}px Inter Variable, sans-serif`;
  let free = 0;
  for (const mark of marks.toSorted((a, b) => a.at - b.at)) {
    const x = chart.valToPos(mark.at, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = mark.failed ? colors.failed : colors.ok;
    ctx.lineWidth = devicePixelRatio * 1.5;
    ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillStyle = colors.text;
    const width = ctx.measureText(mark.label).width;
    const fits = x + width + 8 < bbox.left + bbox.width;
    // Names that would cover one another are left out; the line stays, and the history has them all.
    if (x < free) continue;
    free = x + width + 12 * devicePixelRatio;
    ctx.textAlign = fits ? "left" : "right";
    ctx.fillText(mark.label, x + (fits ? 4 : -4) * devicePixelRatio, bbox.top + 10 * devicePixelRatio);
  }
  ctx.restore();
}
