import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JournalEntry } from '../../src/core/disaster.ts';
import type { Vault } from '../../src/core/vault.ts';
import {
  encodeEntry,
  entryName,
  listRuns,
  parseEntryName,
  putEntry,
  readJournal,
} from '../../src/format/disaster-journal.ts';
import { encodeOutcome, putOutcome, readOutcome } from '../../src/format/disaster-outcome.ts';
import { encodePlan, listPlans, putPlan, readPlan } from '../../src/format/disaster-plan.ts';
import {
  encodePrimary,
  newestOf,
  primaryName,
  readNewestPrimary,
  recordPrimary,
} from '../../src/format/disaster-primary.ts';
import { putSample, readNewestSamples } from '../../src/format/disaster-sample.ts';
import { digestRecord } from '../../src/format/record.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import {
  sampleEntry,
  sampleOutcome,
  samplePlan,
  samplePosition,
  samplePrimary,
} from '../harness/sample-disaster.ts';

const PLAN = encodePlan(samplePlan(), null);
const PLAN_ID = samplePlan().planId;

async function append(vault: Vault, changes: Partial<JournalEntry> = {}): Promise<boolean> {
  const { entries, digest } = await readJournal(vault, { planId: PLAN_ID, digest: digestRecord(PLAN) });
  const entry = sampleEntry({ number: entries.length + 1, previous: digest, ...changes });
  return await putEntry(vault, encodeEntry(entry, null));
}

async function vaultWith(entries: number): Promise<Vault> {
  const vault = memoryVault();
  await putPlan(vault, PLAN);
  for (let i = 0; i < entries; i += 1) assert.ok(await append(vault, { text: `entry ${i}` }));
  return vault;
}

async function overwrite(vault: Vault, name: string, bytes: Uint8Array): Promise<void> {
  await vault.removeObject(name);
  const object = await vault.createObject(name);
  await object.write(bytes);
  await object.commit();
}

const read = (vault: Vault) => readJournal(vault, { planId: PLAN_ID, digest: digestRecord(PLAN) });
const nameOf = (number: number): string => entryName({ planId: PLAN_ID, number });

describe('a journal', () => {
  it('begins at its plan and gives its entries in their order', async () => {
    const vault = await vaultWith(12);
    const journal = await read(vault);
    assert.equal(journal.broken, null);
    assert.deepEqual(
      journal.entries.map(({ number, text }) => `${number} ${text}`),
      Array.from({ length: 12 }, (_, i) => `${i + 1} entry ${i}`),
    );
    assert.equal(journal.digest, digestRecord(journal.bytes.at(-1)!));
    assert.deepEqual(await listRuns(vault), [PLAN_ID]);
    const empty = await read(memoryVault());
    assert.deepEqual(empty, { entries: [], bytes: [], digest: digestRecord(PLAN), broken: null });
  });

  it('lets one of two append, and who writes the same again has not lost', async () => {
    const vault = await vaultWith(1);
    const { digest } = await read(vault);
    const [ours, theirs] = ['host-1', 'host-2'].map((actor) =>
      encodeEntry(sampleEntry({ number: 2, previous: digest, actor }), null),
    );
    const both = await Promise.all([putEntry(vault, ours!), putEntry(vault, theirs!)]);
    assert.equal(both.filter(Boolean).length, 1);
    const won = both[0] ? ours! : theirs!;
    assert.equal(await putEntry(vault, won), true);
    assert.equal((await read(vault)).entries.length, 2);
  });

  it('tells whoever has lost, whether the other entry is shorter or longer', async () => {
    const { digest } = await read(await vaultWith(1));
    const [short, long] = ['x', 'x'.repeat(500)].map((text) =>
      encodeEntry(sampleEntry({ number: 2, previous: digest, text }), null),
    );
    for (const [first, second] of [
      [short!, long!],
      [long!, short!],
    ] as const) {
      const vault = await vaultWith(1);
      assert.equal(await putEntry(vault, first), true);
      assert.equal(await putEntry(vault, second), false);
    }
  });

  it('ends where it was changed, with the name and the reason', async () => {
    for (const [number, reason] of [
      [1, /another/],
      [2, /does not follow/],
      [5, /does not follow/],
    ] as const) {
      const vault = await vaultWith(5);
      // Whoever rewrites an entry breaks the one behind it; at the first one, one that is of another plan.
      const planId = number === 1 ? '1b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a' : PLAN_ID;
      const changed = encodeEntry(
        sampleEntry({ number, planId, actor: 'mallory', previous: 'b'.repeat(64) }),
        null,
      );
      await overwrite(vault, nameOf(number), changed);
      const { entries, broken } = await read(vault);
      assert.equal(entries.length, number - 1);
      assert.equal(broken!.name, nameOf(number));
      assert.match(broken!.reason, reason);
    }
    const vault = await vaultWith(5);
    const { entries } = await read(vault);
    await overwrite(vault, nameOf(3), encodeEntry({ ...entries[2]!, actor: 'mallory' }, null));
    assert.equal((await read(vault)).broken!.name, nameOf(4), 'a fitting forgery shows at the next one');
  });

  it('ends where an entry is missing, torn or far too large', async () => {
    const missing = await vaultWith(5);
    await missing.removeObject(nameOf(3));
    assert.deepEqual((await read(missing)).broken, {
      name: nameOf(3),
      reason: 'is missing, and there are later ones',
    });
    const torn = await vaultWith(5);
    await overwrite(torn, nameOf(4), Buffer.from('{'));
    assert.deepEqual((await read(torn)).broken, { name: nameOf(4), reason: 'the journal entry is no JSON' });
    const large = await vaultWith(1);
    await overwrite(large, nameOf(1), Buffer.alloc(5 << 20));
    assert.match((await read(large)).broken!.reason, /too large/);
  });

  it('of another plan is none of this one', async () => {
    const vault = await vaultWith(2);
    const other = await readJournal(vault, { planId: PLAN_ID, digest: 'c'.repeat(64) });
    assert.equal(other.broken!.name, nameOf(1));
  });

  it('has names that say plan and number', () => {
    assert.equal(nameOf(7), `disaster/runs/${PLAN_ID}/00007.json`);
    assert.deepEqual(parseEntryName(nameOf(7)), { planId: PLAN_ID, number: 7 });
    for (const name of [nameOf(0), nameOf(123456), `disaster/runs/${PLAN_ID}/outcome.json`])
      assert.equal(parseEntryName(name), null);
  });
});

