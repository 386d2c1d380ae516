import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CompactionReport, compactLog } from '../../src/capture/compact.ts';
import { BackupError } from '../../src/core/errors.ts';
import type { Lease } from '../../src/core/lease.ts';
import type { ObjectInfo, Vault } from '../../src/core/vault.ts';
import { parseLogName } from '../../src/format/log-name.ts';
import { writeLogFile } from '../../src/format/log-writer.ts';
import { freeze, unfreeze } from '../../src/upkeep/freeze.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { changes, encodeBlocks, FOLDER, onlyTimeline, readChanges } from '../format/log-batches.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { overwrite, readObject, testClock } from '../harness/memory-backup.ts';

const SECOND = 1000;
const POLICY = { levelsMs: [5 * SECOND, 15 * SECOND], maxBytes: 1 << 20, keepMs: 2 * SECOND };

/** A vault whose clock is the positions of the log: what commits at second n is written then. */
function timedVault(): Vault {
  const inner = memoryVault();
  const timed = (info: ObjectInfo): ObjectInfo => {
    const name = parseLogName(info.name);
    return name === null ? info : { ...info, modifiedAtMs: Number(name.to) * SECOND };
  };
  return {
    ...inner,
    async *list(prefix) {
      for await (const info of inner.list(prefix)) yield timed(info);
    },
  };
}

/** A file a second, with an event each. */
async function fill(vault: Vault, files: number): Promise<void> {
  const batches = Array.from({ length: files }, (_, i) =>
    changes([{ commit: BigInt(i), xid: i, events: [{ streamId: 's', version: i, data: `{"i":${i}}` }] }]),
  );
  for (const [i, block] of (await encodeBlocks(batches)).entries()) {
    await writeLogFile(vault, FOLDER, BigInt(i), [block]);
  }
}

async function objectNames(vault: Vault): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of vault.list(FOLDER)) names.push(name);
  return names;
}

async function compact(vault: Vault, second: number): Promise<CompactionReport> {
  return compactLog(vault, await onlyTimeline(vault), { nowMs: second * SECOND, policy: POLICY });
}

async function content(vault: Vault): Promise<unknown> {
  const { spans, problems } = await onlyTimeline(vault);
  assert.deepEqual(problems, []);
  assert.equal(spans.length, 1);
  return readChanges(vault, spans[0]!.files);
}

