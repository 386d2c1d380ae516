import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VAULT_COPY_CASES } from './vault/copies.ts';
import { VAULT_EXTRA_CASES } from './vault/extras.ts';
import {
  assertCode,
  assertSameBytes,
  collect,
  names,
  noise,
  put,
  rejects,
  text,
  type VaultCase,
  type VaultFixture,
} from './vault/fixture.ts';

export interface VaultContractOptions {
  /** Names the adapter in the test's output. */
  readonly name: string;
  /** Called once for each case. */
  setup(): Promise<VaultFixture>;
}

/** Declares (node:test) the cases that every vault must pass. */
export function vaultContract(options: VaultContractOptions): void {
  describe(`${options.name} keeps the promises of a vault`, () => {
    for (const [sentence, run] of [...CASES, ...VAULT_COPY_CASES, ...VAULT_EXTRA_CASES]) {
      test(sentence, async () => {
        const fixture = await options.setup();
        try {
          await run(fixture);
          await fixture.vault.close();
        } finally {
          await fixture.dispose();
        }
      });
    }
  });
}

const CASES: readonly VaultCase[] = [
  ['an object that was committed reads back byte for byte', readsBack],
  ['an object of no bytes is an object', keepsEmptyObject],
  ['20 MB in pieces of odd sizes read back in ranges of odd sizes', keepsLargeObject],
  ['the caller may reuse its bytes once a write has resolved', copiesBytes],
  ['another handle sees what was committed', isSharedBetweenHandles],
  ['an object is invisible until it is committed', hidesUnfinished],
  ['an abort leaves no trace and frees the name', abortLeavesNothing],
  ['an abort after a commit, or a second abort, does nothing', abortIsHarmless],
  ['a writer that has ended takes no more bytes and no second commit', endedWriterRefuses],
  ['a name that is taken is refused and the object stays as it was', neverOverwrites],
  ['of two writers of one name the first to commit wins', secondCommitLoses],
  ['of 8 writers that race for a name exactly one wins', raceHasOneWinner],
  ['a range gives exactly the bytes asked for', readsRanges],
  ['what was read is the reader’s own: to change or free it changes nothing', givesBytesAway],
  ['a range that ends behind the object is damage', refusesRangePastEnd],
  ['a range that is none is refused', refusesNonsenseRange],
  ['a range of a missing object says that it is missing', refusesMissingObject],
  ['stat tells size and time, and null for what is not there', statsObjects],
  ['a listing is in byte order', listsInByteOrder],
  ['a prefix may end in the middle of a name', listsByPrefix],
  ['a listing of hundreds of objects is complete, and may be left early', listsHundreds],
  ['a removed object is gone, its neighbours stay, and the name is free', removesObjects],
  ['names that try to get out are refused before anything is touched', refusesUnsafeNames],
  ['prefixes that try to get out are refused', refusesUnsafePrefixes],
  ['removing leftovers touches no object', leftoversAreNoObjects],
  ['a vault says how much may still be written, or that nobody knows', tellsRoom],
  ['a vault can be opened again and closed twice', opensAndClosesAgain],
];

async function readsBack({ vault }: VaultFixture): Promise<void> {
  const bytes = noise(100_000);
  await put(vault, 'backups/one/events', bytes);
  assertSameBytes(await vault.readRange('backups/one/events', 0, bytes.length), bytes);
}

async function keepsEmptyObject({ vault }: VaultFixture): Promise<void> {
  await put(vault, 'empty', new Uint8Array(0));
  const untouched = await vault.createObject('untouched');
  await untouched.commit();
  assert.equal((await vault.stat('empty'))?.sizeBytes, 0);
  assert.equal((await vault.readRange('untouched', 0, 0)).length, 0);
  assert.deepEqual(await names(vault, ''), ['empty', 'untouched']);
  await rejects(vault.readRange('empty', 0, 1), 'damaged');
}

async function keepsLargeObject({ vault }: VaultFixture): Promise<void> {
  const bytes = noise(20_000_000);
  const sizes = [1, 3, 4093, 65_537, 262_143, 262_144, 262_145, 1_048_583, 5_000_011, 0];
  const writer = await vault.createObject('backups/large/events');
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length]!;
    await writer.write(bytes.subarray(at, at + size));
    at += size;
  }
  await writer.commit();
  assert.equal((await vault.stat('backups/large/events'))?.sizeBytes, bytes.length);
  for (let at = 0; at < bytes.length; at += 3_000_017) {
    const length = Math.min(3_000_017, bytes.length - at);
    assertSameBytes(
      await vault.readRange('backups/large/events', at, length),
      bytes.subarray(at, at + length),
    );
  }
}

