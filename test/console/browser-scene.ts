import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { hashToken, makeToken } from '../../src/console/access/tokens.ts';
import { startCommand, withStoreAt } from '../harness/command.ts';
import { type DrillWorld, makeDrillWorld, REGIONS } from '../harness/drill-world.ts';

/** A daemon in a process of its own, over a store with a history, and a browser to look at it. */
export interface BrowserScene {
  readonly world: DrillWorld;
  /** Without a slash at its end. */
  readonly origin: string;
  readonly browser: Browser;
  readonly operator: string;
  readonly viewer: string;
  close(): Promise<void>;
}

const CHROMIUM = '/usr/bin/chromium';

/** Null where there is a browser; else why these tests are skipped. */
export const whyNoBrowser = existsSync(CHROMIUM) ? null : `there is no ${CHROMIUM}`;

const ARGUMENTS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
}

/** `onLog`: what the daemon logs. */
export async function openScene(onLog: (text: string) => void = () => undefined): Promise<BrowserScene> {
  const [operator, viewer] = [makeToken(randomBytes(32)), makeToken(randomBytes(32))];
  const world = await makeDrillWorld();
  mkdirSync(join(world.path, 'restored'));
  world.configure(`${REGIONS}${serveSection(operator, viewer)}`);
  await fillHistory(world);
  const child = startCommand(world.path, [
    'serve',
    'eventcore.config.yaml',
    '--listen',
    '127.0.0.1:0',
    '--log-level',
    'info',
  ]);
  const [origin, browser] = await Promise.all([originOf(child, onLog), launchBrowser()]);
  return {
    ...{ world, origin, browser, operator, viewer },
    close: async () => {
      await browser.close();
      await end(child);
      world.remove();
    },
  };
}

function serveSection(operator: string, viewer: string): string {
  return `objectives: { rpo: 24h, rto: 15m, verified_within: 7d, drilled_within: 30d }
serve:
  jobs:
    full: { schedule: "0 2 * * 0", options: ["--rate-limit", "100kB/s"] }
    incremental: "0 */6 * * *"
    verify: { schedule: "0 5 * * *" }
    drill: "0 6 * * 1"
    doctor: { every: 6h }
  restore_to:
    - { name: scratch, sqlite: ./restored }
  access:
    tokens:
      - { name: alice, role: operator, hash: "${hashToken(operator)}" }
      - { name: victor, role: viewer, hash: "${hashToken(viewer)}" }
`;
}

/** What a store has that was kept for a while: several backups, a change log, a copy, proofs, and a look at the live store. */
async function fillHistory(world: DrillWorld): Promise<void> {
  for (let stream = 20; stream < 60; stream += 1) await world.append(4, `order-${stream}`);
  await world.succeed(['backup', 'incremental']);
  await world.append(20, 'order-3');
  await world.succeed(['archive', '--once']);
  await world.succeed(['backup', 'full']);
  await world.succeed(['sync']);
  await world.succeed(['verify']);
  await world.run(['monitor', '--once']);
  await world.drill();
  await appendScans(world);
}

/** What a full backup at the least rate takes some seconds for, so that one can be seen to run. */
async function appendScans({ store }: DrillWorld): Promise<void> {
  const events = Array.from({ length: 24 }, () => ({
    type: 'Scanned',
    data: JSON.stringify({ image: randomBytes(24_000).toString('base64') }),
  }));
  await withStoreAt(store, async (opened) => void (await opened.append([{ streamId: 'scans', events }])));
}

const STARTS_MS = 60_000;
const MOST_SAID = 20_000;

/** As the daemon logs it when it listens. */
function originOf(child: ChildProcess, onLog: (text: string) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(() => reject(new Error(`the daemon does not listen: ${said}`)), STARTS_MS);
    const look = (part: string): void => {
      onLog(part);
      said = (said + part).slice(-MOST_SAID);
      const port = /127\.0\.0\.1:(\d+)/.exec(said)?.[1];
      if (port === undefined || port === '0') return;
      clearTimeout(timer);
      resolve(`http://127.0.0.1:${port}`);
    };
    child.stdout?.setEncoding('utf8').on('data', look);
    child.stderr?.setEncoding('utf8').on('data', look);
    child.once('close', (code) => reject(new Error(`the daemon ended with ${code}: ${said}`)));
  });
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    child.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
