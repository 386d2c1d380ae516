import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { drProtector } from '../../src/cli/disaster/protector.ts';
import { type DrRestorerOptions, drRestorer } from '../../src/cli/disaster/restorer.ts';
import { drSalvager } from '../../src/cli/disaster/salvager.ts';
import { drTrials } from '../../src/cli/disaster/trials.ts';
import { openStore, openVault } from '../../src/cli/wire.ts';
import type { StepFacts } from '../../src/core/disaster.ts';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { encodePlan, putPlan } from '../../src/format/disaster-plan.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { archivedVault } from '../harness/archived-vault.ts';
import { runHere } from '../harness/command.ts';
import { fill, objectNames, overwrite, readObject } from '../harness/memory-backup.ts';
import { type OpenedWork, openRecoveryWork, writeConfig } from '../harness/recovery-work.ts';
import { samplePlan } from '../harness/sample-disaster.ts';

const { signal } = new AbortController();
const CALL = { signal };
const { planId } = samplePlan();

/** A store of SQLite in one region, whose vaults are sealed: what ports do with it needs no server. */
describe('ports of a recovery over files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'dr-files-'));
  const store = `sqlite:${join(folder, 'events.db')}`;
  let work: OpenedWork;
  let vaults: Record<'east' | 'west', Vault>;
  let live: EventStore;
  let targets = 0;

  before(async () => {
    const identity = await generateX25519Identity();
    writeFileSync(join(folder, 'owner.txt'), `${identity}\n`, { mode: 0o600 });
    const region = (name: string) =>
      `    - { region: ${name}, servers: ["postgres://p@${name}/events"], vault: ./${name} }\n`;
    const text = `store: ${store}
encryption:
  recipients: [${await identityToRecipient(identity)}]
  identities: [owner.txt]
disaster:
  regions:
${region('east')}${region('west')}`;
    work = await openRecoveryWork(writeConfig(folder, text));
    const [east, west] = work.vaults.all.map(({ vault }) => vault) as [Vault, Vault];
    vaults = { east, west };
    live = await openStore(store);
    await live.initialise();
    await live.append([{ streamId: 's', events: [event(1), event(2)] }]);
    await drProtector(work).protect({ store, vault: east.address }, CALL);
    await live.append([{ streamId: 's', events: [event(3)] }]);
    await drProtector(work).protect({ store, vault: west.address }, CALL);
  });

  after(async () => {
    await live.close();
    await work.close();
    rmSync(folder, { recursive: true });
  });

  function event(n: number) {
    return { type: 'Counted', data: `{"n":${n}}` };
  }

  const all = (): string[] => [vaults.east.address, vaults.west.address];

  function target(): string {
    targets += 1;
    return `sqlite:${join(folder, `target-${targets}.db`)}`;
  }

  function restore(
    to: string,
    changes: { readonly isAgain?: boolean; readonly at?: string } = {},
    using: { readonly vaults?: readonly Vault[]; readonly options?: DrRestorerOptions } = {},
  ): Promise<StepFacts> {
    const placed = (using.vaults ?? Object.values(vaults)).map((vault) => ({ vault }));
    const restorer = drRestorer(
      { ...work, vaults: { all: placed, open: placed } },
      using.options ?? { waitForArchive: false },
    );
    const request = { planId, to, at: changes.at ?? null, vaults: all(), isAgain: changes.isAgain === true };
    return restorer.restore(request, CALL);
  }

  async function digestOf(address: string): Promise<unknown> {
    const opened = await openStore(address);
    try {
      return await digestStore(opened);
    } finally {
      await opened.close();
    }
  }

  it('restore from the vault that reaches furthest, not from the first one', async () => {
    const to = target();
    const facts = await restore(to);
    assert.deepEqual([facts.vault, facts.events, facts.passedOver], [vaults.west.address, 3, undefined]);
    assert.deepEqual(await digestOf(to), await digestStore(live));
  });

  it('refuse a place that holds events or is in use, and restore over their own only when told so', async () => {
    const restorer = drRestorer(work, { waitForArchive: false });
    const to = target();
    assert.equal(await restorer.refuse(to, CALL), null);
    assert.ok(!readdirSync(folder).includes(to.slice(to.lastIndexOf('/') + 1)), 'asking leaves no file');
    await restore(to);
    assert.match((await restorer.refuse(to, CALL))!, /holds events|not empty/);
    assert.match((await restorer.refuse(store, CALL))!, /in use/);
    await assert.rejects(restore(to), (error) => isBackupError(error, 'target_not_empty'));
    assert.equal((await restore(to, { isAgain: true })).events, 3);
  });

  it('take the next vault where one is damaged, and say so', async () => {
    const name = (await objectNames(vaults.west)).find((object) => object.includes('events-'))!;
    const bytes = await readObject(vaults.west, name);
    const broken = Buffer.from(bytes);
    broken[40] = broken[40]! ^ 0xff;
    await overwrite(vaults.west, name, broken);
    const to = target();
    // The log of the west has all of it, but no base: what the east has is what can be had.
    const facts = await restore(to);
    assert.equal(facts.vault, vaults.east.address);
    assert.match(String(facts.passedOver), /west: .*(damaged|checksum|seal)/);
    await overwrite(vaults.west, name, bytes);
  });

  it('ask an archive only where nothing else is left, say that it takes hours, and wait when told so', async () => {
    const isEvents = (name: string) => name.includes('/events-') || name.endsWith('/manifest.json');
    const archived = archivedVault(vaults.west, isEvents);
    const beside = await restore(target(), {}, { vaults: [vaults.east, archived.vault] });
    assert.equal(beside.vault, vaults.east.address);
    const alone = [archivedVault(vaults.east, isEvents).vault, archivedVault(vaults.west, isEvents).vault];
    await assert.rejects(restore(target(), {}, { vaults: alone }), (error) => {
      assert.ok(isBackupError(error, 'object_archived'));
      assert.equal(error.retryable, true);
      assert.match(`${error.hint}`, /up to 12 h/);
      return true;
    });
    const waited = await restore(target(), {}, { vaults: alone, options: { waitForArchive: true } });
    assert.equal(waited.waitedForArchive, true);
  });

  it('say what each vault lacks where none can give the point', async () => {
    await assert.rejects(restore(target(), { at: '2001-01-01T00:00:00Z' }), (error) => {
      assert.ok(isBackupError(error, 'no_restore_point'));
      assert.match(error.message, /nor could others give it/);
      return true;
    });
  });

  it('check and probe it, and find it by the address that applications use', async () => {
    const to = target();
    await restore(to);
    const { disaster } = work;
    const trials = (publicAddress: string) =>
      drTrials(
        { ...work, disaster: { ...disaster, public: publicAddress } },
        { planId, name: null, lagMs: 0 },
      );
    const facts = await trials(to).examine(to, CALL);
    assert.ok(Number(facts.checks) > 8, `${facts.checks}`);
    assert.equal((await trials(to).probePublic(to, CALL)).publicProven, true);
    await assert.rejects(trials(store).probePublic(to, CALL), (error) =>
      isBackupError(error, 'verification_failed'),
    );
  });

  it('find a gap that no backup knows of, and take one for no damage that the store always had', async () => {
    const address = target();
    const odd = await openStore(address);
    await odd.initialise();
    await fill(
      odd,
      [1, 2, 4].map((version) => ({ streamId: 'odd', version })),
    );
    const trials = drTrials(work, { planId, name: null, lagMs: 0 });
    await assert.rejects(trials.examine(address, CALL), (error) => {
      assert.ok(isBackupError(error, 'verification_failed'));
      assert.match(error.message, /stream_gaps/);
      return true;
    });
    const place = { vault: openVault(`file:${join(folder, 'odd-vault')}`) };
    await place.vault.open({ create: true });
    const knowing = { ...work, vaults: { all: [place], open: [place] } };
    await drProtector(knowing).protect({ store: address, vault: place.vault.address }, CALL);
    const options = { planId, name: null, lagMs: 0 };
    assert.equal((await drTrials(knowing, options).examine(address, CALL)).streams, 'all');
    const sampled = await drTrials(knowing, { ...options, mostEvents: 1 }).examine(address, CALL);
    assert.equal(sampled.streams, '1 of 3 parts');
    await odd.close();
  });

  it('salvage into the sealed vault what only the old file has, and the command shows it to who can open it', async () => {
    const to = target();
    await restore(to);
    await live.append([{ streamId: 'lost-stream', events: [event(1), event(2)] }]);
    const recovery = { strategy: 'full_rebuild' as const, recoveredAt: null, cutLsn: null };
    const request = { planId, from: store, into: to, vault: vaults.east.address, merge: true, recovery };
    const found = await drSalvager(work).salvage(request, CALL);
    assert.deepEqual([found.events, found.merged, found.conflicts], [2, 2, 0]);
    assert.match(found.object!, /salvage-1\.jsonl\.sealed$/);
    await putPlan(vaults.east, encodePlan(samplePlan({ journalVault: vaults.east.address }), null));
    const config = ['--config', join(folder, 'eventcore.config.yaml')];
    const shown = await runHere(['dr', 'salvaged', planId.slice(0, 8), ...config]);
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /lost-stream +2 +1–2 +is not there +can be merged/);
    const lines = await runHere(['dr', 'salvaged', '--events', ...config]);
    assert.deepEqual(
      lines.stdout
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { data: unknown }).data),
      [{ n: 1 }, { n: 2 }],
    );
    const { stdout } = await runHere(['dr', 'salvaged', '--json', ...config]);
    const [{ streams, events }] = (
      JSON.parse(stdout) as { salvages: [{ streams: unknown[]; events: number }] }
    ).salvages;
    assert.deepEqual([streams.length, events], [1, 2]);
  });
});
