import assert from 'node:assert/strict';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { digestAt, makeFolder, runHere, withStoreAt } from '../harness/command.ts';

interface Archived {
  readonly events: number;
  readonly transactions: number;
  readonly gaps: number;
  readonly position: string;
}

describe('eventcore archive', () => {
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  before(async () => {
    folder = await makeFolder();
  });
  after(() => folder.remove());

  const at = (name: string) => ({
    store: `sqlite:${join(folder.path, `${name}.db`)}`,
    vault: join(folder.path, name),
  });

  async function append(store: string, streamId: string, count: number): Promise<void> {
    await withStoreAt(store, async (opened) => {
      await opened.initialise();
      const events = Array.from({ length: count }, (_, n) => ({ type: 'Noted', data: `{"n":${n}}` }));
      if (count > 0) await opened.append([{ streamId, events }]);
    });
  }

  async function archiveOnce(place: { store: string; vault: string }): Promise<Archived> {
    const words = ['archive', '--once', '--store', place.store, '--vault', place.vault, '--json'];
    const ran = await runHere(words, { env: process.env });
    assert.equal(ran.code, 0, ran.stderr);
    return JSON.parse(ran.stdout) as Archived;
  }

  it('catches up with --once, begins with a backup, and restores go through the log to its end', async () => {
    const place = at('story');
    await append(place.store, 'first', 3);
    assert.equal((await archiveOnce(place)).events, 0);
    await append(place.store, 'first', 2);
    await append(place.store, 'second', 2);
    const second = await archiveOnce(place);
    assert.deepEqual([second.events, second.gaps], [4, 0]);
    assert.equal((await archiveOnce(place)).events, 0);

    const listed = await runHere(['list', '--store', place.store, '--vault', place.vault, '--json']);
    const list = JSON.parse(listed.stdout) as {
      backups: unknown[];
      recoveryWindows: { source: string }[];
      lag: { events: number };
    };
    assert.equal(list.backups.length, 1);
    assert.equal(list.recoveryWindows.filter(({ source }) => source === 'log').length, 1);
    assert.equal(list.lag.events, 0);

    const to = `sqlite:${join(folder.path, 'restored.db')}`;
    const restored = await runHere(['restore', '--to', to, '--vault', place.vault, '--json']);
    assert.equal(restored.code, 0, restored.stderr);
    assert.equal(await digestAt(to), await digestAt(place.store));
  });

  it('takes the backup that an archiver before it did not live to take', async () => {
    const place = at('orphan');
    await append(place.store, 'one', 2);
    const words = ['--store', place.store, '--vault', place.vault];
    assert.equal((await runHere(['archive', '--once', '--no-base', ...words])).code, 0);
    await append(place.store, 'one', 1);
    await archiveOnce(place);
    await append(place.store, 'one', 1);
    await archiveOnce(place);
    const listed = await runHere(['list', '--vault', place.vault, '--json']);
    const { backups, recoveryWindows } = JSON.parse(listed.stdout) as {
      backups: unknown[];
      recoveryWindows: { source: string }[];
    };
    assert.equal(backups.length, 1);
    assert.equal(recoveryWindows.filter(({ source }) => source === 'log').length, 1);
  });

  it('damage at the end of a log takes nothing from what is before it', async () => {
    const place = at('damaged');
    await append(place.store, 'one', 2);
    await archiveOnce(place);
    await append(place.store, 'one', 3);
    await archiveOnce(place);
    await append(place.store, 'one', 4);
    await archiveOnce(place);
    const logs = globSync('log/*/*.log', { cwd: place.vault }).sort();
    const last = join(place.vault, logs.at(-1)!);
    const bytes = readFileSync(last);
    bytes[60]! ^= 1;
    writeFileSync(last, bytes);
    const to = (name: string) => [
      '--to',
      `sqlite:${join(folder.path, `${name}.db`)}`,
      '--vault',
      place.vault,
    ];
    const before = await runHere(['restore', ...to('before'), '--lsn', '5', '--json']);
    assert.equal(before.code, 0, before.stderr);
    assert.equal((JSON.parse(before.stdout) as { eventsRestored: number }).eventsRestored, 5);
    for (const words of [['--lsn', '9'], []]) {
      const refused = await runHere(['restore', ...to('beyond'), ...words]);
      assert.equal(refused.code, 4);
      assert.match(refused.stderr, /damaged/);
    }
    const listed = await runHere(['list', '--vault', place.vault]);
    assert.match(listed.stdout, /ANY INSTANT FROM/);
    assert.match(listed.stdout, /the header of a block is damaged/);
  });

  it('says how far the log is behind', async () => {
    const place = at('lag');
    await append(place.store, 'one', 1);
    await archiveOnce(place);
    await append(place.store, 'one', 5);
    const listed = await runHere(['list', '--store', place.store, '--vault', place.vault]);
    assert.match(listed.stdout, /behind the store by 5 events, /);
    assert.match(listed.stdout, /nobody captures at the moment/);
  });

  it('keeps to the configuration: a spool needs a place, and is seen from the file', async () => {
    const place = at('configured');
    await append(place.store, 'one', 1);
    const words = ['--store', place.store, '--vault', place.vault];
    const refused = await runHere(['archive', '--once', '--on-outage', 'spool', ...words]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /hint: pass --spool DIRECTORY/);
    mkdirSync(join(folder.path, 'etc'));
    const config = join(folder.path, 'etc', 'config.yaml');
    writeFileSync(config, 'change_log: { on_outage: spool, outage_limit: 1MB, spool: ./aside }\n');
    const ran = await runHere(['archive', '--once', '--no-base', '--config', config, ...words]);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /The change log has caught up/);
  });

  it('has nothing to make an embedded store forget', async () => {
    const place = at('forget');
    await append(place.store, 'one', 1);
    const ran = await runHere(['archive', '--drop-slot', '--store', place.store]);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /keeps nothing for a change log\./);
  });

  it('refuses a store that is not there, and leaves nothing in the vault', async () => {
    const place = at('missing');
    const ran = await runHere(['archive', '--once', '--store', place.store, '--vault', place.vault]);
    assert.equal(ran.code, 5);
    assert.match(ran.stderr, /hint: /);
  });
});
