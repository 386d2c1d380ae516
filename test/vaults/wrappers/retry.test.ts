import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BackupError, isBackupError } from '../../../src/core/errors.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { collect, put, text } from '../../../src/testing/vault/fixture.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { type RetryOptions, retryPauseMs, retryVault } from '../../../src/vaults/wrappers/retry.ts';
import { faultyVault } from '../../harness/faulty-vault.ts';

const QUICK: RetryOptions = { firstPauseMs: 1, longestPauseMs: 2 };

/** Every kind of call once; `calls` of them fail as unreachable, one after the other, at the place where they begin. */
async function useAll(vault: Vault): Promise<void> {
  await vault.open({ create: true });
  await put(vault, 'a/first', text('content'));
  assert.equal((await vault.readRange('a/first', 0, 7)).length, 7);
  assert.equal((await vault.stat('a/first'))?.sizeBytes, 7);
  assert.equal((await collect(vault, 'a/')).length, 1);
  await vault.copyObject('a/first', 'b/second');
  assert.equal((await vault.recall('b/second')).state, 'readable');
  assert.equal(await vault.setLegalHold('b/second', true), false);
  await vault.removeObject('b/second');
  assert.equal(await vault.removeLeftovers(''), 0);
  assert.equal((await vault.traits()).createOnly, 'exact');
  assert.equal(await vault.freeBytes(), null);
}

const NEVER_REPEATED = ['write', 'commit', 'copyObject'];
const ORDER = ['open', 'createObject', 'write', 'commit', 'readRange', 'stat', 'list', 'copyObject'];

describe('a vault that repeats calls', () => {
  it('comes over one failure at any call, but for writes, commits and copies, which it never repeats', async () => {
    const { vault: sound, calls } = faultyVault(memoryVault(), {});
    await useAll(sound);
    for (let failAt = 1; failAt <= calls(); failAt += 1) {
      const faulty = faultyVault(memoryVault(), { failAt });
      const outcome = await useAll(retryVault(faulty.vault, QUICK)).then(
        () => 'done',
        (error: unknown) => (isBackupError(error, 'vault_unreachable') ? 'failed' : String(error)),
      );
      const isLast = NEVER_REPEATED.includes(ORDER[failAt - 1] ?? '');
      assert.equal(outcome, isLast ? 'failed' : 'done', `call ${failAt}: ${ORDER[failAt - 1]}`);
    }
  });

  it('gives up after as many attempts as it was given, with the failure of the last', async () => {
    const faulty = faultyVault(memoryVault(), { failAt: 1, forGood: true });
    const vault = retryVault(faulty.vault, { ...QUICK, attempts: 3 });
    await assert.rejects(vault.stat('a'), /call 3 fails on purpose/);
    assert.equal(faulty.calls(), 3);
  });

  it('begins no attempt after the deadline, and waits for none that it may not make', async () => {
    const beganAt: number[] = [];
    const failing: Vault = {
      ...memoryVault(),
      stat: async () => {
        beganAt.push(performance.now());
        throw new BackupError('vault_unreachable', 'away');
      },
    };
    const pauses = { firstPauseMs: 40, longestPauseMs: 40, random: () => 1 };
    const vault = retryVault(failing, { ...pauses, attempts: 1000, deadlineMs: 100 });
    const began = performance.now();
    await assert.rejects(vault.stat('a'), /away/);
    assert.ok(beganAt.length >= 1 && beganAt.length <= 3, `${beganAt.length} attempts`);
    for (const at of beganAt) assert.ok(at - began <= 110, `an attempt after ${at - began} ms`);
    const patient = retryVault(failing, {
      ...pauses,
      longestPauseMs: 60_000,
      firstPauseMs: 60_000,
      deadlineMs: 50_000,
    });
    await assert.rejects(patient.stat('a'), /away/);
  });

  it('stops at once when it is told to', async () => {
    const stop = new AbortController();
    const faulty = faultyVault(memoryVault(), { failAt: 1, forGood: true });
    const vault = retryVault(faulty.vault, {
      ...{ firstPauseMs: 60_000, longestPauseMs: 60_000, random: () => 0.5, signal: stop.signal },
    });
    const failed = assert.rejects(vault.stat('a'), (error) => isBackupError(error, 'interrupted'));
    setTimeout(() => stop.abort(), 20);
    const began = performance.now();
    await failed;
    assert.ok(performance.now() - began < 5000);
  });

  it('repeats nothing that another answer can come of only when something is changed', async () => {
    let calls = 0;
    const answers: Vault = {
      ...memoryVault(),
      stat: async () => {
        calls += 1;
        throw new BackupError('vault_refused', 'no');
      },
    };
    await assert.rejects(retryVault(answers, QUICK).stat('a'), (error) =>
      isBackupError(error, 'vault_refused'),
    );
    assert.equal(calls, 1);
  });

  it('goes on with a listing behind what it has given, however often it breaks off', async () => {
    const inner = memoryVault();
    const names = Array.from({ length: 20 }, (_, i) => `log/${String(i).padStart(2, '0')}`);
    for (const name of names) await put(inner, name, text(name));
    const breaking: Vault = {
      ...inner,
      async *list(prefix) {
        let given = 0;
        let fresh = 0;
        for await (const info of inner.list(prefix)) {
          yield info;
          given += 1;
          // Two new ones a time.
          fresh += given > seen ? 1 : 0;
          if (fresh === 2 && given < names.length) {
            seen = given;
            throw new BackupError('vault_unreachable', 'cut');
          }
        }
      },
    };
    let seen = 0;
    const found = await collect(retryVault(breaking, { ...QUICK, attempts: 2 }), 'log/');
    assert.deepEqual(
      found.map(({ name }) => name),
      names,
    );
  });

  it('waits twice as long each time at most, up to a bound, and not always the same', () => {
    const bounds = { firstPauseMs: 200, longestPauseMs: 1000 };
    const longest = [1, 2, 3, 4, 5].map((failures) => retryPauseMs(failures, { ...bounds, random: () => 1 }));
    assert.deepEqual(longest, [200, 400, 800, 1000, 1000]);
    assert.equal(retryPauseMs(2, { ...bounds, random: () => 0.25 }), 100);
  });
});