describe('a compaction', () => {
  it('leaves a log that reads the same in fewer files', async () => {
    const vault = timedVault();
    await fill(vault, 22);
    const before = await content(vault);
    const first = await compact(vault, 22.5);
    assert.deepEqual(first.failures, []);
    assert.deepEqual([first.joined.length, first.removed.length], [2, 0]);
    assert.deepEqual(await content(vault), before);
    const { spans, covered } = await onlyTimeline(vault);
    assert.deepEqual([spans[0]!.files.length, covered.length], [3, 21]);
    const second = await compact(vault, 25);
    assert.equal(second.removed.length, 21);
    assert.deepEqual(await content(vault), before);
    assert.deepEqual((await onlyTimeline(vault)).covered, []);
  });

  it('is plain concatenation', async () => {
    const vault = timedVault();
    await fill(vault, 6);
    const parts = await Promise.all((await objectNames(vault)).map((name) => readObject(vault, name)));
    const { joined } = await compact(vault, 6);
    assert.deepEqual(await readObject(vault, joined[0]!), Buffer.concat(parts));
  });

  it('may be killed anywhere: the log reads the same, and the next one cleans up', async () => {
    const prepared = async (): Promise<Vault> => {
      const vault = timedVault();
      await fill(vault, 14);
      await compact(vault, 14);
      return vault;
    };
    const whole = await prepared();
    const before = await content(whole);
    const counted = faultyVault(whole, {});
    await compact(counted.vault, 17);
    assert.ok(counted.calls() > 20, `${counted.calls()} calls`);
    for (let failAt = 1; failAt <= counted.calls(); failAt += 1) {
      const vault = await prepared();
      await assert.rejects(compact(faultyVault(vault, { failAt, forGood: true }).vault, 17), {
        code: 'vault_unreachable',
      });
      assert.deepEqual(await content(vault), before, `killed at call ${failAt}`);
      for (const second of [17, 40, 80]) assert.deepEqual((await compact(vault, second)).failures, []);
      const { spans, covered } = await onlyTimeline(vault);
      assert.deepEqual(covered, [], `killed at call ${failAt}`);
      assert.ok(spans[0]!.files.length === 1, `${spans[0]!.files.length} files, killed at call ${failAt}`);
      assert.deepEqual(await content(vault), before, `killed at call ${failAt}`);
    }
  });

  it('makes and removes nothing once its lease may have ended', async () => {
    const vault = timedVault();
    await fill(vault, 14);
    const atMost = (calls: number): Lease => {
      let left = calls;
      return {
        epoch: 1,
        assertHeld: () => {
          if (left === 0) throw new BackupError('lease_held', 'it ended');
          left -= 1;
        },
      };
    };
    const under = async (second: number, lease: Lease): Promise<CompactionReport> =>
      compactLog(vault, await onlyTimeline(vault), { nowMs: second * SECOND, policy: POLICY, lease });
    const names = await objectNames(vault);
    await assert.rejects(under(14, atMost(0)), { code: 'lease_held' });
    assert.deepEqual(await objectNames(vault), names);
    const { joined } = await under(14, atMost(99));
    await assert.rejects(under(17, atMost(3)), { code: 'lease_held' });
    assert.equal((await objectNames(vault)).length, names.length + joined.length - 3);
  });

  it('leaves damaged parts where they are, and says so', async () => {
    const vault = timedVault();
    await fill(vault, 6);
    const names = await objectNames(vault);
    const bytes = await readObject(vault, names[2]!);
    await overwrite(vault, names[2]!, bytes.fill(0, bytes.length - 2));
    const { joined, failures } = await compact(vault, 6);
    assert.deepEqual(joined, []);
    assert.match(failures.join(), /do not have their checksum/);
    assert.deepEqual(await objectNames(vault), names);
  });

  it('removes no part of a joined file that does not read back', async () => {
    const vault = timedVault();
    await fill(vault, 6);
    const { joined } = await compact(vault, 6);
    const bytes = await readObject(vault, joined[0]!);
    await overwrite(vault, joined[0]!, bytes.fill(0, bytes.length - 2));
    const { removed, failures } = await compact(vault, 10);
    assert.deepEqual(removed, []);
    assert.equal(failures.length, 1);
    assert.equal((await onlyTimeline(vault)).covered.length, 6);
  });

  it('takes back a joined file that the vault did not keep as it was written', async () => {
    const vault = timedVault();
    await fill(vault, 6);
    const names = await objectNames(vault);
    const corrupt = (_: string, bytes: Uint8Array): Uint8Array =>
      Uint8Array.from(bytes).fill(0, bytes.length - 2);
    const { joined, failures } = await compact(faultyVault(vault, { corrupt }).vault, 6);
    assert.deepEqual(joined, []);
    assert.equal(failures.length, 1);
    assert.deepEqual(await objectNames(vault), names);
  });

  it('does nothing while the vault is frozen, and goes on afterwards', async () => {
    const vault = timedVault();
    await fill(vault, 22);
    const names = await objectNames(vault);
    await freeze({ vault, clock: testClock }, { reason: 'incident 7', software: 'test' });
    assert.deepEqual(await compact(vault, 30), { joined: [], removed: [], failures: [] });
    assert.deepEqual(await objectNames(vault), names);
    await unfreeze({ vault, clock: testClock }, 'test');
    assert.ok((await compact(vault, 30)).joined.length > 0);
  });
});