async function copiesBytes({ vault }: VaultFixture): Promise<void> {
  for (const size of [10, 1_500_000]) {
    const name = `reused-${size}`;
    const bytes = new Uint8Array(size);
    const writer = await vault.createObject(name);
    for (const value of [1, 2, 3]) await writer.write(bytes.fill(value));
    bytes.fill(9);
    await writer.commit();
    for (const value of [1, 2, 3]) {
      assertSameBytes(await vault.readRange(name, (value - 1) * size, size), bytes.slice().fill(value));
    }
    const once = await vault.readRange(name, 0, 4);
    once.fill(9);
    assertSameBytes(await vault.readRange(name, 0, 4), new Uint8Array([1, 1, 1, 1]));
  }
}

async function isSharedBetweenHandles({ vault, reopen }: VaultFixture): Promise<void> {
  await put(vault, 'backups/shared', text('by the first'));
  const other = await reopen();
  assertSameBytes(await other.readRange('backups/shared', 3, 3), text('the'));
  await put(other, 'backups/answer', text('by the second'));
  assert.deepEqual(await names(vault, ''), ['backups/answer', 'backups/shared']);
  await rejects(put(other, 'backups/shared', text('again')), 'vault_object_exists');
  await other.close();
}

async function hidesUnfinished({ vault, reopen }: VaultFixture): Promise<void> {
  const other = await reopen();
  const writer = await vault.createObject('backups/slow/manifest.json');
  await writer.write(noise(1_000_000));
  for (const handle of [vault, other]) {
    assert.deepEqual(await names(handle, ''), []);
    assert.equal(await handle.stat('backups/slow/manifest.json'), null);
    await rejects(handle.readRange('backups/slow/manifest.json', 0, 1), 'vault_object_missing');
  }
  await writer.commit();
  assert.deepEqual(await names(other, ''), ['backups/slow/manifest.json']);
  await other.close();
}

async function abortLeavesNothing({ vault }: VaultFixture): Promise<void> {
  const writer = await vault.createObject('backups/given-up');
  await writer.write(noise(600_000));
  await writer.abort();
  assert.deepEqual(await names(vault, ''), []);
  assert.equal(await vault.stat('backups/given-up'), null);
  assert.equal(await vault.removeLeftovers(''), 0);
  await put(vault, 'backups/given-up', text('second try'));
  assert.equal((await vault.stat('backups/given-up'))?.sizeBytes, 10);
}

async function abortIsHarmless({ vault }: VaultFixture): Promise<void> {
  const writer = await vault.createObject('kept');
  await writer.write(text('kept'));
  await writer.commit();
  await writer.abort();
  assertSameBytes(await vault.readRange('kept', 0, 4), text('kept'));
  const other = await vault.createObject('other');
  await other.abort();
  await other.abort();
  assert.deepEqual(await names(vault, ''), ['kept']);
}

async function endedWriterRefuses({ vault }: VaultFixture): Promise<void> {
  const committed = await vault.createObject('committed');
  await committed.write(text('whole'));
  await committed.commit();
  await assert.rejects(committed.write(text('more')));
  await assert.rejects(committed.commit());
  assertSameBytes(await vault.readRange('committed', 0, 5), text('whole'));
  assert.equal((await vault.stat('committed'))?.sizeBytes, 5);
  const aborted = await vault.createObject('aborted');
  await aborted.abort();
  await assert.rejects(aborted.write(text('more')));
  await assert.rejects(aborted.commit());
  assert.deepEqual(await names(vault, ''), ['committed']);
}

async function neverOverwrites({ vault }: VaultFixture): Promise<void> {
  await put(vault, 'backups/first', text('first'));
  const before = await vault.stat('backups/first');
  await rejects(put(vault, 'backups/first', text('second, and longer')), 'vault_object_exists');
  await rejects(put(vault, 'backups/first', text('first')), 'vault_object_exists');
  assert.deepEqual(await vault.stat('backups/first'), before);
  assertSameBytes(await vault.readRange('backups/first', 0, 5), text('first'));
}

async function secondCommitLoses({ vault }: VaultFixture): Promise<void> {
  const early = await vault.createObject('name');
  const late = await vault.createObject('name');
  await early.write(text('early'));
  await late.write(text('late'));
  await late.commit();
  await rejects(early.commit(), 'vault_object_exists');
  await early.abort();
  assertSameBytes(await vault.readRange('name', 0, 4), text('late'));
  assert.deepEqual(await names(vault, ''), ['name']);
}

