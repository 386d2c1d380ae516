/** The console as people see it: the real daemon over a real store and its vault, and a real browser. */
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { BrowserContext, Page } from 'playwright-core';
import { ROUTES } from '../../src/console/routes.ts';
import { digestAt } from '../harness/command.ts';
import { type BrowserScene, openScene, whyNoBrowser } from './browser-scene.ts';
import { DESKTOP, type Look, logIn, PHONE, problemsOfPages, watchPage } from './browser-visit.ts';

const STORE = '/stores/default';
/** Pages that say something else when they are asked something. */
const ASKED = [`${STORE}/restore?point=newest`, `${STORE}/streams?stream=order-3`];
/** What is looked at most is looked at in each theme and size; all others in one theme on a desk, in the other one in a hand. */
const KEY_PAGES = ['/', STORE, ASKED[0]!];
const [LIGHT_DESK, DARK_PHONE]: readonly [Look, Look] = [
  { theme: 'light', size: DESKTOP },
  { theme: 'dark', size: PHONE },
];
const [DARK_DESK, LIGHT_PHONE]: readonly [Look, Look] = [
  { theme: 'dark', size: DESKTOP },
  { theme: 'light', size: PHONE },
];
/** A machine may be busy. */
const SOON_MS = 60_000;
const TIMEOUT_MS = 290_000;

/** Every page of the list, its places filled with what the store has. */
async function pathsOf(context: BrowserContext, ids: Readonly<Record<string, string>>): Promise<string[]> {
  const page = await context.newPage();
  // A daemon that has just begun knows nothing of the store yet: the page comes again by itself.
  const firstOn = async (path: string, pattern: string): Promise<string> => {
    await page.goto(path);
    const link = page.locator(`main a[href*="${pattern}"]`).first();
    return (await link.getAttribute('href', { timeout: SOON_MS }))!.split('/').at(-1)!;
  };
  const all: Readonly<Record<string, string>> = {
    ...ids,
    backups: await firstOn(`${STORE}/backups`, '/backups/'),
    drills: await firstOn(`${STORE}/drills`, '/drills/'),
  };
  await page.close();
  const paths = ROUTES.filter(({ method }) => method === 'GET').map(({ path }) => {
    const id = all[/([a-z]+)\/:id/.exec(path)?.[1] ?? ''];
    assert.ok(id !== undefined || !path.includes(':id'), `nothing is known for ${path}`);
    return path.replace(':store', 'default').replace(':id', id ?? '');
  });
  return [...paths, ...ASKED];
}