describe('a plan in a vault', () => {
  it('is found by its id, among others, and is written once', async () => {
    const vault = await vaultWith(1);
    const other = samplePlan({
      planId: '2b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a',
      createdAt: '2026-01-01T00:00:00.000Z',
    });
    await putPlan(vault, encodePlan(other, null));
    await putPlan(vault, PLAN);
    assert.deepEqual((await readPlan(vault, PLAN_ID))!.plan, samplePlan());
    assert.deepEqual(
      (await listPlans(vault)).map(({ planId }) => planId),
      [other.planId, PLAN_ID],
    );
    assert.equal(await readPlan(vault, '3b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a'), null);
    await assert.rejects(putPlan(vault, encodePlan(samplePlan({ risks: [] }), null)), { code: 'damaged' });
  });

  it('that was changed is not read', async () => {
    const vault = await vaultWith(0);
    const name = (await listPlans(vault))[0]!.name;
    await overwrite(
      vault,
      name,
      encodePlan(samplePlan({ planId: '2b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a' }), null),
    );
    await assert.rejects(readPlan(vault, PLAN_ID), { code: 'damaged' });
  });
});

it('an outcome is written once', async () => {
  const vault = memoryVault();
  assert.equal(await readOutcome(vault, PLAN_ID), null);
  assert.ok(await putOutcome(vault, encodeOutcome(sampleOutcome(), null)));
  assert.ok(await putOutcome(vault, encodeOutcome(sampleOutcome(), null)));
  assert.equal(await putOutcome(vault, encodeOutcome(sampleOutcome({ state: 'abandoned' }), null)), false);
  assert.deepEqual(await readOutcome(vault, PLAN_ID), sampleOutcome());
});

describe('samples', () => {
  it('are read from the newest on, of each server so many, and what is damaged is passed over', async () => {
    const vault = memoryVault();
    const at = (second: number): string => new Date(Date.UTC(2026, 10, 29, 3, 0, second)).toISOString();
    for (let second = 0; second < 10; second += 1) {
      assert.ok(await putSample(vault, samplePosition({ sampledAt: at(second) })));
      const other = samplePosition({ sampledAt: at(second), server: 'postgres://dr@db-9.example/shop' });
      if (second < 2) assert.ok(await putSample(vault, other));
    }
    const names: string[] = [];
    for await (const { name } of vault.list('disaster/samples/')) names.push(name);
    await overwrite(vault, names.at(-1)!, Buffer.from('{}'));
    const found = await readNewestSamples(vault, 3);
    assert.deepEqual(
      found.map(({ server, sampledAt }) => `${server.slice(14, 18)} ${sampledAt.slice(17, 19)}`),
      ['db-9 00', 'db-9 01', 'db-1 06', 'db-1 07', 'db-1 08'],
    );
  });
});

describe('who the primary is', () => {
  it('says the newest record, also where that cannot be read', async () => {
    const vault = memoryVault();
    assert.deepEqual(await readNewestPrimary(vault), { record: null, number: 0, unreadable: [] });
    await recordPrimary(vault, samplePrimary());
    await recordPrimary(vault, samplePrimary());
    assert.equal((await readNewestPrimary(vault)).number, 1, 'said again it is one record');
    await recordPrimary(vault, samplePrimary({ timeline: 3, epoch: 9 }));
    assert.equal((await readNewestPrimary(vault)).record!.timeline, 3);
    await assert.rejects(recordPrimary(vault, samplePrimary({ epoch: 8, timeline: 4 })), {
      code: 'plan_outdated',
    });
    await overwrite(vault, primaryName(2), encodePrimary(samplePrimary()).subarray(1));
    assert.deepEqual(await readNewestPrimary(vault), {
      record: samplePrimary(),
      number: 2,
      unreadable: [primaryName(2)],
    });
  });

  it('is the record of the greatest epoch among vaults', () => {
    const older = samplePrimary({ epoch: 8, recordedAt: '2026-11-29T09:00:00.000Z' });
    const newer = samplePrimary({ epoch: 9, recordedAt: '2026-11-29T08:00:00.000Z' });
    assert.equal(newestOf([newer, older]), newer);
    assert.equal(newestOf([]), null);
  });
});
