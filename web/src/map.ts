// The 832 counties on outlines of the provinces, as SVG: a circle's area is a county's number, a
// ring those that have goods but no number, a dot the rest. A tap picks the nearest circle; who
// reads instead of tapping has the table beside the map, with the same counties.
import { counties, height, provinces, width } from 'map-data';
import { svg } from './dom.js';

const kRadiusMax = 15; // of the largest circle [px]
const kDot = 1.3;
const kRing = 2.2;
const kTapPx = 24; // farther from every circle is no pick
const kMargin = 0.06; // around a province

export interface MapView {
  province: string; // '' is the whole country
  picked: string; // code of a county, or ''
  values: Map<string, number>; // by code; counties with goods alone
  label: string;
}

const kNames = new Map(counties.map(([code, name]) => [code, name]));
const kProvinceNames = new Map(provinces.map(([id, name]) => [id, name]));

// Provinces with one of the 832, in the order of their codes: [id, Chinese name].
export const provincesWithCounties: [string, string][] = provinces
  .filter(([id]) => counties.some(([code]) => code.startsWith(id)))
  .map(([id, name]) => [id, name]);

// "湖南 花垣县", or the code when it is none of the 832.
export function countyName(code: string): string {
  const name = kNames.get(code);
  return name === undefined ? code : `${kProvinceNames.get(code.slice(0, 2)) ?? ''} ${name}`.trim();
}

export const isCounty832 = (code: string): boolean => kNames.has(code);

function boxOf(province: string): [number, number, number, number] {
  const found = provinces.find(([id]) => id === province);
  if (found === undefined) return [0, 0, width, height];
  const [x, y, w, h] = found[3];
  // The shape of the whole map, so that nothing moves when a province is chosen.
  const scale = Math.max(w / width, h / height) * (1 + 2 * kMargin);
  const [boxW, boxH] = [width * scale, height * scale];
  return [x + w / 2 - boxW / 2, y + h / 2 - boxH / 2, boxW, boxH];
}

export class CountyMap {
  private readonly element_: HTMLElement;
  private view_: MapView | null = null;

  // picked(code): a county was tapped.
  constructor(element: HTMLElement, picked: (code: string) => void) {
    this.element_ = element;
    element.addEventListener('click', (event) => {
      const code = this.nearest(event.clientX, event.clientY);
      if (code !== null) picked(code);
    });
    new ResizeObserver(() => this.view_ && this.draw(this.view_)).observe(element);
  }

  draw(view: MapView): void {
    this.view_ = view;
    const box = boxOf(view.province);
    const unit = this.unitOf(box);
    const most = Math.max(1, ...view.values.values());
    const shown = counties.filter(([code]) => code.startsWith(view.province));
    const circles = shown.map(([code, , x, y]) => {
      const value = view.values.get(code);
      const kind = value === undefined ? 'is-none' : value > 0 ? 'is-some' : 'is-zero';
      const px = value === undefined ? kDot : value > 0 ? radiusOf(value, most) : kRing;
      const picked = code === view.picked ? ' is-picked' : '';
      return {
        px,
        picked: picked !== '',
        node: svg('circle', { class: kind + picked, cx: x, cy: y, r: (px * unit).toFixed(1) }),
      };
    });
    // Small ones over large ones, and the picked one over all.
    circles.sort((a, b) => Number(a.picked) - Number(b.picked) || b.px - a.px);
    this.element_.replaceChildren(
      svg(
        'svg',
        {
          viewBox: box.map((one) => one.toFixed(1)).join(' '),
          role: 'img',
          'aria-label': view.label,
        },
        svg('g', { class: 'land' }, ...provinces.map(([, , path]) => svg('path', { d: path }))),
        svg('g', { class: 'counties' }, ...circles.map(({ node }) => node)),
      ),
    );
  }

  // Map units in a pixel.
  private unitOf([, , boxW]: [number, number, number, number]): number {
    return boxW / Math.max(1, this.element_.clientWidth);
  }

  private nearest(clientX: number, clientY: number): string | null {
    if (this.view_ === null) return null;
    const { province, values } = this.view_;
    const box = boxOf(province);
    const unit = this.unitOf(box);
    const at = this.element_.getBoundingClientRect();
    const x = box[0] + (clientX - at.left) * unit;
    const y = box[1] + (clientY - at.top) * unit;
    let best: string | null = null;
    let least = kTapPx * unit;
    for (const [code, , cx, cy] of counties) {
      if (!code.startsWith(province)) continue;
      // Of neighbours under one finger the one with goods is meant.
      const away = Math.hypot(cx - x, cy - y) + (values.has(code) ? 0 : 6 * unit);
      if (away < least) [best, least] = [code, away];
    }
    return best;
  }
}

function radiusOf(value: number, most: number): number {
  return 2.2 + (kRadiusMax - 2.2) * Math.sqrt(value / most);
}
