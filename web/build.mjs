// Bundles src/ into dist/: creator.html (served as /creator), creator.js and style.css (/static/).
// Same sources and lock file, same bytes.
import { copyFile, mkdir, rm, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const kBundleBytesMax = 600 * 1024; // two to three seconds on a slow 4G line

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

await rm(at('dist'), { recursive: true, force: true });
await mkdir(at('dist'), { recursive: true });
await build({
  absWorkingDir: at('.'),
  entryPoints: ['src/creator.js', 'src/style.css'],
  outdir: 'dist',
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['es2020', 'chrome86', 'safari14.1'],
  charset: 'utf8',
  legalComments: 'eof',
  define: { 'process.env.NODE_ENV': '"production"' },
});
await copyFile(at('src/creator.html'), at('dist/creator.html'));

for (const name of ['creator.html', 'creator.js', 'style.css']) {
  console.log(`dist/${name}  ${(await stat(at(`dist/${name}`))).size} bytes`);
}
const bundle = (await stat(at('dist/creator.js'))).size;
if (bundle > kBundleBytesMax) {
  console.error(`build: dist/creator.js is ${bundle} bytes, at most ${kBundleBytesMax}`);
  process.exit(1);
}