async function raceHasOneWinner({ vault, reopen }: VaultFixture): Promise<void> {
  const others = await Promise.all([reopen(), reopen(), reopen()]);
  const handles = [vault, ...others, vault, ...others];
  for (let round = 0; round < 5; round += 1) {
    const name = `races/round-${round}`;
    const contents = handles.map((_, i) => noise(300_000 + i, round * 8 + i));
    const results = await Promise.allSettled(handles.map((handle, i) => put(handle, name, contents[i]!)));
    const winners = results.flatMap((result, i) => (result.status === 'fulfilled' ? [i] : []));
    assert.equal(winners.length, 1, `round ${round}: writers ${winners.join(', ')} won`);
    for (const result of results) {
      if (result.status === 'rejected') assertCode(result.reason, 'vault_object_exists');
    }
    const won = contents[winners[0]!]!;
    assert.equal((await vault.stat(name))?.sizeBytes, won.length);
    assertSameBytes(await vault.readRange(name, 0, won.length), won);
  }
  assert.equal((await names(vault, '')).length, 5);
  for (const other of others) await other.close();
}

async function readsRanges({ vault }: VaultFixture): Promise<void> {
  const bytes = noise(5000);
  await put(vault, 'object', bytes);
  const ranges = [
    [0, 5000],
    [0, 0],
    [0, 1],
    [4999, 1],
    [5000, 0],
    [17, 4096],
    [2500, 2500],
  ] as const;
  const read = await Promise.all(ranges.map(([offset, length]) => vault.readRange('object', offset, length)));
  for (const [i, [offset, length]] of ranges.entries()) {
    assertSameBytes(read[i]!, bytes.subarray(offset, offset + length));
  }
}

async function givesBytesAway({ vault }: VaultFixture): Promise<void> {
  await put(vault, 'object', Buffer.alloc(200_000, 7));
  const first = await vault.readRange('object', 0, 200_000);
  first.fill(9);
  (first.buffer as ArrayBuffer).transfer(0);
  const again = await vault.readRange('object', 0, 200_000);
  assert.ok(again.every((byte) => byte === 7));
}

async function refusesRangePastEnd({ vault }: VaultFixture): Promise<void> {
  await put(vault, 'object', noise(5000));
  await rejects(vault.readRange('object', 0, 5001), 'damaged');
  await rejects(vault.readRange('object', 4999, 2), 'damaged');
  await rejects(vault.readRange('object', 5001, 0), 'damaged');
  await rejects(vault.readRange('object', 1_000_000, 10), 'damaged');
  await rejects(vault.readRange('object', 0, 2 ** 45), 'damaged');
}

async function refusesNonsenseRange({ vault }: VaultFixture): Promise<void> {
  await put(vault, 'object', noise(5000));
  for (const [offset, length] of [
    [-1, 10],
    [0, -1],
    [0.5, 1],
    [0, 1.5],
    [Number.NaN, 1],
    [0, Number.POSITIVE_INFINITY],
  ] as const) {
    await rejects(vault.readRange('object', offset, length), 'internal');
  }
}

async function refusesMissingObject({ vault }: VaultFixture): Promise<void> {
  await put(vault, 'backups/there', noise(10));
  for (const name of ['missing', 'backups', 'backups/there/below', 'backups/ther']) {
    await rejects(vault.readRange(name, 0, 0), 'vault_object_missing');
    await rejects(vault.readRange(name, 0, 1), 'vault_object_missing');
  }
}

async function statsObjects({ vault }: VaultFixture): Promise<void> {
  await put(vault, 'backups/there', noise(12_345));
  const info = await vault.stat('backups/there');
  assert.equal(info?.name, 'backups/there');
  assert.equal(info.sizeBytes, 12_345);
  assert.ok(Number.isSafeInteger(info.modifiedAtMs), `modifiedAtMs is ${info.modifiedAtMs}`);
  assert.ok(Math.abs(info.modifiedAtMs - Date.now()) < 3_600_000, 'the clocks differ by more than an hour');
  // A listing may leave out which version it is: to find that out can cost a request for each object.
  const { versionId: _, ...withoutVersion } = info;
  const listed = await collect(vault, '');
  assert.deepEqual(listed, [listed[0]?.versionId === undefined ? withoutVersion : info]);
  for (const name of ['missing', 'backups', 'backups/there/below', 'backups/ther']) {
    assert.equal(await vault.stat(name), null);
  }
}

/** Where `/`, `-`, `.`, digits and letters meet at one place of the name, in byte order. */
const ORDERED = ['B/x', 'Z', 'a-1', 'a-b/x', 'a.txt', 'a/b-c', 'a/b.c', 'a/b/c', 'a/b0', 'a0', 'a_', 'aa/x'];

async function listsInByteOrder({ vault }: VaultFixture): Promise<void> {
  for (const name of [...ORDERED].reverse()) await put(vault, name, text(name));
  assert.deepEqual(await names(vault, ''), ORDERED);
  for (const info of await collect(vault, '')) assert.equal(info.sizeBytes, info.name.length);
}

