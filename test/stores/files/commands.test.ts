/** A folder of EventCore's file backend under the commands that keep watch over a store. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { makeFolder, runHere, withStoreAt } from '../../harness/command.ts';

describe('a store in files', () => {
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  const run = (...words: readonly string[]) =>
    runHere([
      ...words,
      '--json',
      '--store',
      `eventcore-fs:${folder.path}/app`,
      '--vault',
      `${folder.path}/vault`,
    ]);
  const succeed = async (...words: readonly string[]) => {
    const { code, stdout, stderr } = await run(...words);
    assert.equal(code, 0, `${words.join(' ')}: ${stdout}${stderr}`);
    return JSON.parse(stdout);
  };

  before(async () => {
    folder = await makeFolder();
    await append(`eventcore-fs:${folder.path}/app`, 12);
    await succeed('backup', 'full');
    await append(`eventcore-fs:${folder.path}/app`, 3);
    await succeed('backup', 'incremental');
  });
  after(() => folder.remove());

  it('is watched, compared and proven as any other', async () => {
    assert.equal((await succeed('status')).windows.length, 2);
    assert.equal((await succeed('monitor', '--once', '--sample', '100%')).outcome, 'sound');
    assert.equal((await succeed('diff')).equal, true);
    assert.equal((await succeed('verify', '--against-store')).overallValid, true);
    assert.equal((await succeed('show', '--stream', 's-1')).history[0].events, 5);
    assert.equal((await run('doctor')).code, 0);
  });

  it('has drills that restore it into a database', async () => {
    const { tests } = await succeed('drill', '--only', 'full_restore');
    assert.deepEqual(
      tests.map(({ name, state }: { name: string; state: string }) => [name, state]),
      [
        ['full_restore', 'passed'],
        ['negative_canary', 'passed'],
      ],
    );
  });

  it('whose files are gone is seen', async () => {
    rmSync(`${folder.path}/app/events`, { recursive: true });
    await append(`eventcore-fs:${folder.path}/app`, 1);
    assert.notEqual((await run('monitor', '--once', '--sample', '100%')).code, 0);
    assert.equal((await run('verify', '--against-store')).code, 4);
  });
});

async function append(address: string, count: number): Promise<void> {
  await withStoreAt(address, async (store) => {
    await store.initialise();
    for (let n = 0; n < count; n += 1)
      await store.append([{ streamId: `s-${n % 3}`, events: [{ type: 'Began', data: `{"n":${n}}` }] }]);
  });
}
