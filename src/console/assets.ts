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
    load('console', 'css', 'text/css; charset=utf-8'),
    load('console', 'js', 'text/javascript; charset=utf-8'),
    load('theme', 'js', 'text/javascript; charset=utf-8'),
    load('icon', 'svg', 'image/svg+xml'),
  ]);
  const byPath = new Map([style, script, theme, icon].map((asset) => [asset.path, asset]));
  return { style, script, theme, icon, byPath };
}

async function load(name: string, ending: string, contentType: string): Promise<Asset> {
  const body = new Uint8Array(await readFile(new URL(`./assets/${name}.${ending}`, import.meta.url)));
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 12);
  return { path: `/assets/${name}.${hash}.${ending}`, contentType, body };
}
