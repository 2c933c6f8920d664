// The map of /impact, made at build time: outlines of the provinces, simplified and projected, and
// the 832 counties of features/counties_832.inc as points of the same projection.
//
// Outlines: map/json/china.json (packed GeoJSON) of ECharts 4.9.0, Apache-2.0. It shows boundaries
// as they were when that package was made and is no approved base map; docs/impact.md says what a
// public page needs.
//
//   coordinates  whole numbers in a box kWidth wide, x to the right and y downwards; Albers' equal-
//                area conic with the parallels 25 and 47 N and the meridian 105 E, as atlases of
//                China use it
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export const kWidth = 4000;
const kTolerance = 3; // how far a simplified line may be off
const kAreaMin = 8; // smaller islands are left out
const kCountyRow = /^\{"(\d{6})", "([^"]+)", "[^"]+", \d{4}, ([\d.]+), ([\d.]+)\},$/gm;

const read = (path) => readFile(fileURLToPath(new URL(path, import.meta.url)), 'utf8');

// ECharts' packing of a ring: zigzag differences in 1/1024 of a degree, a character each.
function unpacked(text, [lon, lat]) {
  const ring = [];
  let [x, y] = [lon, lat];
  const difference = (at) => {
    const value = text.charCodeAt(at) - 64;
    return (value >> 1) ^ -(value & 1);
  };
  for (let at = 0; at < text.length; at += 2) {
    x += difference(at);
    y += difference(at + 1);
    ring.push([x / 1024, y / 1024]);
  }
  return ring;
}

function ringsOf({ type, coordinates, encodeOffsets }) {
  const polygons = type === 'Polygon' ? [coordinates] : coordinates;
  const offsets = type === 'Polygon' ? [encodeOffsets] : encodeOffsets;
  return polygons.flatMap((rings, i) => rings.map((ring, j) => unpacked(ring, offsets[i][j])));
}

const radians = (degrees) => (degrees * Math.PI) / 180;
const kN = (Math.sin(radians(25)) + Math.sin(radians(47))) / 2;
const kC = Math.cos(radians(25)) ** 2 + 2 * kN * Math.sin(radians(25));

function albers([lon, lat]) {
  const rho = Math.sqrt(kC - 2 * kN * Math.sin(radians(lat))) / kN;
  const theta = kN * radians(lon - 105);
  return [rho * Math.sin(theta), rho * Math.cos(theta)];
}

// Douglas and Peucker 1973: the farthest point from the chord stays, while it is far enough.
function simplified(line) {
  if (line.length < 3) return line;
  const [ax, ay] = line[0];
  const [bx, by] = line.at(-1);
  const length = Math.hypot(bx - ax, by - ay);
  let far = 0;
  let at = 0;
  for (let i = 1; i < line.length - 1; ++i) {
    const [x, y] = line[i];
    const away =
      length === 0
        ? Math.hypot(x - ax, y - ay)
        : Math.abs((bx - ax) * (ay - y) - (ax - x) * (by - ay)) / length;
    if (away > far) [far, at] = [away, i];
  }
  if (far <= kTolerance) return [line[0], line.at(-1)];
  return [...simplified(line.slice(0, at + 1)).slice(0, -1), ...simplified(line.slice(at))];
}

function area(ring) {
  let sum = 0;
  ring.forEach(([x, y], i) => {
    const [nx, ny] = ring[(i + 1) % ring.length];
    sum += x * ny - nx * y;
  });
  return Math.abs(sum) / 2;
}

function pathOf(rings) {
  let path = '';
  for (const ring of rings) {
    let [px, py] = ring[0];
    path += `M${px} ${py}l`;
    path += ring
      .slice(1)
      .map(([x, y]) => {
        const step = `${x - px} ${y - py}`;
        [px, py] = [x, y];
        return step;
      })
      .join(' ');
    path += 'z';
  }
  return path;
}

async function countyRows() {
  const text = await read('../features/counties_832.inc');
  return [...text.matchAll(kCountyRow)].map(([, code, name, lat, lon]) => ({
    code,
    name,
    at: [Number(lon), Number(lat)],
  }));
}

// { width, height, provinces: [[id, name, path, [x, y, w, h]]], counties: [[code, name, x, y]] };
// a province's id is the first two digits of its counties' codes.
export async function mapData() {
  const china = JSON.parse(await read('node_modules/echarts-map/map/json/china.json'));
  const shapes = china.features
    .filter(({ id }) => /^\d{6}$/.test(id))
    .map(({ id, properties, geometry }) => ({
      id: id.slice(0, 2),
      name: properties.name,
      rings: ringsOf(geometry).map((ring) => ring.map(albers)),
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const all = shapes.flatMap(({ rings }) => rings.flat());
  const [xs, ys] = [all.map(([x]) => x), all.map(([, y]) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  const scale = kWidth / (Math.max(...xs) - left);
  const place = ([x, y]) => [Math.round((x - left) * scale), Math.round((y - top) * scale)];
  const provinces = shapes.map(({ id, name, rings }) => {
    const drawn = rings
      .map((ring) => simplified(ring.map(place)))
      .filter((ring) => ring.length > 3 && area(ring) >= kAreaMin);
    const xs = drawn.flat().map(([x]) => x);
    const ys = drawn.flat().map(([, y]) => y);
    const [x, y] = [Math.min(...xs), Math.min(...ys)];
    return [id, name, pathOf(drawn), [x, y, Math.max(...xs) - x, Math.max(...ys) - y]];
  });
  const counties = (await countyRows()).map(({ code, name, at }) => [
    code,
    name,
    ...place(albers(at)),
  ]);
  return { width: kWidth, height: place([0, Math.max(...ys)])[1], provinces, counties };
}

// esbuild: import ... from 'map-data'.
export const mapPlugin = {
  name: 'map-data',
  setup(build) {
    build.onResolve({ filter: /^map-data$/ }, ({ path }) => ({ path, namespace: 'map-data' }));
    build.onLoad({ filter: /.*/, namespace: 'map-data' }, async () => {
      const data = await mapData();
      const lines = Object.entries(data).map(
        ([name, value]) =>
          `export const ${name} = JSON.parse(${JSON.stringify(JSON.stringify(value))});`,
      );
      return { contents: lines.join('\n'), loader: 'js' };
    });
  },
};
