import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isBackupError } from '../../src/core/errors.ts';
import type { Lease } from '../../src/core/lease.ts';
import type { Vault } from '../../src/core/vault.ts';
import { decodeLease, encodeLease, leaseName } from '../../src/format/lease-record.ts';
import { leaseRemainingMs, MAX_LEASE_TTL_MS } from '../../src/policy/lease.ts';
import { type LeaseOptions, type LeasePorts, UPKEEP_LEASE, withLease } from '../../src/upkeep/lease.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { overwrite, readObject, testClock } from '../harness/memory-backup.ts';
import { timedVault } from '../harness/simulated-time.ts';

const HOUR = 3_600_000;
const TTL = 60_000;

const plain: LeasePorts = { clock: testClock, holder: 'the first' };

function hold<Result>(
  vault: Vault,
  ports: LeasePorts,
  work: (lease: Lease, signal: AbortSignal) => Promise<Result>,
  options: LeaseOptions = {},
): Promise<Result> {
  return withLease(vault, UPKEEP_LEASE, ports, work, options);
}

async function leaseNames(vault: Vault): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of vault.list('leases/')) names.push(name);
  return names;
}

describe('a lease', () => {
  it('is one holder’s until the work ends, and the next one’s at once', async () => {
    const vault = memoryVault();
    const epochs: number[] = [];
    await hold(vault, plain, async (lease) => {
      lease.assertHeld();
      epochs.push(lease.epoch);
      const second = hold(vault, { ...plain, holder: 'the second' }, async () => assert.fail('held by two'));
      await assert.rejects(second, (error) => {
        assert.ok(isBackupError(error, 'lease_held'));
        assert.match(error.message, /the first holds the lease "upkeep" of memory:, since .* and until /);
        assert.equal(error.exitCode, 7);
        return true;
      });
    });
    await hold(vault, plain, async (lease) => epochs.push(lease.epoch));
    assert.deepEqual(epochs, [1, 3]);
  });

  it('is given back when the work fails', async () => {
    const vault = memoryVault();
    await assert.rejects(
      hold(vault, plain, async () => Promise.reject(new Error('the work failed'))),
      /the work failed/,
    );
    await hold(vault, plain, async (lease) => lease.assertHeld());
  });

  it('is waited for as long as the taker wants', async () => {
    const vault = memoryVault();
    let isFree = false;
    const first = hold(vault, plain, async () => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      isFree = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await hold(vault, plain, async () => assert.equal(isFree, true), { waitMs: 5000 });
    await first;
  });

  it('of a holder that died blocks for its time and two seconds more, whatever the hosts’ clocks say', async () => {
    for (const skewMs of [-HOUR, 0, HOUR]) {
      const timed = timedVault();
      const dead = timedHost(timed, 0);
      await die(timed.vault, dead.ports);
      const other = timedHost(timed, skewMs);
      timed.nowMs += TTL + 1999;
      await assert.rejects(
        hold(timed.vault, other.ports, async () => assert.fail()),
        { code: 'lease_held' },
      );
      timed.nowMs += 1;
      await hold(timed.vault, other.ports, async (lease) => assert.equal(lease.epoch, 2));
    }
  });

  it('of a holder that was held up ends for it before another one may take it', async () => {
    const timed = timedVault();
    const host = timedHost(timed, HOUR);
    await hold(timed.vault, host.ports, async (lease) => {
      lease.assertHeld();
      timed.nowMs += TTL * 0.9;
      assert.throws(() => lease.assertHeld(), { code: 'lease_held' });
    });
  });

  it('is renewed while the work goes on, and old records go', async () => {
    const vault = memoryVault();
    await hold(
      vault,
      plain,
      async (lease, signal) => {
        await new Promise((resolve) => setTimeout(resolve, 700));
        lease.assertHeld();
        assert.equal(signal.aborted, false);
      },
      { ttlMs: 150 },
    );
    const names = await leaseNames(vault);
    assert.ok(names.length <= 8, names.join());
    assert.ok(names.at(-1)! > leaseName(UPKEEP_LEASE, 10), names.join());
  });

  it('that cannot be renewed ends, and the work is told so', async () => {
    const inner = memoryVault();
    let isAway = false;
    const away: Vault = {
      ...inner,
      createObject: (name) =>
        isAway ? faultyVault(inner, { failAt: 1 }).vault.createObject(name) : inner.createObject(name),
    };
    await hold(
      away,
      plain,
      async (lease, signal) => {
        isAway = true;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        assert.throws(() => lease.assertHeld(), { code: 'lease_held' });
      },
      { ttlMs: 150 },
    );
  });

  it('that another one took shows at the next renewal', async () => {
    const vault = memoryVault();
    await hold(
      vault,
      plain,
      async (lease, signal) => {
        const taken = decodeLease(await readObject(vault, leaseName(UPKEEP_LEASE, 1)))!;
        const bytes = encodeLease({ ...taken, number: 2, claim: testClock.uuid() });
        await overwrite(vault, leaseName(UPKEEP_LEASE, 2), bytes);
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        assert.throws(() => lease.assertHeld(), { code: 'lease_held' });
      },
      { ttlMs: 150 },
    );
  });

  it('whose record cannot be read is somebody’s, for the time that is usual', async () => {
    const timed = timedVault();
    await overwrite(timed.vault, leaseName(UPKEEP_LEASE, 7), Buffer.from('{}'));
    const { ports } = timedHost(timed, 0);
    await assert.rejects(
      hold(timed.vault, ports, async () => assert.fail()),
      { code: 'lease_held' },
    );
    timed.nowMs += TTL + 2000;
    await hold(timed.vault, ports, async (lease) => assert.equal(lease.epoch, 8));
  });

  it('of which somebody wrote the last number is refused, not held for ever', async () => {
    const timed = timedVault();
    await overwrite(timed.vault, leaseName(UPKEEP_LEASE, 10 ** 12 - 1), Buffer.from('{}'));
    timed.nowMs += HOUR;
    await assert.rejects(
      hold(timed.vault, timedHost(timed, 0).ports, async () => assert.fail()),
      { code: 'vault_refused' },
    );
  });
});

describe('a taker that was held up between looking and writing', () => {
  it('does not hold a lease whose number others took, gave back and cleared away meanwhile', async () => {
    const vault = memoryVault();
    await hold(vault, plain, async () => {});
    const gate = Promise.withResolvers<void>();
    const late: Vault = {
      ...vault,
      createObject: async (name) => {
        await gate.promise;
        return vault.createObject(name);
      },
    };
    const taker = hold(late, plain, async () => assert.fail('held by two'));
    const refused = assert.rejects(taker, { code: 'lease_held' });
    for (let round = 0; round < 8; round += 1) await hold(vault, plain, async () => {});
    assert.ok(!(await leaseNames(vault)).includes(leaseName(UPKEEP_LEASE, 3)), 'its number is free again');
    await hold(vault, plain, async () => {
      gate.resolve();
      await refused;
    });
  });
});

describe('a run that dies at any call of the vault', () => {
  it('blocks the next one for no longer than its time', async () => {
    const counted = faultyVault(memoryVault(), {});
    await hold(counted.vault, plain, async () => {});
    assert.ok(counted.calls() >= 9, `${counted.calls()} calls`);
    for (let failAt = 1; failAt <= counted.calls(); failAt += 1) {
      const timed = timedVault();
      const host = timedHost(timed, 0);
      const { vault } = faultyVault(timed.vault, { failAt, forGood: true });
      await hold(vault, host.ports, async () => {}).catch((error: unknown) => {
        assert.ok(isBackupError(error, 'vault_unreachable'), String(error));
      });
      timed.nowMs += TTL + 2000;
      await hold(timed.vault, timedHost(timed, HOUR).ports, async (lease) => lease.assertHeld());
    }
  });

  it('may fail once at any call: the lease is given back, or was never taken', async () => {
    const counted = faultyVault(memoryVault(), {});
    await hold(counted.vault, plain, async () => {});
    for (let failAt = 1; failAt <= counted.calls(); failAt += 1) {
      const timed = timedVault();
      const { vault } = faultyVault(timed.vault, { failAt });
      let held = false;
      await hold(vault, timedHost(timed, 0).ports, async () => {
        held = true;
      }).catch((error: unknown) => assert.ok(isBackupError(error, 'vault_unreachable') && !held));
      timed.nowMs += TTL + 2000;
      await hold(timed.vault, timedHost(timed, -HOUR).ports, async (lease) => lease.assertHeld());
    }
  });
});

describe('hosts that race for a lease', () => {
  it('never hold it at the same time, in whatever order the vault answers and however long it takes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.integer({ min: 0, max: 2500 }), { minLength: 1, maxLength: 40 }),
        async (scheduler, delaysMs) => {
          const timed = timedVault();
          let calls = 0;
          const slow = async <Value>(work: () => Promise<Value>): Promise<Value> => {
            await scheduler.schedule(Promise.resolve());
            timed.nowMs += delaysMs[calls++ % delaysMs.length]!;
            return work();
          };
          const vault = slowly(timed.vault, slow);
          const holders = new Set<Lease>();
          const host = async (skewMs: number): Promise<void> => {
            const { ports } = timedHost(timed, skewMs);
            for (let round = 0; round < 3; round += 1) {
              await hold(
                vault,
                ports,
                async (lease) => {
                  holders.add(lease);
                  for (let step = 0; step < 8; step += 1) {
                    assert.ok([...holders].filter(isHeld).length <= 1, 'two hold it');
                    await slow(async () => {});
                  }
                  holders.delete(lease);
                },
                { ttlMs: 6000 },
              ).catch((error: unknown) => assert.ok(isBackupError(error, 'lease_held'), String(error)));
            }
          };
          const all = Promise.all([host(-HOUR), host(0), host(HOUR)]);
          await scheduler.waitFor(all);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('how long a taker must wait', () => {
  it('is never more than the time of a lease, and nothing when it was given back', () => {
    fc.assert(
      fc.property(
        fc.record({
          state: fc.constantFrom('held' as const, 'released' as const),
          ttlMs: fc.integer({ min: 1, max: 2 ** 40 }),
          writtenAtMs: fc.integer({ min: 0, max: 2 ** 42 }),
          nowMs: fc.integer({ min: 0, max: 2 ** 42 }),
        }),
        (found) => {
          const remainingMs = leaseRemainingMs(found);
          assert.ok(remainingMs >= 0 && remainingMs <= MAX_LEASE_TTL_MS + 2000);
          if (found.state === 'released') assert.equal(remainingMs, 0);
          else if (found.nowMs - found.writtenAtMs < Math.min(found.ttlMs, MAX_LEASE_TTL_MS))
            assert.ok(remainingMs > 0);
        },
      ),
    );
  });
});

function isHeld(lease: Lease): boolean {
  try {
    lease.assertHeld();
    return true;
  } catch {
    return false;
  }
}

function timedHost(timed: { readonly nowMs: number }, skewMs: number): { ports: LeasePorts } {
  return {
    ports: {
      clock: { ...testClock, now: () => timed.nowMs + skewMs },
      holder: `a host that is ${skewMs} ms ahead`,
      steadyMs: () => timed.nowMs - 12_345,
    },
  };
}

/** Takes the lease and never gives it back. */
async function die(vault: Vault, ports: LeasePorts): Promise<void> {
  let isDead = false;
  const dying: Vault = {
    ...vault,
    createObject: (name) => (isDead ? Promise.reject(new Error('dead')) : vault.createObject(name)),
  };
  await hold(dying, ports, async () => {
    isDead = true;
  }).catch(() => undefined);
}

function slowly(vault: Vault, slow: <Value>(work: () => Promise<Value>) => Promise<Value>): Vault {
  return {
    ...vault,
    createObject: async (name) => {
      const writer = await slow(() => vault.createObject(name));
      return { ...writer, commit: () => slow(() => writer.commit()) };
    },
    readRange: (...range) => slow(() => vault.readRange(...range)),
    stat: (name) => slow(() => vault.stat(name)),
    removeObject: (name) => slow(() => vault.removeObject(name)),
    async *list(prefix) {
      const found = await slow(async () => {
        const infos = [];
        for await (const info of vault.list(prefix)) infos.push(info);
        return infos;
      });
      yield* found;
    },
  };
}
