import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** A file that pages load. Its name changes with what is in it, so browsers may keep it for good. */
export interface Asset {
  /** As `/assets/console.3f2a9c1e.css`. */
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array<ArrayBuffer>;
}

export interface Assets {
  readonly style: Asset;
  readonly script: Asset;
  readonly theme: Asset;
  readonly icon: Asset;
  /** All of them; nothing else is served. */
  readonly byPath: ReadonlyMap<string, Asset>;
}

/** Reads what pages load, once, when the daemon starts. */
export async function loadAssets(): Promise<Assets> {
  const [style, script, theme, icon] = await Promise.all([
    load('console.css', 'text/css; charset=utf-8', STYLES),
    load('console.js', 'text/javascript; charset=utf-8'),
    load('theme.js', 'text/javascript; charset=utf-8'),
    load('icon.svg', 'image/svg+xml'),
  ]);
  const byPath = new Map([style, script, theme, icon].map((asset) => [asset.path, asset]));
  return { style, script, theme, icon, byPath };
}

/** One behind the other: what comes later is about less. */
const STYLES = [
  ...['base', 'frame', 'parts', 'timeline'],
  ...['stores', 'backups', 'restore', 'proofs', 'circumstances'],
].map((name) => `style/${name}.css`);

/** As one file, where it is made of several. */
async function load(name: string, contentType: string, parts: readonly string[] = [name]): Promise<Asset> {
  const files = parts.map((part) => readFile(new URL(`./assets/${part}`, import.meta.url)));
  const body = new Uint8Array(Buffer.concat(await Promise.all(files)));
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 12);
  const [stem, ending] = name.split('.');
  return { path: `/assets/${stem}.${hash}.${ending}`, contentType, body };
}
