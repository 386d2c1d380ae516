import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { BrowserContext, Page } from 'playwright-core';
import type { BrowserScene } from './browser-scene.ts';

/** Looks at pages as a careful visitor with a checklist. */

export interface Look {
  readonly theme: 'light' | 'dark';
  readonly size: { readonly width: number; readonly height: number };
}

export const DESKTOP = { width: 1440, height: 900 };
export const PHONE = { width: 390, height: 844 };

/** A context with somebody logged in. */
export async function logIn(
  { browser, origin }: Pick<BrowserScene, 'browser' | 'origin'>,
  token: string,
  { theme, size }: Look = { theme: 'light', size: DESKTOP },
  javaScriptEnabled = true,
): Promise<BrowserContext> {
  const context = await browser.newContext({
    ...{ viewport: size, colorScheme: theme, reducedMotion: 'reduce', baseURL: origin, javaScriptEnabled },
  });
  const page = await context.newPage();
  await page.goto('/log-in');
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.waitForURL((url) => url.pathname !== '/log-in');
  await page.close();
  return context;
}

/** Notes what a page must not do while it is looked at. */
export function watchPage(page: Page, origin: string): string[] {
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning')
      problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`script: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !url.startsWith('data:')) problems.push(`asks ${url}`);
  });
  return problems;
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

interface AxeAnswer {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
  }[];
}

/** What stands in the way of people who cannot see, or not well: by axe. It comes past the page's policy, which would refuse it. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate<AxeAnswer, string[]>(
    (tags) =>
      (
        globalThis as unknown as { axe: { run: (document: unknown, options: unknown) => Promise<AxeAnswer> } }
      ).axe.run((globalThis as unknown as { document: unknown }).document, { runOnly: tags }),
    TAGS,
  );
  return violations.map(({ id, help, nodes }) => {
    return `axe ${id}: ${help}: ${nodes
      .slice(0, 2)
      .map(
        (node) => `${node.html.slice(0, 160)} — ${node.failureSummary.replaceAll(/\s+/g, ' ').slice(0, 200)}`,
      )
      .join(' | ')}`;
  });
}

/** A page that is wider than its window has to be pushed about. */
export async function overflow(page: Page): Promise<string[]> {
  const tooWide = await page.evaluate(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  );
  return Number(tooWide) > 0 ? [`is ${tooWide} pixels wider than the window`] : [];
}

/** Everything that is wrong with pages, one after the other in one tab, as somebody looks at them whose log-in is kept in `from`. */
export async function problemsOfPages(
  { browser, origin }: Pick<BrowserScene, 'browser' | 'origin'>,
  from: BrowserContext,
  { theme, size }: Look,
  paths: readonly string[],
): Promise<string[]> {
  const context = await browser.newContext({
    ...{ viewport: size, colorScheme: theme, reducedMotion: 'reduce', baseURL: origin },
    storageState: await from.storageState(),
  });
  const page = await context.newPage();
  const watched = watchPage(page, origin);
  const problems: string[] = [];
  for (const path of paths) {
    const status = (await page.goto(path))?.status() ?? 0;
    const bad = status === 200 ? [] : [`answers ${status}`];
    const found = [...bad, ...(await barriers(page)), ...(await overflow(page)), ...watched.splice(0)];
    problems.push(...found.map((text) => `${path} ${theme} ${size.width}: ${text}`));
  }
  await context.close();
  return problems;
}
