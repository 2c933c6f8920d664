// Charts: exposure over time (served and viewable as nested bars, boosted as a line), and what
// other pages draw with the same parts. Only the parts of ECharts that this needs. The tooltip is
// drawn on the canvas (richText), so a strict CSP holds. Legends are HTML; style.css colors both.
import { BarChart, LineChart } from 'echarts/charts';
import { GridComponent, TooltipComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import { type Json, type Range, numberOf } from './api.js';
import { type Lang, bucket, count } from './format.js';
import type { Words } from './words.js';

use([BarChart, LineChart, GridComponent, TooltipComponent, CanvasRenderer]);

export interface Point {
  ts_ms: number;
  served: number;
  viewable: number;
  boosted_viewable: number;
}

const kStepMs = { hour: 3_600_000, day: 86_400_000 };
const kPointsMax = 1_000; // 40 days of hours; more would not be readable at any width

// Colors are style.css's, light or dark.
export function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// The answer's points and a zero for each bucket of [from, to) that the answer leaves out, so that
// a quiet night looks like one. The grid takes its phase from the first point: where a day begins
// is the engine's matter.
export function filled(series: Json[], { from, to, step }: Range): Point[] {
  const points = new Map<number, Point>();
  for (const one of series) {
    const ts_ms = numberOf(one.ts_ms);
    if (!Number.isFinite(ts_ms)) continue;
    points.set(ts_ms, {
      ts_ms,
      served: numberOf(one.served),
      viewable: numberOf(one.viewable),
      boosted_viewable: numberOf(one.boosted_viewable),
    });
  }
  if (points.size === 0) return [];
  const width = kStepMs[step];
  const first = Math.min(...points.keys());
  const start = first - Math.max(0, Math.floor((first - from) / width)) * width;
  for (let t = start; t < to && points.size < kPointsMax; t += width) {
    if (!points.has(t)) points.set(t, { ts_ms: t, served: 0, viewable: 0, boosted_viewable: 0 });
  }
  return [...points.values()].sort((a, b) => a.ts_ms - b.ts_ms).slice(-kPointsMax);
}

type Column = 'served' | 'viewable' | 'boosted_viewable';

function seriesOf(points: Point[], words: Words) {
  const data = (name: Column) => points.map((p) => (Number.isFinite(p[name]) ? p[name] : 0));
  return [
    {
      id: 'served',
      name: words.served,
      type: 'bar',
      data: data('served'),
      barGap: '-100%',
      barMaxWidth: 24,
    },
    { id: 'viewable', name: words.viewable, type: 'bar', data: data('viewable'), barMaxWidth: 24 },
    {
      id: 'boosted_viewable',
      name: words.boosted_viewable,
      type: 'line',
      data: data('boosted_viewable'),
      symbol: 'circle',
      symbolSize: 5,
      lineStyle: { width: 2 },
    },
  ].map((one) => ({
    ...one,
    itemStyle: { color: color(`chart-${one.id}`) },
    emphasis: { disabled: true },
  }));
}

// What all charts over labels look like; `format` says the numbers.
export function optionOf(labels: string[], series: object[], format: (value: unknown) => string) {
  const text = { color: color('soft'), fontSize: 12 };
  return {
    animation: false,
    grid: {
      left: 4,
      right: 8,
      top: 12,
      bottom: 4,
      outerBoundsMode: 'same',
      outerBoundsContain: 'axisLabel',
    },
    tooltip: {
      trigger: 'axis',
      renderMode: 'richText',
      confine: true,
      textStyle: { fontSize: 12, color: color('ink') },
      backgroundColor: color('card'),
      borderColor: color('edge'),
      valueFormatter: format,
    },
    xAxis: {
      type: 'category',
      data: labels,
      axisTick: { show: false },
      axisLabel: { ...text, hideOverlap: true },
      axisLine: { lineStyle: { color: color('edge') } },
    },
    yAxis: {
      type: 'value',
      splitNumber: 4,
      axisLabel: { ...text, formatter: format },
      splitLine: { lineStyle: { color: color('line') } },
    },
    series,
  };
}

// A chart in `element`, drawn by draw(); follows the element's size.
export class Chart {
  private readonly element_: HTMLElement;
  private chart_: ReturnType<typeof init> | null = null;

  constructor(element: HTMLElement) {
    this.element_ = element;
    new ResizeObserver(() => this.chart_?.resize()).observe(element);
  }

  // Requires: the element is visible. option: of optionOf().
  draw(option: Record<string, unknown>): void {
    this.chart_ ??= init(this.element_, undefined, { renderer: 'canvas' });
    this.chart_.setOption(option);
  }
}

// points: of filled().
export function exposureOption(points: Point[], step: string, lang: Lang, words: Words) {
  const labels = points.map((p) => bucket(p.ts_ms, step, lang, false));
  const option = optionOf(labels, seriesOf(points, words), count);
  return { ...option, yAxis: { ...option.yAxis, minInterval: 1 } };
}
