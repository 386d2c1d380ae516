import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { awaitCommand, digestAt, fillStore, makeFolder, runHere, startCommand } from '../harness/command.ts';

const EVENTS = 30_000;
const KILLS = 3;

it('a sync that is killed leaves a replica that is sound, and the next one completes it', async () => {
  const folder = await makeFolder();
  try {
    const store = `sqlite:${join(folder.path, 'events.db')}`;
    await fillStore(store, EVENTS);
    const policy =
      'primary: { region: here, storage: here }\nreplicas: [{ region: there, storage: there }]\n';
    const config = join(folder.path, 'eventcore.config.yaml');
    writeFileSync(config, policy);
    const run = (...words: readonly string[]) => runHere([...words, '--config', config]);
    const taken = await run('backup', 'full', '--compression', 'none', '--no-verify', '--store', store);
    assert.equal(taken.code, 0, taken.stderr);
    const there = join(folder.path, 'there');
    const written = (): number => readdirSafely(there).length;
    let killed = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const before = written();
      const child = startCommand(folder.path, ['sync', '--verify']);
      const ended = awaitCommand(child);
      // A little later each time: inside of an object, between two, before the manifest.
      while (child.exitCode === null && written() <= before) await sleep(1);
      await sleep(kill * 7);
      child.kill('SIGKILL');
      if ((await ended).code === null) killed += 1;
      const verified = await run('verify', '--region', 'there');
      assert.ok([0, 3].includes(verified.code!), verified.stdout + verified.stderr);
    }
    assert.ok(killed > 0, 'none was killed while it worked');
    const done = await run('sync');
    assert.equal(done.code, 0, done.stdout + done.stderr);
    rmSync(join(folder.path, 'here'), { recursive: true });
    const target = `sqlite:${join(folder.path, 'restored.db')}`;
    const restored = await run('restore', '--to', target, '--region', 'there');
    assert.equal(restored.code, 0, restored.stderr);
    assert.equal(await digestAt(target), await digestAt(store));
  } finally {
    await folder.remove();
  }
});

function readdirSafely(path: string): string[] {
  try {
    return readdirSync(path, { recursive: true }).map(String);
  } catch {
    return [];
  }
}
