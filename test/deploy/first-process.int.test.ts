/** The command as the first process of a container: a namespace of process ids of its own, without an init. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { awaitCommand, fillStore, makeFolder, startCommand } from '../harness/command.ts';

const NAMESPACE = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];
const [program, ...words] = NAMESPACE;
const skip =
  spawnSync(program!, [...words, 'true']).status === 0
    ? false
    : 'needs unshare(1) and the right to make namespaces';
const JOBS = `
store: sqlite:./shop.db
vault: ./vault
serve:
  listen: 127.0.0.1:0
  jobs: { archive: always, monitor: always, doctor: off }
`;

describe('as the first process of a container', { skip }, () => {
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  before(async () => {
    folder = await makeFolder();
    await fillStore(`sqlite:${join(folder.path, 'shop.db')}`, 20_000);
    await writeFile(join(folder.path, 'eventcore.config.yaml'), JOBS);
  });
  after(() => folder.remove());

  const start = (...command: string[]): ChildProcess =>
    startCommand(folder.path, command, { prefix: NAMESPACE });

  it('a backup ends upon SIGTERM and SIGINT, and leaves nothing', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const command = start('backup', 'full', '--rate-limit', '100kB/s', '--log-level', 'info');
      const ended = awaitCommand(command);
      await said(command, /reading events/);
      process.kill(await firstProcess(command), signal);
      const { code, stderr } = await ended;
      assert.equal(code, 130);
      assert.match(stderr, /interrupted: what had been written was removed/);
    }
    assert.deepEqual(namesUnder(join(folder.path, 'vault')), []);
  });

  it('the daemon takes in each command that it began, however it ends, and stops upon SIGTERM', async () => {
    const daemon = start('serve', '--log-level', 'info');
    const ended = awaitCommand(daemon);
    const first = await firstProcess(daemon);
    const killed = new Set<number>();
    for (const endMs = Date.now() + 20_000; killed.size < 2 && Date.now() < endMs; await sleep(50)) {
      for (const pid of childrenOf(first)) {
        if (killed.has(pid)) continue;
        killed.add(pid);
        process.kill(pid, 'SIGKILL');
      }
    }
    assert.ok(killed.size >= 2, 'no job began');
    await until(() => childrenOf(first).every((pid) => !killed.has(pid)), 'a dead job stays');
    process.kill(first, 'SIGTERM');
    assert.equal((await ended).code, 0);
  });
});

/** The process that is number one in there, by the number that it has out here. */
async function firstProcess(command: ChildProcess): Promise<number> {
  let found: number[] = [];
  await until(() => {
    found = childrenOf(command.pid!);
    return found.length > 0;
  }, 'nothing was started');
  return found[0]!;
}

/** Dead ones that nobody has taken in are among them. */
function childrenOf(pid: number): number[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}

function said(command: ChildProcess, what: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    command.stderr!.on('data', (part: Buffer) => {
      text += part.toString();
      if (what.test(text)) resolve();
    });
    command.once('close', () => reject(new Error(`it ended without saying ${what}: ${text}`)));
  });
}

async function until(isSo: () => boolean, otherwise: string): Promise<void> {
  for (const endMs = Date.now() + 10_000; !isSo(); await sleep(20)) {
    assert.ok(Date.now() < endMs, otherwise);
  }
}

function namesUnder(vault: string): string[] {
  return readdirSync(vault, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}
