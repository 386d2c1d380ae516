/** The site of the pages in a browser: nothing in it keeps people out, nothing is too wide, and its search finds. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { buildSite, urlOf } from '../../scripts/site/build.ts';
import { launchBrowser, whyNoBrowser } from '../console/browser-scene.ts';
import { barriers, overflow } from '../console/browser-visit.ts';
import { ROOT } from './pages.ts';

/** Of each kind one: tables, terminals, pictures, much of all. */
const LOOKED_AT = [
  'README',
  'FORMAT',
  'docs/README',
  'docs/quick-start',
  'docs/concepts',
  'docs/layouts',
  'docs/reference/commands',
];
const PHONE = { width: 390, height: 844 };
const DESK = { width: 1440, height: 900 };

describe('the site in a browser', { skip: whyNoBrowser ?? false }, () => {
  let out: string;
  let browser: Browser;
  const open = async (page: Page, path: string) => page.goto(pathToFileURL(join(out, path)).href);

  before(async () => {
    out = mkdtempSync(join(tmpdir(), 'eventcore-site-'));
    buildSite(ROOT, out);
    browser = await launchBrowser();
  });
  after(async () => {
    await browser.close();
    rmSync(out, { recursive: true, force: true });
  });

  for (const [name, viewport, colorScheme] of [
    ['on a desk', DESK, 'light'],
    ['on a phone, at night', PHONE, 'dark'],
  ] as const) {
    it(`keeps nobody out, and is not too wide, ${name}`, async () => {
      const page = await browser.newPage({ viewport, colorScheme });
      const faults: string[] = [];
      for (const path of LOOKED_AT) {
        await open(page, urlOf(`${path}.md`));
        const found = [...(await barriers(page)), ...(await overflow(page))];
        faults.push(...found.map((fault) => `${path}: ${fault}`));
      }
      await page.close();
      assert.deepEqual(faults, []);
    });
  }

  it('finds what is searched for, by keys alone', async () => {
    const page = await browser.newPage({ viewport: DESK });
    await open(page, 'docs/keys.html');
    await page.keyboard.press('/');
    await page.keyboard.type('quick start install');
    await page.waitForSelector('#found [aria-selected="true"]');
    assert.deepEqual(await barriers(page), []);
    await page.keyboard.press('Enter');
    await page.waitForURL(/quick-start\.html#install$/);
    await page.close();
  });
});
