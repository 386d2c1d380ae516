import assert from 'node:assert/strict';
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

/** What `copyObject` promises. */
export const VAULT_COPY_CASES: readonly VaultCase[] = [
  ['a copy has the bytes of the object, for other handles too', copiesObjects],
  ['an object and its copy can be removed, each without the other', copiesStandAlone],
  ['a copy never takes a name that is taken', copyNeverOverwrites],
  ['of 8 copies that race for a name exactly one wins', copyRaceHasOneWinner],
  ['what is not there, or is being written, cannot be copied', refusesToCopyMissing],
  ['a copy to or from a name that tries to get out is refused', refusesUnsafeCopies],
];

async function copiesObjects({ vault, reopen }: VaultFixture): Promise<void> {
  const bytes = noise(5_000_000);
  await put(vault, 'backups/old/events', bytes);
  await put(vault, 'empty', new Uint8Array(0));
  await vault.copyObject('backups/old/events', 'backups/new/deeper/events');
  await vault.copyObject('empty', 'backups/new/empty');
  const other = await reopen();
  assert.equal((await other.stat('backups/new/empty'))?.sizeBytes, 0);
  assert.equal((await other.stat('backups/new/deeper/events'))?.sizeBytes, bytes.length);
  assertSameBytes(await other.readRange('backups/new/deeper/events', 0, bytes.length), bytes);
  assert.deepEqual(await names(other, 'backups/'), [
    'backups/new/deeper/events',
    'backups/new/empty',
    'backups/old/events',
  ]);
  await other.close();
}

async function copiesStandAlone({ vault }: VaultFixture): Promise<void> {
  await put(vault, 'a/first', text('content'));
  await vault.copyObject('a/first', 'b/second');
  await vault.copyObject('b/second', 'c/third');
  await vault.removeObject('a/first');
  await vault.removeObject('c/third');
  assert.deepEqual(await names(vault, ''), ['b/second']);
  await put(vault, 'a/first', text('other'));
  assertSameBytes(await vault.readRange('b/second', 0, 7), text('content'));
  assertSameBytes(await vault.readRange('a/first', 0, 5), text('other'));
}

async function copyNeverOverwrites({ vault }: VaultFixture): Promise<void> {
  await put(vault, 'backups/one', text('one'));
  await put(vault, 'backups/two', text('two'));
  await rejects(vault.copyObject('backups/one', 'backups/two'), 'vault_object_exists');
  await rejects(vault.copyObject('backups/one', 'backups/one'), 'vault_object_exists');
  await vault.copyObject('backups/one', 'backups/three');
  await rejects(vault.copyObject('backups/one', 'backups/three'), 'vault_object_exists');
  await rejects(put(vault, 'backups/three', text('other')), 'vault_object_exists');
  assertSameBytes(await vault.readRange('backups/two', 0, 3), text('two'));
  assertSameBytes(await vault.readRange('backups/three', 0, 3), text('one'));
  assert.deepEqual(await names(vault, ''), ['backups/one', 'backups/three', 'backups/two']);
}

async function copyRaceHasOneWinner({ vault }: VaultFixture): Promise<void> {
  const sources = Array.from({ length: 8 }, (_, i) => `from/${i}`);
  for (const [i, name] of sources.entries()) await put(vault, name, noise(1000, i + 1));
  const results = await Promise.allSettled(sources.map((name) => vault.copyObject(name, 'to/one')));
  const winners = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
  assert.equal(winners.length, 1);
  for (const result of results) {
    if (result.status === 'rejected') await rejects(Promise.reject(result.reason), 'vault_object_exists');
  }
  assertSameBytes(await vault.readRange('to/one', 0, 1000), noise(1000, winners[0]! + 1));
}

async function refusesToCopyMissing({ vault }: VaultFixture): Promise<void> {
  await put(vault, 'backups/there', text('there'));
  await rejects(vault.copyObject('backups/nowhere', 'copies/a'), 'vault_object_missing');
  await rejects(vault.copyObject('no/such/place', 'copies/a'), 'vault_object_missing');
  await rejects(vault.copyObject('backups/nowhere', 'backups/there'), 'vault_object_missing');
  const writer = await vault.createObject('backups/slow');
  await writer.write(text('half'));
  await rejects(vault.copyObject('backups/slow', 'copies/a'), 'vault_object_missing');
  await writer.abort();
  assert.deepEqual(await names(vault, ''), ['backups/there']);
}

async function refusesUnsafeCopies({ vault }: VaultFixture): Promise<void> {
  await put(vault, 'backups/there', text('there'));
  for (const name of ['../out', '/etc/passwd', 'a/../b', '.hidden', '']) {
    await rejects(vault.copyObject('backups/there', name), 'vault_refused');
    await rejects(vault.copyObject(name, 'copy'), 'vault_refused');
  }
  assert.deepEqual(await names(vault, ''), ['backups/there']);
}
