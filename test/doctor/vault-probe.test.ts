import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import type { Vault } from '../../src/core/vault.ts';
import { checkProbe, PROMISE_CHECKS } from '../../src/doctor/vault-checks.ts';
import { probeVault } from '../../src/doctor/vault-probe.ts';
import { DAY_MS } from '../../src/policy/duration.ts';
import { names } from '../../src/testing/vault/fixture.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { meteredVault } from '../../src/vaults/wrappers/metered.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { appendOnlyVault, archivingVault, UNSOUND_VAULTS } from '../harness/unsound-vaults.ts';

const clock = { now: Date.now, uuid: () => '6f1c6f0e-0000-4000-8000-000000000001' };

/** What is not good, as `name: message`. */
async function found(vault: Vault, keptMs: number | null = null): Promise<string[]> {
  const checks = checkProbe(await probeVault(vault, clock), vault.address, keptMs);
  assert.deepEqual(
    checks.map(({ name }) => name),
    [...PROMISE_CHECKS],
  );
  return checks
    .filter(({ verdict }) => verdict !== 'good')
    .map(({ verdict, name, message }) => `${verdict} ${name}: ${message.replace(/^memory:: /, '')}`);
}

describe('a look at a vault', () => {
  it('finds all promises of a sound one kept, and leaves nothing of itself', async () => {
    const vault = memoryVault();
    assert.deepEqual(await found(vault), []);
    assert.deepEqual(await names(vault, ''), []);
  });

  it('writes a few small objects, and large ones only when it is asked to', async () => {
    const small = meteredVault(memoryVault());
    await probeVault(small.vault, clock);
    assert.ok(small.read().bytesWritten < 1000);
    const large = meteredVault(memoryVault());
    const probe = await probeVault(large.vault, clock, { large: true });
    assert.deepEqual([probe.writes, probe.listing], [{ broken: [] }, { broken: [] }]);
    assert.ok(large.read().bytesWritten > 8 * (9 << 20));
    assert.deepEqual(await names(large.vault, ''), []);
  });

  it('removes what an earlier one left, once it is old', async () => {
    const vault = memoryVault();
    for (const name of ['doctor/left', 'backups/left']) await (await vault.createObject(name)).commit();
    await probeVault(vault, clock);
    assert.deepEqual(await names(vault, ''), ['backups/left', 'doctor/left']);
    await probeVault(vault, { ...clock, now: () => Date.now() + 2 * 3_600_000 });
    assert.deepEqual(await names(vault, ''), ['backups/left']);
  });

  const unsound: [keyof typeof UNSOUND_VAULTS, RegExp][] = [
    [
      'overwrites what is there',
      /^bad vault writes: of 8 .* 8 succeeded; an object that was there was overwritten$/,
    ],
    ['tells two that they won', /^bad vault writes: of 8 that wrote the same object at once 2 succeeded/],
    ['shows what is unfinished', /^bad vault writes: an object shows before it is finished$/],
    ['keeps what was given up', /^bad vault writes: an object that was given up is there$/],
    ['cuts what is written', /^bad vault writes: an object that was written is not there whole/],
    ['garbles what is read', /^bad vault reads: what was read is not what was written/],
    ['gives another range', /^bad vault reads: bytes 7 to 18 are others$/],
    ['gives less at the end', /^bad vault reads: to read behind the end of an object is no damage/],
    ['reads what is not there', /^bad vault reads: an object that is not there can be read \(it succeeds\)$/],
    ['lists late', /^bad vault listing: a listing does not show what was written$/],
    ['lists in another order', /^bad vault listing: a listing is not in byte order$/],
    ['lists twice', /^bad vault listing: a listing shows an object twice$/],
    ['lists beyond the prefix', /^bad vault listing: a listing of a folder shows what is not in it$/],
    ['keeps what was removed', /^bad vault removal: an object that was removed is still there/],
  ];
  for (const [name, message] of unsound) {
    it(`finds out a vault that ${name}`, async () => {
      const told = await found(UNSOUND_VAULTS[name]());
      assert.ok(
        told.some((line) => message.test(line)),
        told.join('\n'),
      );
    });
  }

  it('has one unsound vault for each thing that it looks for', () => {
    assert.deepEqual(unsound.map(([name]) => name).sort(), Object.keys(UNSOUND_VAULTS).sort());
  });

  it('takes a host that cannot remove for one that only adds, and says what stays', async () => {
    const told = await found(appendOnlyVault());
    assert.equal(told.length, 1);
    assert.match(
      told[0]!,
      /^warn vault removal: .*backups can be added and not removed; 3 objects of this look stay/,
    );
  });

  it('reads nothing where all goes into an archive', async () => {
    const told = await found(archivingVault());
    assert.equal(told.length, 1);
    assert.match(told[0]!, /^skipped vault reads: .* archived at once/);
  });

  it('stops when it is told to', async () => {
    const vault = memoryVault();
    const signal = AbortSignal.abort();
    await assert.rejects(probeVault(vault, clock, { signal }), (error) =>
      isBackupError(error, 'interrupted'),
    );
    assert.deepEqual(await names(vault, ''), []);
  });

  it('of one that fails at any call is that failure, and leaves it clean', async () => {
    for (let failAt = 1; ; failAt += 1) {
      const inner = memoryVault();
      const { vault } = faultyVault(inner, { failAt });
      const failure = await probeVault(vault, clock).then(
        () => null,
        (error: unknown) => error,
      );
      if (failure === null) {
        assert.ok(failAt > 30, `${failAt} calls`);
        return;
      }
      assert.ok(isBackupError(failure, 'vault_unreachable'), String(failure));
      // One failure of the cleaning itself is all that may leave something.
      assert.deepEqual(await names(inner, ''), [], `call ${failAt}`);
    }
  });
});

describe('what a vault gives beyond its promises', () => {
  const locked = (days: number): Vault => ({
    ...memoryVault(),
    traits: async () => ({
      ...{ lock: { mode: 'governance', days }, keepsVersions: true, createOnly: 'claims' as const },
    }),
  });

  it('is told, and compared with how long the policy keeps', async () => {
    assert.deepEqual(await found(locked(30), 30 * DAY_MS), []);
    assert.deepEqual(await found(locked(30), null), []);
    assert.match((await found(locked(60), 30 * DAY_MS))[0]!, /^warn vault traits: .* 60 days .* keeps 30d$/);
    assert.match((await found(locked(7), 30 * DAY_MS))[0]!, /^warn vault traits: .* 7 days .* keeps 30d$/);
    const probe = await probeVault(locked(30), clock);
    const traits = checkProbe(probe, 'x').find(({ name }) => name === 'vault traits')!;
    assert.match(
      traits.message,
      /^objects are locked for 30 days \(governance\), versions are kept, claims keep/,
    );
  });
});
