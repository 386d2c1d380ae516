import assert from 'node:assert/strict';
import type { Vault } from '../../core/vault.ts';
import {
  assertSameBytes,
  names,
  noise,
  put,
  rejects,
  text,
  type VaultCase,
  type VaultFixture,
} from './fixture.ts';

/** What a vault promises of what only some places can do. */
export const VAULT_EXTRA_CASES: readonly VaultCase[] = [
  ['an object of a vault that it does not know is not had without its bytes', copiesFromNoStranger],
  ['a name that is taken is not had from another vault either', copyFromNeverOverwrites],
  ['what is not archived can be read at once, and what is not there cannot be recalled', recallsAtOnce],
  ['a legal hold is set and taken off, or cannot be had, and changes no byte', holdsObjects],
  ['a vault says what its place gives', tellsTraits],
  ['where versions are kept, each has a name of its own', namesVersions],
];

async function copiesFromNoStranger({ vault, reopen }: VaultFixture): Promise<void> {
  const other = await reopen();
  const stranger: Vault = { ...other, address: 'stranger:' };
  await put(vault, 'backups/there', text('there'));
  assert.equal(await vault.copyFrom(stranger, 'backups/there'), false);
  assert.equal(await vault.copyFrom(stranger, 'backups/nowhere'), false);
  assert.deepEqual(await names(vault, ''), ['backups/there']);
  await other.close();
}

async function copyFromNeverOverwrites({ vault, reopen }: VaultFixture): Promise<void> {
  const other = await reopen();
  await put(vault, 'backups/there', noise(1000));
  const outcome = await vault.copyFrom(other, 'backups/there').catch((error: unknown) => error);
  if (outcome !== false) await rejects(Promise.reject(outcome), 'vault_object_exists');
  assertSameBytes(await other.readRange('backups/there', 0, 1000), noise(1000));
  await other.close();
}

async function recallsAtOnce({ vault }: VaultFixture): Promise<void> {
  await put(vault, 'backups/there', text('there'));
  for (let time = 1; time <= 2; time += 1) {
    assert.deepEqual(await vault.recall('backups/there'), { state: 'readable' });
  }
  assert.equal((await vault.stat('backups/there'))?.isArchived, undefined);
  assertSameBytes(await vault.readRange('backups/there', 0, 5), text('there'));
  await rejects(vault.recall('backups/nowhere'), 'vault_object_missing');
  await rejects(vault.recall('../out'), 'vault_refused');
}

async function holdsObjects({ vault }: VaultFixture): Promise<void> {
  await put(vault, 'backups/there', text('there'));
  const canHold = await vault.setLegalHold('backups/there', true);
  assert.equal(typeof canHold, 'boolean');
  assert.equal(await vault.setLegalHold('backups/there', true), canHold);
  assertSameBytes(await vault.readRange('backups/there', 0, 5), text('there'));
  assert.equal(await vault.setLegalHold('backups/there', false), canHold);
  assert.equal(await vault.setLegalHold('backups/there', false), canHold);
  await vault.removeObject('backups/there');
  assert.deepEqual(await names(vault, ''), []);
}

async function tellsTraits({ vault }: VaultFixture): Promise<void> {
  const { lock, keepsVersions, createOnly } = await vault.traits();
  assert.ok(lock === null || (['governance', 'compliance'].includes(lock.mode) && lock.days > 0));
  assert.equal(typeof keepsVersions, 'boolean');
  assert.ok(['exact', 'claims'].includes(createOnly), createOnly);
  assert.deepEqual(await names(vault, ''), []);
}

async function namesVersions({ vault }: VaultFixture): Promise<void> {
  const { keepsVersions } = await vault.traits();
  const seen = new Set<string | undefined>();
  for (const content of ['first', 'second']) {
    await put(vault, 'name', text(content));
    seen.add((await vault.stat('name'))?.versionId);
    await vault.removeObject('name');
  }
  assert.equal(seen.size, keepsVersions ? 2 : 1);
  assert.equal(seen.has(undefined), !keepsVersions);
}