describe('the console in a browser', { skip: whyNoBrowser ?? false, timeout: TIMEOUT_MS }, () => {
  let scene: BrowserScene;
  let operator: BrowserContext;
  let operationId: string | undefined;
  before(async () => {
    scene = await openScene();
    operator = await logIn(scene, scene.operator);
  });
  after(() => scene?.close());

  const openPage = async (path: string): Promise<{ page: Page; watched: string[] }> => {
    const page = await operator.newPage();
    const watched = watchPage(page, scene.origin);
    await page.goto(path);
    return { page, watched };
  };

  it('shows how far a job is that runs, and its end without being loaded again', async () => {
    const { page, watched } = await openPage(STORE);
    // It may still be in its first run.
    await page.getByRole('button', { name: 'Run now: Full backup' }).click({ timeout: SOON_MS });
    await page.getByText('was asked for').waitFor();
    const row = page.locator('#jobs tr', { hasText: 'Full backup' });
    const endMs = Date.now() + SOON_MS;
    while ((await row.locator('progress[value]').count()) === 0 && Date.now() < endMs) await page.goto(STORE);
    assert.ok(Date.now() < endMs, 'no bar was seen');
    await page.evaluate('window.isStill = true');
    await row.locator('progress').waitFor({ state: 'detached', timeout: SOON_MS });
    await row.getByText('done', { exact: true }).waitFor();
    assert.equal(await page.evaluate('window.isStill'), true);
    assert.deepEqual(watched, []);
    await page.close();
  });

  it('backs up now when an operator says so, and shows the end of it without being loaded again', async () => {
    await scene.world.append(7, 'order-9');
    const { page, watched } = await openPage(STORE);
    await page.getByRole('button', { name: 'Back up now' }).click();
    await page.getByText('was asked for').waitFor();
    await page.evaluate('window.isStill = true');
    await page.locator('#jobs tr', { hasText: '7 events' }).waitFor({ timeout: SOON_MS });
    assert.equal(await page.evaluate('window.isStill'), true);
    assert.deepEqual(watched, []);
    await page.close();
  });

  it('restores into a new store, to its end, with every event', async () => {
    const { page, watched } = await openPage(`${STORE}/restore?point=newest`);
    await page.getByRole('button', { name: 'Restore into a new store' }).click();
    await page.waitForURL(/\/operations\//);
    operationId = new URL(page.url()).pathname.split('/').at(-1);
    await page
      .locator('main')
      .getByText(/\bdone\b/i)
      .first()
      .waitFor({ timeout: SOON_MS });
    const [restored] = globSync(join(scene.world.path, 'restored/*.db'));
    assert.ok(restored !== undefined);
    assert.equal(await digestAt(`sqlite:${restored}`), await digestAt(scene.world.store));
    assert.deepEqual(watched, []);
    await page.close();
  });

  it('is found through by keyboard alone: in, to the store, to a restore', async () => {
    const context = await scene.browser.newContext({ baseURL: scene.origin, viewport: DESKTOP });
    const page = await context.newPage();
    await page.goto('/');
    // The field has the focus.
    await page.keyboard.type(scene.viewer);
    await page.keyboard.press('Enter');
    await page.waitForURL((url) => url.pathname === '/');
    await tabTo(page, (text, href) => href === STORE && text !== '');
    await page.keyboard.press('Enter');
    await page.waitForURL((url) => url.pathname === STORE);
    await tabTo(page, (_text, href) => href === `${STORE}/restore`);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Restore' }).waitFor();
    await context.close();
  });

  it('works without a script', async () => {
    const context = await logIn(scene, scene.viewer, undefined, false);
    const page = await context.newPage();
    for (const path of [...KEY_PAGES, `${STORE}/backups`, `${STORE}/activity`]) {
      const answer = await page.goto(path);
      assert.equal(answer?.status(), 200, path);
      assert.notEqual((await page.locator('main').innerText()).trim(), '', path);
    }
    // Who may only look is offered nothing that does something.
    assert.equal(await page.getByRole('button', { name: 'Back up now' }).count(), 0);
    await context.close();
  });

  it('has nothing in the way of anyone on any page, in both themes, on a desk and in a hand', async () => {
    assert.ok(operationId !== undefined, 'nothing was restored');
    const paths = ['/log-in', ...(await pathsOf(operator, { operations: operationId }))];
    assert.ok(paths.length >= 14, paths.join());
    const look = (one: Look, some: readonly string[]): Promise<string[]> =>
      problemsOfPages(scene, operator, one, some);
    const found = await Promise.all([
      look(LIGHT_DESK, paths),
      look(DARK_PHONE, paths),
      look(DARK_DESK, KEY_PAGES).then(async (before) => [...before, ...(await look(LIGHT_PHONE, KEY_PAGES))]),
    ]);
    assert.deepEqual(found.flat(), []);
  });
});

/** What has the focus after so many steps at most. */
async function tabTo(page: Page, isIt: (text: string, href: string | null) => boolean): Promise<void> {
  for (let steps = 0; steps < 60; steps += 1) {
    await page.keyboard.press('Tab');
    const [text, href] = await page.evaluate<[string, string | null]>(
      '[document.activeElement.textContent.trim(), document.activeElement.getAttribute("href")]',
    );
    if (isIt(text, href)) return;
  }
  throw new Error('no step of the keyboard comes to it');
}