async function listsByPrefix({ vault }: VaultFixture): Promise<void> {
  for (const name of ORDERED) await put(vault, name, text(name));
  for (const prefix of [
    'a',
    'a-',
    'a-b',
    'a/',
    'a/b',
    'a/b/',
    'a/b/c',
    'a/b/cc',
    'B',
    'b',
    'Z',
    'Z/',
    'c/d/e',
  ]) {
    const expected = ORDERED.filter((name) => name.startsWith(prefix));
    assert.deepEqual(await names(vault, prefix), expected, `prefix ${prefix}`);
  }
}

async function listsHundreds({ vault }: VaultFixture): Promise<void> {
  const expected = Array.from(
    { length: 210 },
    (_, i) => `log/${i % 7}/segment-${String(i).padStart(4, '0')}`,
  );
  for (let i = 0; i < expected.length; i += 20) {
    await Promise.all(expected.slice(i, i + 20).map((name) => put(vault, name, text(name))));
  }
  assert.deepEqual(await names(vault, 'log/'), expected.sort());
  let seen = 0;
  for await (const _ of vault.list('log/')) {
    seen += 1;
    if (seen === 5) break;
  }
  assert.equal(seen, 5);
}

async function removesObjects({ vault }: VaultFixture): Promise<void> {
  for (const name of ['backups/x/a', 'backups/x/b', 'backups/y/a']) await put(vault, name, text(name));
  for (const name of ['missing', 'backups', 'backups/x', 'backups/x/a/below']) await vault.removeObject(name);
  assert.equal((await names(vault, '')).length, 3);
  await vault.removeObject('backups/x/a');
  await vault.removeObject('backups/x/a');
  assert.deepEqual(await names(vault, ''), ['backups/x/b', 'backups/y/a']);
  await vault.removeObject('backups/x/b');
  await put(vault, 'backups/x/a', text('again'));
  assert.deepEqual(await names(vault, 'backups/x'), ['backups/x/a']);
  assertSameBytes(await vault.readRange('backups/x/a', 0, 5), text('again'));
}

const UNSAFE_SEGMENTS = ['..', '.', '', '.hidden', 'nul\0', 'back\\slash', 'sp ace', 'C:', 'ü', '-dash', '*'];
const UNSAFE_NAMES = [
  '',
  '/',
  '../x',
  '/abs',
  'a//b',
  'a/../b',
  'a/',
  ...UNSAFE_SEGMENTS.flatMap((segment) => [segment, `a/${segment}`, `${segment}/b`]),
  '1/2/3/4/5/6/7/8/9/10',
  'a'.repeat(201),
];

async function refusesUnsafeNames({ vault }: VaultFixture): Promise<void> {
  await put(vault, 'a/b', text('safe'));
  for (const name of UNSAFE_NAMES) {
    await rejects(vault.createObject(name), 'vault_refused');
    await rejects(vault.readRange(name, 0, 1), 'vault_refused');
    await rejects(vault.stat(name), 'vault_refused');
    await rejects(vault.removeObject(name), 'vault_refused');
  }
  assert.deepEqual(await names(vault, ''), ['a/b']);
}

async function refusesUnsafePrefixes({ vault }: VaultFixture): Promise<void> {
  for (const prefix of ['..', '../', '/', '/abs', 'a//', 'a/../', '.', 'a/.', 'nul\0', '1/2/3/4/5/6/7/8/9']) {
    await rejects(names(vault, prefix), 'vault_refused');
    await rejects(vault.removeLeftovers(prefix), 'vault_refused');
  }
}

async function leftoversAreNoObjects({ vault }: VaultFixture): Promise<void> {
  await put(vault, 'backups/x/events', noise(1000));
  await put(vault, 'backups/y/events', noise(1000));
  assert.equal(await vault.removeLeftovers(''), 0);
  assert.equal(await vault.removeLeftovers('backups/x/'), 0);
  assert.equal(await vault.removeLeftovers('no/such/place'), 0);
  assert.deepEqual(await names(vault, ''), ['backups/x/events', 'backups/y/events']);
}

async function tellsRoom({ vault }: VaultFixture): Promise<void> {
  const bytes = await vault.freeBytes();
  assert.ok(bytes === null || (Number.isSafeInteger(bytes) && bytes >= 0), String(bytes));
}

async function opensAndClosesAgain({ vault, reopen }: VaultFixture): Promise<void> {
  await put(vault, 'object', text('here'));
  await vault.open({ create: true });
  await vault.open({ create: false });
  assert.deepEqual(await names(vault, ''), ['object']);
  await vault.close();
  await vault.close();
  const again = await reopen();
  assert.deepEqual(await names(again, ''), ['object']);
  await again.close();
}
