/** `eventcore serve` as a process. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

export interface Daemon {
  readonly child: ChildProcess;
  readonly url: string;
  readonly log: () => string;
  readonly ended: Promise<number | null>;
}

/** Comes back when it serves. Whoever starts it ends it. */
export async function startDaemon(folder: string, config: string): Promise<Daemon> {
  const listen = `127.0.0.1:${await freePort()}`;
  const child = spawn(process.execPath, [MAIN, 'serve', config, '--listen', listen, '--log-level', 'info'], {
    ...{ cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  });
  let log = '';
  child.stderr.on('data', (bytes: Buffer) => {
    log += bytes.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await until(
    () => log.includes('serving'),
    () => log,
  );
  return { child, url: `http://${listen}`, log: () => log, ended };
}

export async function until(
  isSo: () => boolean | Promise<boolean>,
  what: () => string,
  { withinMs = 60_000, everyMs = 100 } = {},
): Promise<void> {
  for (const endMs = Date.now() + withinMs; Date.now() < endMs; await sleep(everyMs))
    if (await isSo()) return;
  assert.fail(`did not come about: ${what()}`);
}

/** An operator's request; gives where it leads. */
export async function postAs(token: string, url: string, fields: Record<string, string>): Promise<string> {
  const answer = await fetch(url, {
    ...{ method: 'POST', redirect: 'manual', headers: { authorization: `Bearer ${token}` } },
    body: new URLSearchParams(fields),
  });
  assert.equal(answer.status, 303, await answer.text());
  return answer.headers.get('location')!;
}
