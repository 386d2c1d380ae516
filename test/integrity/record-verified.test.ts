import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BackupError } from '../../src/core/errors.ts';
import type { Vault } from '../../src/core/vault.ts';
import type { VerifiedUnit } from '../../src/core/verified.ts';
import { MAX_RECORD_UNITS, readVerified } from '../../src/format/verified-record.ts';
import { makeRecorder } from '../../src/integrity/verify/record-verified.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { readOnlyVault } from '../../src/vaults/wrappers/read-only.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { testClock } from '../harness/memory-backup.ts';

const FOLDER = 'backups/one/';

function unit(name: string, ...failed: VerifiedUnit['failed']): VerifiedUnit {
  const verifiedAt = '2026-11-23T04:05:06.789Z';
  return { name, digest: null, verifiedAt, passed: ['existence'], failed };
}

function recorderOf(vault: Vault, flushMs = 10_000) {
  const refusals: string[] = [];
  const onRefused = ({ code }: BackupError) => refusals.push(code);
  return {
    recorder: makeRecorder({ vault, clock: testClock }, { software: 'test', flushMs, onRefused }),
    refusals,
  };
}

const namesIn = async (vault: Vault): Promise<string[][]> =>
  (await readVerified(vault)).map(({ record }) => record!.units.map(({ name }) => name));

describe('what is written down while a verification runs', () => {
  it('is in the vault soon, though the run does not end; in the end one record says all of it', async () => {
    const vault = memoryVault();
    const { recorder } = recorderOf(vault, 5);
    for (const name of ['a', 'b', 'c']) {
      recorder.note(unit(FOLDER + name));
      while (!(await namesIn(vault)).flat().includes(FOLDER + name)) await sleep(1);
    }
    await recorder.end();
    // Records of one millisecond lie in no order.
    const longest = (await namesIn(vault)).toSorted((one, other) => other.length - one.length)[0];
    assert.deepEqual(longest, [`${FOLDER}a`, `${FOLDER}b`, `${FOLDER}c`]);
  });

  it('is one record of a short run, and none of a run that found nothing', async () => {
    const vault = memoryVault();
    await recorderOf(vault).recorder.end();
    assert.deepEqual(await namesIn(vault), []);
    const { recorder } = recorderOf(vault);
    for (const name of [`${FOLDER}a`, `${FOLDER}b`, 'log/7-1/x.log']) recorder.note(unit(name));
    await recorder.end();
    assert.deepEqual(await namesIn(vault), [[`${FOLDER}a`, `${FOLDER}b`, 'log/7-1/x.log']]);
  });

  it('says of a backup that was verified whole only that', async () => {
    const vault = memoryVault();
    const { recorder } = recorderOf(vault);
    for (const name of [`${FOLDER}a`, `${FOLDER}b`, FOLDER]) recorder.note(unit(name));
    await recorder.end();
    assert.deepEqual(await namesIn(vault), [[FOLDER]]);
  });

  it('is cut into records that can be read', async () => {
    const vault = memoryVault();
    const { recorder } = recorderOf(vault);
    for (let i = 0; i <= MAX_RECORD_UNITS; i += 1) recorder.note(unit(`${FOLDER}${i}`));
    await recorder.end();
    assert.deepEqual(
      (await namesIn(vault)).map(({ length }) => length).sort((a, b) => a - b),
      [1, MAX_RECORD_UNITS],
    );
  });

  it('is given up with one warning where the vault takes nothing, and verification goes on', async () => {
    const readOnly = recorderOf(readOnlyVault(memoryVault()), 1);
    for (const name of ['a', 'b', 'c']) {
      readOnly.recorder.note(unit(FOLDER + name));
      await sleep(5);
    }
    await readOnly.recorder.end();
    assert.deepEqual(readOnly.refusals, ['vault_refused']);
    const { vault } = faultyVault(memoryVault(), { failAt: 2, forGood: true });
    const failing = recorderOf(vault);
    failing.recorder.note(unit(`${FOLDER}a`));
    await failing.recorder.end();
    assert.deepEqual(failing.refusals, ['vault_unreachable']);
  });

  it('does not hide a bug', async () => {
    const vault = { ...memoryVault(), createObject: () => Promise.reject(new TypeError('a bug')) };
    const { recorder, refusals } = recorderOf(vault);
    recorder.note(unit(`${FOLDER}a`));
    await assert.rejects(recorder.end(), TypeError);
    assert.deepEqual(refusals, []);
  });
});
