import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import type { BackupError } from '../../../src/core/errors.ts';
import { assertSameBytes, names, noise, put, rejects } from '../../../src/testing/vault/fixture.ts';
import { openS3Vault } from '../../../src/vaults/s3/vault.ts';
import { connect } from '../../harness/s3-conformance/scene.ts';
import type { Fault, SeenRequest } from '../../harness/s3-server/faults.ts';
import type { S3Server, S3ServerOptions } from '../../harness/s3-server/server.ts';
import { addressOf, SHORT, type StartedVault, startVault, type VaultSetup } from './servers.ts';

const PART_BYTES = SHORT.partBytes!;
/** Two parts. */
const LARGE = noise(PART_BYTES + 20_000);
const SMALL = noise(1000);

test('a storm of 500, 503 and cut connections costs time, and nothing else', async () => {
  await withVault({}, async ({ server, vault, bucket }) => {
    const faults: readonly Fault[] = [
      { status: 503, code: 'SlowDown' },
      { status: 500, code: 'InternalError' },
      'cut-before',
      { cutRequestAfterBytes: PART_BYTES / 2 },
    ];
    server.fault = firstTimes(2, (n) => faults[n % faults.length]!);
    await put(vault, 'large', LARGE);
    await put(vault, 'small', SMALL);
    assertSameBytes(await vault.readRange('large', 0, LARGE.length), LARGE);
    assert.deepEqual(await names(vault, ''), ['large', 'small']);
    await vault.copyObject('small', 'copy');
    await vault.removeObject('small');
    assert.deepEqual(await names(vault, ''), ['copy', 'large']);
    assert.deepEqual(uploads(server, bucket), []);
  });
});

test('an answer that is lost does not make its object somebody else’s', async () => {
  for (const ignores of [[], ['if-none-match-on-complete'], ['if-none-match']] as const) {
    await withVault({ server: { ignores } }, async ({ server, vault, bucket }) => {
      server.fault = firstTimes(1, () => 'cut-after', ['PutObject', 'CompleteMultipartUpload', 'CopyObject']);
      await put(vault, 'small', SMALL);
      await put(vault, 'large', LARGE);
      await vault.copyObject('small', 'copy');
      server.fault = null;
      await rejects(put(vault, 'small', LARGE.subarray(0, 10)), 'vault_object_exists');
      assertSameBytes(await vault.readRange('small', 0, SMALL.length), SMALL);
      assert.equal((await vault.stat('large'))?.sizeBytes, LARGE.length);
      assert.deepEqual(uploads(server, bucket), []);
    });
  }
});

test('credentials that end while an object is written leave no object', async () => {
  await withVault({}, async ({ server, bucket }) => {
    const session = server.addUser({ sessionMs: 3_600_000 });
    const vault = openS3Vault(addressOf(server, bucket, ''), { credentials: session, limits: SHORT });
    await vault.open({ create: true });
    const writer = await vault.createObject('large');
    await writer.write(LARGE);
    server.expireSessions();
    await rejects(writer.commit(), 'vault_refused');
    await vault.close();
    const owner = openS3Vault(addressOf(server, bucket, ''), {
      ...{ credentials: server, limits: { ...SHORT, abandonedMs: -1000 } },
    });
    await owner.open({ create: true });
    assert.deepEqual(await names(owner, ''), []);
    // Nobody could end that upload but who has credentials.
    assert.ok((await owner.removeLeftovers('')) > 0);
    assert.deepEqual(uploads(server, bucket), []);
    await owner.close();
  });
});

test('a clock that is an hour behind the server’s neither stops a backup nor shortens a lock', async () => {
  const setup = {
    bucket: { lock: true },
    query: 'lock=governance&lockDays=1',
    server: { clockAheadMs: 3_600_000 },
  };
  await withVault(setup, async ({ server, bucket, vault }) => {
    await put(vault, 'small', SMALL);
    const s3 = connect(server, { maxAttempts: 2 });
    const key = { Bucket: bucket, Key: 'vaults/one/small' };
    const { ObjectLockRetainUntilDate } = await s3.send(new HeadObjectCommand(key));
    const dayAfter = Date.now() + 3_600_000 + 24 * 3_600_000;
    assert.ok(ObjectLockRetainUntilDate!.getTime() > dayAfter - 60_000);
    s3.destroy();
  });
});

test('a listing that lags lets nobody write over an object', async () => {
  await withVault({}, async ({ server, vault, bucket }) => {
    const thaw = server.freezeListings(bucket);
    await put(vault, 'small', SMALL);
    await rejects(put(vault, 'small', LARGE), 'vault_object_exists');
    thaw();
    assert.equal((await vault.stat('small'))?.sizeBytes, SMALL.length);
  });
});

