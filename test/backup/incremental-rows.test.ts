import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { makeRandom } from '../../src/testing/random.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { newestChain } from '../harness/chain-backup.ts';
import { backUp } from '../harness/memory-backup.ts';
import { digestChain, takeIncremental } from '../harness/proof-run.ts';
import { temporaryStore } from '../stores/sqlite/temporary-store.ts';

/** A store in SQLite whose rows 1 to 6 are backed up. */
interface Place {
  readonly store: EventStore;
  readonly file: string;
  readonly db: DatabaseSync;
  readonly vault: Vault;
}

let made = 0;

function insert(
  { db }: Pick<Place, 'db'>,
  stream: string,
  version: number,
  rowid: number | null = null,
): void {
  made += 1;
  db.prepare(
    `INSERT INTO eventcore_events (rowid, event_id, stream_id, stream_version, event_type, event_data)
     VALUES (?, ?, ?, ?, 'T', ?)`,
  ).run(rowid, `00000000-0000-7000-8000-${String(made).padStart(12, '0')}`, stream, version, `{"n":${made}}`);
}

async function backedUp(t: TestContext): Promise<Place> {
  const { store, file, migrate } = temporaryStore(t);
  const place = { store, file, db: migrate(), vault: memoryVault() };
  for (const version of [1, 2, 3]) for (const stream of ['a', 'b']) insert(place, stream, version);
  await backUp(store, place.vault);
  return place;
}

/** How a backup found what is new, having shown that the chain holds what the store does. */
async function foundBy({ store, vault }: Place): Promise<string> {
  const outcome = await takeIncremental(store, vault);
  assert.ok(outcome.kind === 'taken', JSON.stringify(outcome));
  assert.deepEqual(await digestChain(vault, await newestChain(vault)), await digestStore(store));
  return outcome.report.manifest.chain!.method;
}

async function differences({ store, vault }: Place): Promise<string[]> {
  const outcome = await takeIncremental(store, vault);
  assert.ok(outcome.kind === 'differs', JSON.stringify(outcome));
  return outcome.differences.streams.map(({ streamId, kind, events }) => `${streamId} ${kind} ${events}`);
}

const remove = ({ db }: Place, where: string) => db.exec(`DELETE FROM eventcore_events WHERE ${where}`);

test('what was only added to is found by row numbers, in old streams, in new ones, and below versions that are there', async (t) => {
  const place = await backedUp(t);
  assert.equal(await foundBy(place), 'rows');
  insert(place, 'a', 4);
  insert(place, 'new', 7);
  insert(place, 'b', 0);
  assert.equal(await foundBy(place), 'rows');
  const { manifest } = (await newestChain(place.vault)).at(-1)!;
  assert.deepEqual([manifest.totalEvents, manifest.chain!.totalEvents], [3, 9]);
  assert.equal(await foundBy(place), 'rows');
});

test('an event that was deleted in the middle is named, whatever was added', async (t) => {
  const place = await backedUp(t);
  remove(place, 'rowid = 3');
  insert(place, 'a', 4);
  assert.deepEqual(await differences(place), ['a lost 1']);
});

test('an event that another one was put in the place of is named', async (t) => {
  const place = await backedUp(t);
  remove(place, 'rowid = 3');
  insert(place, 'a', 2);
  assert.deepEqual(await differences(place), ['a diverged 1']);
});

test('a last row that was deleted is named, and not taken for the one that has its number then', async (t) => {
  const place = await backedUp(t);
  remove(place, 'rowid = 6');
  assert.deepEqual(await differences(place), ['b lost 1']);
  insert(place, 'b', 3);
  assert.deepEqual(await differences(place), ['b diverged 1']);
  insert(place, 'a', 4);
  assert.deepEqual(await differences(place), ['b diverged 1']);
});

test('an event with the number of an earlier row gives way to a full backup', async (t) => {
  const place = await backedUp(t);
  insert(place, 'a', 4, -5);
  const outcome = await takeIncremental(place.store, place.vault);
  assert.ok(outcome.kind === 'full-needed');
  assert.match(outcome.reason, /1 events of the store are neither in the chain nor new to it/);
});

test('rows that were numbered anew, or come from elsewhere, are compared stream by stream', async (t) => {
  const place = await backedUp(t);
  place.db.exec('UPDATE eventcore_events SET rowid = rowid + 1000');
  insert(place, 'a', 4);
  assert.equal(await foundBy(place), 'heads');
  assert.equal(await foundBy(place), 'rows');
  place.db.exec('VACUUM');
  insert(place, 'a', 5);
  assert.equal(await foundBy(place), 'heads');
  insert(place, 'a', 6);
  assert.equal(await foundBy(place), 'rows');
  place.db.exec('CREATE TABLE other (a)');
  assert.equal(await foundBy(place), 'heads');
});

test('an older copy that was put in place and gone on with is told from the store', async (t) => {
  const place = await backedUp(t);
  insert(place, 'a', 4);
  insert(place, 'b', 4);
  place.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  copyFileSync(place.file, `${place.file}.old`);
  insert(place, 'a', 5);
  assert.equal(await foundBy(place), 'rows');
  place.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  place.db.close();
  // The file stays the same one, as `cp` leaves it.
  copyFileSync(`${place.file}.old`, place.file);
  const again = { ...place, db: new DatabaseSync(place.file) };
  t.after(() => again.db.close());
  assert.deepEqual(await differences(again), ['a lost 1']);
  insert(again, 'b', 5);
  assert.deepEqual(await differences(again), ['a lost 1']);
});

test('whatever is added, deleted, replaced and numbered anew, what is taken is what the store has', async (t) => {
  const { below: pick } = makeRandom(11);
  let taken = 0;
  for (let round = 0; round < 25; round += 1) {
    const place = await backedUp(t);
    const versions = new Map([...'abcd'].map((stream) => [stream, 10]));
    const add = (): void => {
      const stream = 'abcd'[pick(4)]!;
      versions.set(stream, versions.get(stream)! + 1);
      insert(place, stream, versions.get(stream)!);
    };
    const disturb = [
      () => remove(place, `rowid = ${1 + pick(12)}`),
      () => remove(place, 'rowid = (SELECT max(rowid) FROM eventcore_events)'),
      () => place.db.exec('VACUUM'),
      () => insert(place, 'below', pick(1e6), -1 - pick(1e6)),
      () => place.db.exec(`UPDATE eventcore_events SET rowid = rowid + 50 WHERE rowid > ${pick(6)}`),
    ];
    for (let backup = 0; backup < 4; backup += 1) {
      for (let step = pick(4); step > 0; step -= 1) add();
      if (pick(4) === 0) disturb[pick(disturb.length)]!();
      for (let step = pick(3); step > 0; step -= 1) add();
      const outcome = await takeIncremental(place.store, place.vault);
      if (outcome.kind !== 'taken') break;
      taken += 1;
      const chain = await newestChain(place.vault);
      assert.deepEqual(await digestChain(place.vault, chain), await digestStore(place.store));
    }
  }
  assert.ok(taken > 25 && taken < 100, `${taken} taken`);
});
