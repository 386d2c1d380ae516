import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import type { BackupVerification, Problem } from '../../src/core/report.ts';
import { digestAt, makeFolder, runHere, withStoreAt } from '../harness/command.ts';

/** A week of one store: a full backup, two incremental ones, a fork; then a link is lost. */
describe('a chain of backups on the command line', () => {
  let folder: string;
  let remove: () => Promise<void>;
  const at = (name: string): string => join(folder, name);
  const store = (name: string): string => `sqlite:${at(name)}`;
  const ids: string[] = [];
  const digests: string[] = [];

  const run = (...words: string[]) =>
    runHere(words, { env: { EVENTCORE_STORE: store('events.db'), EVENTCORE_VAULT: at('vault') } });
  const json = async (...words: string[]) => {
    const ran = await run(...words, '--json');
    return { ran, document: JSON.parse(ran.stdout) };
  };
  const folderOf = async (id: string): Promise<string> =>
    join(at('vault'), (await json('show', id)).document.folder);

  function sql(statement: string): void {
    const db = new DatabaseSync(at('events.db'));
    db.exec(statement);
    db.close();
  }

  async function append(events: number): Promise<void> {
    await withStoreAt(store('events.db'), async (opened) => {
      for (let i = 0; i < events; i += 1) {
        await opened.append([{ streamId: `s-${i % 5}`, events: [{ type: 'T', data: `{"i":${i}}` }] }]);
      }
    });
  }

  async function note(words: string[]): Promise<void> {
    const { ran, document } = await json('backup', ...words);
    assert.equal(ran.code, 0, ran.stderr);
    ids.push(document.backupId);
    digests.push(await digestAt(store('events.db')));
  }

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    await withStoreAt(store('events.db'), (opened) => opened.initialise());
    await append(20);
    sql(
      `INSERT INTO eventcore_subscription_versions (subscription_name, last_position) VALUES ('mail', 'old')`,
    );
    await note(['full']);
    await append(7);
    await note(['incremental', '--format', 'jsonl']);
    await append(3);
    sql(`UPDATE eventcore_subscription_versions SET last_position = 'new'`);
    await note(['incremental']);
    await note(['incremental', '--parent', ids[1]!]);
  });
  after(() => remove());

  it('list draws each backup under the full one, and says on what a fork builds', async () => {
    const { stdout } = await run('list');
    const short = ids.map((id) => id.slice(0, 8));
    const lines = stdout.split('\n');
    assert.match(lines[2]!, new RegExp(`^ {2}${short[0]} +full .* 20 `));
    assert.match(lines[3]!, new RegExp(`^ {2}├ ${short[1]} +incremental  .* \\+7 .* jsonl, zstd$`));
    assert.match(lines[4]!, new RegExp(`^ {2}├ ${short[2]} +incremental  .* \\+3 `));
    assert.match(lines[5]!, new RegExp(`^ {2}└ ${short[3]} +incremental on ${short[1]} .* \\+3 `));
    const { document } = await json('list');
    const backups: Record<string, unknown>[] = document.backups;
    assert.deepEqual(
      backups.map(({ chain }) => chain),
      [
        { baseId: ids[0], length: 1, totalEvents: 20, totalStreams: 5, method: null },
        { baseId: ids[0], length: 2, totalEvents: 27, totalStreams: 5, method: 'rows' },
        { baseId: ids[0], length: 3, totalEvents: 30, totalStreams: 5, method: 'rows' },
        { baseId: ids[0], length: 3, totalEvents: 30, totalStreams: 5, method: 'rows' },
      ],
    );
    assert.deepEqual(
      backups.map(({ parentId, chainBroken }) => [parentId, chainBroken]),
      [null, ids[0], ids[1], ids[1]].map((id) => [id, null]),
    );
    assert.equal(document.recoveryWindows.length, 4);
  });

  it('show says what one adds to what, and lists the streams of all the chain', async () => {
    const { stdout } = await run('show', ids[2]!, '--streams');
    assert.match(stdout, /new events +3 in 3 streams/);
    assert.match(stdout, new RegExp(`added to +${ids[1]}, found by row numbers`));
    assert.match(
      stdout,
      new RegExp(`chain +3 backups, from the full backup ${ids[0]} on: 30 events in 5 streams`),
    );
    assert.match(stdout, / 7 {2}1–7 +s-0\n/);
    assert.match(stdout, / 5 {2}1–5 +s-4\n$/);
    const { document } = await json('show', ids[2]!, '--streams');
    assert.deepEqual(document.links, ids.slice(0, 3));
    const events = document.streams.map((stream: { events: number }) => stream.events);
    assert.deepEqual(events, [7, 7, 6, 5, 5]);
  });

  it('export writes the events of all links', async () => {
    const { ran, document } = await json('export', ids[2]!, '--to', at('events.jsonl'));
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(document.events, 30);
    const lines = (await readFile(at('events.jsonl'), 'utf8')).trimEnd().split('\n');
    const keys = lines
      .map((line) => JSON.parse(line))
      .map(({ streamId, version }) => `${streamId} ${version}`);
    assert.equal(new Set(keys).size, 30);
  });

  it('verify takes a named backup with all that it builds on, and compares the chain with the store', async () => {
    const { ran, document } = await json('verify', ids[2]!, '--against-store');
    assert.equal(ran.code, 0, ran.stdout);
    const backups: BackupVerification[] = document.backups;
    assert.deepEqual(
      backups.map(({ backupId, completenessVerified }) => [backupId, completenessVerified]),
      [
        [ids[0], false],
        [ids[1], false],
        [ids[2], true],
      ],
    );
    const all = await json('verify', '--against-store');
    assert.deepEqual([all.ran.code, all.document.overallValid, all.document.backups.length], [0, true, 4]);
  });

  it('verify against the store counts what was deleted, stream by stream', async () => {
    sql(
      `DELETE FROM eventcore_events WHERE stream_id = 's-4' OR (stream_id = 's-1' AND stream_version IN (2, 3))`,
    );
    const { ran, document } = await json('verify', ids[2]!, '--against-store');
    assert.equal(ran.code, 4);
    const problems: Problem[] = document.backups[2].problems;
    assert.deepEqual(
      problems.map(({ code, streamId, message }) => [code, streamId, message.replace(/^.*: /, '')]),
      [
        ['store_differs', 's-1', '2 events are gone'],
        ['store_differs', 's-4', '5 events are gone'],
      ],
    );
  });

  it('restore brings the newest chain back, in the state of its last link, and any other by its id', async () => {
    const dry = await json('restore', '--to', store('restored.db'), '--dry-run');
    assert.deepEqual([dry.document.events, dry.document.chain], [30, [ids[0], ids[1], ids[3]]]);
    const { ran, document } = await json('restore', '--to', store('restored.db'));
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual([document.eventsRestored, document.chain], [30, [ids[0], ids[1], ids[3]]]);
    assert.equal(document.checkpoints.length, 1, 'a checkpoint is not loaded once for each link');
    assert.equal(document.checkpoints[0].restoredPosition, 'new');
    assert.equal(await digestAt(store('restored.db')), digests[3]);
    for (const [i, id] of ids.entries()) {
      const one = await run('restore', '--backup', id, '--to', store(`restored-${i}.db`));
      assert.equal(one.code, 0, one.stderr);
      assert.equal(await digestAt(store(`restored-${i}.db`)), digests[i]);
    }
  });

  it('a link with one changed byte is named by a restore, which publishes nothing', async () => {
    const file = join(await folderOf(ids[1]!), 'events-00001.jsonl.zst');
    const whole = await readFile(file);
    const changed = Buffer.from(whole);
    changed[changed.length >> 1]! ^= 1;
    await writeFile(file, changed);
    const ran = await run('restore', '--backup', ids[2]!, '--to', store('never.db'));
    assert.equal(ran.code, 4);
    assert.match(ran.stderr, new RegExp(`chunk 0 of events-00001.* \\(in .*${ids[1]}`));
    await withStoreAt(store('never.db'), async (opened) => {
      assert.equal((await opened.inspect()).state, 'missing');
    });
    const { document } = await json('verify', ids[3]!);
    assert.deepEqual(
      document.backups.map(({ problems }: BackupVerification) => problems.map(({ code }) => code)),
      [[], ['chunk_checksum', 'file_checksum'], ['chain_broken']],
    );
    await writeFile(file, whole);
  });

  it('without a link in the middle, what builds on it is marked, refused and failed, and the rest is used', async () => {
    await rm(await folderOf(ids[1]!), { recursive: true });
    const listed = await run('list');
    assert.match(listed.stdout, /├ .* incremental, broken/);
    assert.match(listed.stdout, /2 backups that cannot be used, because a chain is broken/);
    assert.match(listed.stdout, new RegExp(`${ids[2]}  ${ids[1]}, which it builds on, is not in the vault`));
    const { document } = await json('list');
    assert.equal(document.recoveryWindows.length, 1);
    assert.deepEqual(
      document.backups.map(
        ({ chainBroken }: { chainBroken: { reason: string } | null }) => chainBroken?.reason,
      ),
      [undefined, 'missing', 'missing'],
    );
    const verified = await run('verify', '--quick');
    assert.equal(verified.code, 4);
    assert.match(verified.stdout, /^FAILED: 2 of 3 backups/);
    assert.match(verified.stdout, /chain_broken {2}.*\n.*hint:.* begin a new chain/);
    for (const words of [
      ['restore', '--to', store('no.db'), '--backup'],
      ['show', '--streams'],
      ['export', '--to', at('no')],
    ]) {
      const refused = await run(...words, ids[2]!);
      assert.equal(refused.code, 4, words.join(' '));
      assert.match(refused.stderr, new RegExp(`${ids[2]} cannot be used: ${ids[1]}`));
    }
    assert.match((await run('show', ids[2]!)).stdout, /broken: .* is not in the vault/);
    const ran = await run('restore', '--to', store('older.db'));
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stderr, new RegExp(`${ids[3]} is passed over, and is newer`));
    assert.equal(await digestAt(store('older.db')), digests[0]);
  });

  it('without the full backup, list shows its place empty', async () => {
    await rm(await folderOf(ids[0]!), { recursive: true });
    const { stdout } = await run('list');
    assert.match(stdout, new RegExp(`^ {2}${ids[0]!.slice(0, 8)} +full, not usable$`, 'm'));
    const ran = await run('restore', '--to', store('none.db'));
    assert.equal(ran.code, 4);
    assert.match(ran.stderr, new RegExp(`${ids[3]} cannot be used`));
  });
});
