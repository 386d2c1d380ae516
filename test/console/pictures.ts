/** Pictures of the console for the documentation: `npm run console:pictures`. */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openScene, whyNoBrowser } from './browser-scene.ts';
import { DESKTOP, type Look, logIn, PHONE } from './browser-visit.ts';

const FOLDER = join(import.meta.dirname, '../../docs/pictures');
const STORE = '/stores/default';
const MOST_BYTES = 150_000;
/** The daemon looks at its store, and its first jobs end. */
const SETTLES_MS = 30_000;

const PICTURES: readonly (readonly [name: string, path: string, look: Look])[] = [
  ['store-light', STORE, { theme: 'light', size: DESKTOP }],
  ['store-dark', STORE, { theme: 'dark', size: DESKTOP }],
  ['restore-light', `${STORE}/restore?point=newest`, { theme: 'light', size: DESKTOP }],
  ['backups-dark', `${STORE}/backups`, { theme: 'dark', size: DESKTOP }],
  ['drills-light', `${STORE}/drills`, { theme: 'light', size: DESKTOP }],
  ['store-phone-light', STORE, { theme: 'light', size: PHONE }],
  ['restore-phone-dark', `${STORE}/restore?point=newest`, { theme: 'dark', size: PHONE }],
];

if (whyNoBrowser !== null) throw new Error(whyNoBrowser);
mkdirSync(FOLDER, { recursive: true });
const scene = await openScene();
try {
  await new Promise((resolve) => setTimeout(resolve, SETTLES_MS));
  for (const [name, path, look] of PICTURES) {
    const context = await logIn(scene, scene.operator, look);
    const page = await context.newPage();
    await page.goto(path);
    const file = join(FOLDER, `${name}.png`);
    await page.screenshot({ path: file, animations: 'disabled', caret: 'hide' });
    await context.close();
    const { size } = statSync(file);
    console.log(
      `${name}: ${Math.round(size / 1000)} kB${size > MOST_BYTES ? ', which is more than it should be' : ''}`,
    );
  }
} finally {
  await scene.close();
}
