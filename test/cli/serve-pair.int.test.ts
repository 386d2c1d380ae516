import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeFolder, runCommand, withStoreAt } from '../harness/command.ts';
import { type Daemon, startDaemon, until } from '../harness/daemon.ts';

interface Run {
  readonly job: string;
  readonly daemon: string;
  readonly state: string;
}

describe('two daemons over one vault', () => {
  let folder: string;
  let remove: () => Promise<void>;
  let daemons: Daemon[] = [];

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    await withStoreAt(`sqlite:${folder}/events.db`, async (store) => {
      await store.initialise();
      await store.append([{ streamId: 'one', events: [{ type: 'T', data: '{}' }] }]);
    });
    const config = `store: sqlite:events.db\nvault: vault\nserve: { jobs: { full: "0 2 * * 0", incremental: "0 * * * *" } }\n`;
    await writeFile(join(folder, 'eventcore.config.yaml'), config);
  });
  after(async () => {
    for (const { child, ended } of daemons) {
      child.kill('SIGTERM');
      await ended;
    }
    await remove();
  });

  it('that begin together on an empty vault take one full backup, and the incremental one builds on it', async () => {
    const config = join(folder, 'eventcore.config.yaml');
    daemons = await Promise.all([startDaemon(folder, config), startDaemon(folder, config)]);
    const json = async (...words: string[]) => {
      const ran = await runCommand(folder, [...words, '--json']);
      assert.equal(ran.code, 0, ran.stderr);
      return JSON.parse(ran.stdout);
    };
    let runs: Run[] = [];
    await until(
      async () => {
        ({ runs } = await json('runs'));
        const over = runs.flatMap(({ job, state }) => (state === 'succeeded' ? [job] : []));
        return over.includes('full') && over.includes('incremental');
      },
      () => daemons.map(({ log }) => log()).join('\n'),
    );
    const { backups } = await json('list');
    assert.deepEqual(
      backups.map(({ kind }: { kind: string }) => kind),
      ['full', 'incremental'],
    );
  });
});
