/** Pictures of the console for the documentation: `npm run console:pictures`. */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { launchBrowser, whyNoBrowser } from './browser-scene.ts';
import { type Look, PHONE } from './browser-visit.ts';
import { makePorts } from './fixtures.ts';
import { servePreview } from './preview-app.ts';

const FOLDER = join(import.meta.dirname, '../../docs/pictures');
const MOST_BYTES = 130_000;
/** A little smaller than a screen: they are shown in a column of text. */
const DESK = { width: 1240, height: 740 };
const [LIGHT, DARK, IN_HAND]: readonly [Look, Look, Look] = [
  { theme: 'light', size: DESK },
  { theme: 'dark', size: DESK },
  { theme: 'light', size: PHONE },
];

const PICTURES: readonly (readonly [name: string, path: string, look: Look])[] = [
  ['stores', '/', LIGHT],
  ['store-dark', '/stores/shop', DARK],
  ['restore', '/stores/shop/restore?point=newest#plan', LIGHT],
  ['drills', '/stores/shop/drills', LIGHT],
  ['trouble-dark', '/stores/ledger', DARK],
  ['phone', '/stores/shop', IN_HAND],
];

if (whyNoBrowser !== null) throw new Error(whyNoBrowser);
mkdirSync(FOLDER, { recursive: true });
const preview = await servePreview(makePorts());
const browser = await launchBrowser();
try {
  for (const [name, path, { theme, size }] of PICTURES) {
    const context = await browser.newContext({
      ...{ viewport: size, colorScheme: theme, reducedMotion: 'reduce', baseURL: preview.origin },
    });
    const page = await context.newPage();
    await page.goto(path);
    const file = join(FOLDER, `${name}.png`);
    await page.screenshot({ path: file, animations: 'disabled', caret: 'hide' });
    await context.close();
    const { size: bytes } = statSync(file);
    console.log(
      `${name}: ${Math.round(bytes / 1000)} kB${bytes > MOST_BYTES ? ', which is more than it should be' : ''}`,
    );
  }
} finally {
  await browser.close();
  preview.close();
}
