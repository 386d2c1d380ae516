import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import { readTold, writeTold } from '../../src/daemon/alert-memory.ts';
import {
  type AlertMemory,
  alertMemoryName,
  decodeAlertMemory,
  encodeAlertMemory,
  parseAlertMemoryName,
} from '../../src/format/alert-memory.ts';
import { writeObject } from '../../src/format/data-file-writer.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';

const FOLDER = join(import.meta.dirname, '../vectors/v1/alerts');
const ABOUT = { check: 'objective_region_rpo', place: 'region eu-west-1', findings: 1, events: 0 };

function memoryOf(number: number): AlertMemory {
  const [since, at] = ['2026-11-29T17:00:00.000Z', '2026-11-29T18:00:00.000Z'];
  const told = { at: since, severity: 'critical' as const, sizeClass: 0, to: ['mail', 'slack 2'] };
  return {
    ...{ number, at, daemon: 'db1 (pid 7)', software: 'eventcore-backup 0.1.0' },
    open: [{ ...ABOUT, severity: 'critical', since, seenRound: 0, told }],
    owed: [
      {
        ...{ id: '8f14e45f-ceea-467f-a9f6-3c0d5a2b7e11', ...ABOUT, state: 'raised' },
        ...{ severity: 'critical', since, at: since, to: ['slack 2'] },
      },
    ],
  };
}

describe('the record of what was told', () => {
  it('of version 1 is read, and written, byte for byte', async () => {
    const bytes = readFileSync(join(FOLDER, alertMemoryName(41)));
    assert.deepEqual(decodeAlertMemory(bytes), memoryOf(41));
    assert.deepEqual(encodeAlertMemory(memoryOf(41)), bytes);
    const vault = openDirectoryVault(FOLDER);
    await vault.open({ create: false });
    const { number, owed } = await readTold(vault);
    assert.deepEqual([number, owed.length], [41, 1]);
  });

  it('is refused when anything of it was changed', () => {
    const bytes = encodeAlertMemory(memoryOf(41));
    for (let i = 0; i < bytes.length; i += 1) {
      const changed = Buffer.from(bytes);
      changed[i]! ^= 1;
      assert.throws(
        () => decodeAlertMemory(changed),
        (error) => isBackupError(error, 'damaged'),
      );
    }
  });

  it('is told by its name from anything else', () => {
    assert.equal(parseAlertMemoryName(alertMemoryName(7)), 7);
    for (const name of ['alerts/7.json', 'alerts/000000000000.json', 'alerts/000000000007.json.tmp'])
      assert.equal(parseAlertMemoryName(name), null);
  });

  it('that is damaged is passed over for the one before it, and its number is taken', async () => {
    const vault = memoryVault();
    await writeTold(vault, memoryOf(1));
    await writeObject(vault, alertMemoryName(2), Buffer.from('torn'));
    const { number, open } = await readTold(vault);
    assert.deepEqual([number, open.length], [2, 1]);
    await writeTold(vault, { ...memoryOf(3), open: [] });
    assert.deepEqual((await readTold(vault)).open, []);
  });

  it('is refused to who comes late, also where its number is free again', async () => {
    const vault = memoryVault();
    for (let number = 1; number <= 12; number += 1) await writeTold(vault, memoryOf(number));
    const names: string[] = [];
    for await (const { name } of vault.list('alerts/')) names.push(name);
    assert.equal(names.length, 8);
    for (const late of [2, 12]) {
      const other = { ...memoryOf(late), daemon: 'another one' };
      await assert.rejects(writeTold(vault, other), (error) => isBackupError(error, 'lease_held'));
    }
    assert.equal((await readTold(vault)).number, 12);
  });
});
