// Bundles src/ into dist/: PAGE.html (served as /PAGE), and static/ (served as /static/) with the
// scripts and styles, whose names change with their bytes. Each also compressed, as .br and .gz.
// Same sources and lock file, same bytes.
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { mapPlugin } from './map_data.mjs';

const kPages = ['creator', 'operate', 'impact', 'sign-in'];
const kFirstLoadBytesMax = 400_000; // of a page with all that it loads, as brotli sends it

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

// Writes dist/NAME and its compressed twins; -> the bytes of the smallest.
async function write(name, bytes) {
  const br = brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY },
  });
  await writeFile(at(`dist/${name}`), bytes);
  await writeFile(at(`dist/${name}.br`), br);
  await writeFile(at(`dist/${name}.gz`), gzipSync(bytes, { level: 9 }));
  return br.length;
}

await rm(at('dist'), { recursive: true, force: true });
await mkdir(at('dist/static'), { recursive: true });
const built = await build({
  absWorkingDir: at('.'),
  entryPoints: [...kPages.map((page) => `src/${page}.ts`), 'src/style.css', 'src/operate.css'],
  outdir: 'dist/static',
  entryNames: '[name]-[hash]',
  bundle: true,
  minify: true,
  metafile: true,
  write: false,
  format: 'esm',
  target: ['es2020', 'chrome86', 'safari14.1'],
  charset: 'utf8',
  legalComments: 'eof',
  plugins: [mapPlugin],
  define: { 'process.env.NODE_ENV': '"production"' },
});

const sizes = {}; // compressed, by the name that a page asks for
const names = {}; // "creator.js" -> "creator-1A2B3C4D.js"
for (const { path, contents } of built.outputFiles) {
  const name = basename(path);
  sizes[name] = await write(`static/${name}`, contents);
  const { entryPoint } = built.metafile.outputs[relative(at('.'), path)];
  names[basename(entryPoint).replace(/\.ts$/, '.js')] = name;
}

for (const page of kPages) {
  let bytes = 0;
  const html = (await readFile(at(`src/${page}.html`), 'utf8')).replace(
    /\/static\/([\w.-]+)/g,
    (_, name) => {
      bytes += sizes[names[name]];
      return `/static/${names[name]}`;
    },
  );
  bytes += await write(`${page}.html`, Buffer.from(html));
  const plain = (await stat(at(`dist/static/${names[`${page}.js`]}`))).size;
  console.log(`/${page}: ${bytes} bytes compressed, its script ${plain} plain`);
  if (!(bytes <= kFirstLoadBytesMax)) {
    console.error(`build: /${page} loads ${bytes} bytes, at most ${kFirstLoadBytesMax}`);
    process.exit(1);
  }
}