/** One thing goes wrong at the n-th request of a write, for every n there is. */
for (const [name, server] of [
  ['that keeps names from being written twice', {}],
  ['that writes over what is there when an upload ends', { ignores: ['if-none-match-on-complete'] }],
] as const satisfies readonly (readonly [string, S3ServerOptions])[]) {
  test(`whatever request fails, an object is whole or not there, on a server ${name}`, async () => {
    await withVault({ server, limits: { ...SHORT, abandonedMs: -1000 } }, async (started) => {
      for (const fault of ['cut-before', 'cut-after'] as const)
        await sweep(started, `small-${fault}`, SMALL, fault);
      await sweep(started, 'large', LARGE, 'cut-after');
      // An upload whose first answer was lost has no name for anybody but the server.
      await started.vault.removeLeftovers('');
      assert.equal(started.server.openUploads(started.bucket), 0);
    });
  });
}

async function sweep(
  { server, vault }: StartedVault,
  name: string,
  bytes: Uint8Array,
  fault: Fault,
): Promise<void> {
  for (let n = 1, last = n; n <= last; n += 1) {
    server.log.clear();
    server.fault = ({ number }) => (number === n ? fault : null);
    const object = `${name}-${n}`;
    await put(vault, object, bytes);
    last = server.log.count();
    server.fault = null;
    assertSameBytes(await vault.readRange(object, 0, bytes.length), bytes);
    await rejects(put(vault, object, SMALL), 'vault_object_exists');

    await vault.removeObject(object);
  }
}

for (const ignores of [[], ['if-none-match-on-complete'], ['if-none-match']] as const) {
  const server = ignores.length === 0 ? 'any server' : `a server without ${ignores[0]}`;
  test(`of writers that race in a storm at most one wins, and the object is whole and his, on ${server}`, async () => {
    await withVault({ server: { ignores } }, async (started) => {
      for (let seed = 1; seed <= RACES; seed += 1) await race(started, seed);
    });
  });
}

const RACES = 5;
const RACERS = 4;

async function race({ server, vault, reopen }: StartedVault, seed: number): Promise<void> {
  const name = `race-${seed}`;
  const contents = Array.from({ length: RACERS }, (_, i) =>
    noise(seed === RACES ? PART_BYTES + 1 : 1000, seed * 10 + i),
  );
  const others = await Promise.all(contents.slice(1).map(() => reopen()));
  server.fault = someTimes(seed);
  const ended = await Promise.allSettled([vault, ...others].map((one, i) => put(one, name, contents[i]!)));
  server.fault = null;
  const won = ended.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
  for (const outcome of ended) {
    if (outcome.status === 'fulfilled') continue;
    const { code } = outcome.reason as BackupError;
    assert.ok(['vault_object_exists', 'vault_unreachable'].includes(code), `seed ${seed}: ${outcome.reason}`);
  }
  assert.ok(won.length <= 1, `seed ${seed}: ${won.length} won`);
  const size = (await vault.stat(name))?.sizeBytes ?? null;
  // Who was told nothing may have written it, as long as nobody else was told that he did.
  if (size !== null) {
    const found = await vault.readRange(name, 0, size);
    const whose = contents.findIndex((bytes) => Buffer.compare(bytes, found) === 0);
    assert.ok(whose >= 0, `seed ${seed}: it is nobody's`);
    if (won.length > 0) assert.equal(whose, won[0], `seed ${seed}`);
  } else assert.deepEqual(won, [], `seed ${seed}: the object of the winner is not there`);
  for (const other of others) await other.close();
}

/** A fault for every fourth request or so, the same for the same seed as far as the requests come in the same order. */
function someTimes(seed: number) {
  const faults: readonly Fault[] = ['cut-before', 'cut-after', { status: 503, code: 'SlowDown' }];
  const dice = noise(4096, seed);
  let n = 0;
  return (): Fault | null => {
    n = (n + 2) % dice.length;
    return dice[n]! < 64 ? faults[dice[n + 1]! % faults.length]! : null;
  };
}

async function withVault(setup: VaultSetup, work: (started: StartedVault) => Promise<void>): Promise<void> {
  const started = await startVault({ limits: SHORT, ...setup });
  try {
    await work(started);
  } finally {
    await started.vault.close();
    await started.dispose();
  }
}

/** Unfinished ones; that of the probe ends by itself, or with the other leftovers. */
function uploads({ openUploadKeys }: S3Server, bucket: string): string[] {
  return openUploadKeys(bucket).filter((key) => !key.endsWith('/probe'));
}

/** The fault for the first times that the same thing is asked, by a running number. */
function firstTimes(times: number, faultOf: (n: number) => Fault, only: readonly string[] = []) {
  const seen = new Map<string, number>();
  let n = 0;
  return ({ operation, key, query }: SeenRequest): Fault | null => {
    if (only.length > 0 && !only.includes(operation)) return null;
    const asked = `${operation} ${key} ${query.get('partNumber')}`;
    const before = seen.get(asked) ?? 0;
    seen.set(asked, before + 1);
    if (before >= times) return null;
    n += 1;
    return faultOf(n);
  };
}
