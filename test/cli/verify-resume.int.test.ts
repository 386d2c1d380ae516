import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { awaitCommand, fillStore, makeFolder, runHere, startCommand } from '../harness/command.ts';

const BACKUPS = 4;
const PATIENCE_MS = 60_000;

describe('a verification that does not come to its end', () => {
  let folder: string;
  let remove: () => Promise<void>;
  let vault: string;
  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    vault = join(folder, 'vault');
    const store = `sqlite:${folder}/events.db`;
    await fillStore(store, 20_000);
    for (let i = 0; i < BACKUPS; i += 1) {
      const ran = await runHere(['backup', 'full', '--no-verify', '--store', store, '--vault', vault]);
      assert.equal(ran.code, 0, ran.stderr);
    }
  });
  after(() => remove());

  /** About two seconds for each backup. */
  const slowly = ['verify', '--vault', 'vault', '--rate-limit', '800kB/s', '--log-level', 'info'];
  const records = () => {
    const path = join(vault, 'integrity/verified');
    return existsSync(path)
      ? readdirSync(path).filter((name) => name.endsWith('.json') && name[0] !== '.')
      : [];
  };
  const goOn = async (): Promise<number> => {
    const ran = await runHere(['verify', '--not-since', '12h', '--vault', vault, '--json']);
    assert.equal(ran.code, 0, ran.stderr);
    return JSON.parse(ran.stdout).backups.length;
  };

  it('is taken up where Ctrl-C ended it', async () => {
    const child = startCommand(folder, slowly);
    const ended = awaitCommand(child);
    let said = '';
    child.stderr!.on('data', (part: string) => {
      said += part;
    });
    await until(() => said.includes(`(2 of ${BACKUPS})`));
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    assert.equal(code, 130);
    assert.match(stderr, /interrupted: what was verified is remembered; .*--not-since 12h.* goes on/);
    assert.equal(records().length, 1);
    const left = await goOn();
    assert.ok(left > 0 && left < BACKUPS, `${left} of ${BACKUPS} were left`);
    assert.equal(await goOn(), 0);
  });

  it('is taken up where it was killed, but for the last few seconds', async () => {
    rmSync(join(vault, 'integrity'), { recursive: true });
    const child = startCommand(folder, slowly);
    const ended = awaitCommand(child);
    await until(() => records().length > 0);
    child.kill('SIGKILL');
    assert.notEqual((await ended).code, 0);
    const left = await goOn();
    assert.ok(left > 0 && left < BACKUPS, `${left} of ${BACKUPS} were left`);
    assert.equal(await goOn(), 0);
  });

  async function until(isSo: () => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!isSo()) {
      assert.ok(Date.now() < deadline, 'it does not come to that');
      await sleep(10);
    }
  }
});
