import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { BackupError, type ErrorCode } from '../../../src/core/errors.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { assertSameBytes, names, noise, put } from '../../../src/testing/vault/fixture.ts';
import { openS3Vault } from '../../../src/vaults/s3/vault.ts';
import type { Fault, FaultHook } from '../../harness/s3-server/faults.ts';
import type { Operation } from '../../harness/s3-server/routes.ts';
import { addressOf, SHORT, type StartedVault, startVault } from './servers.ts';

/** Five parts. */
const LARGE = noise(300_000);
const SMALL = noise(60_000);

let started: StartedVault;
let vault: Vault;
let run = 0;

before(async () => {
  started = await startVault({ limits: SHORT });
});
after(() => started.dispose());

/** A bucket for each test, whose abilities have been found out: what a test counts are its own requests. */
beforeEach(async () => {
  const { server } = started;
  server.fault = null;
  run += 1;
  server.createBucket(bucket());
  vault = openS3Vault(addressOf(server, bucket()), {
    ...{ credentials: server, limits: SHORT },
  });
  await vault.open({ create: false });
  await put(vault, 'before', SMALL);
  server.log.clear();
});

const bucket = () => `bucket-${run}`;

/** The fault for the first so many requests of an operation. */
function first(count: number, operation: Operation, fault: Fault): FaultHook {
  let left = count;
  return (request) => {
    if (request.operation !== operation || left === 0) return null;
    left -= 1;
    return fault;
  };
}

async function assertWhole(name: string, bytes: Uint8Array): Promise<void> {
  assertSameBytes(await vault.readRange(name, 0, bytes.length), bytes);
}

/** Nothing of a failed write is there, and nobody pays for parts of it. */
async function assertNothingLeft(): Promise<void> {
  started.server.fault = null;
  assert.deepEqual(await names(vault, ''), ['before']);
  assert.equal(started.server.openUploads(bucket()), 0);
}

async function failsWith(work: Promise<unknown>, code: ErrorCode, hint = /./): Promise<BackupError> {
  const error = await work.then(
    () => assert.fail('it resolved'),
    (failure: unknown) => failure,
  );
  assert.ok(error instanceof BackupError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.hint ?? '', hint);
  return error;
}

const SLOW_DOWN: Fault = { status: 503, code: 'SlowDown' };

describe('a write goes on', () => {
  const passing: readonly (readonly [string, Operation, Fault])[] = [
    ['the connection ends before a part is taken', 'UploadPart', 'cut-before'],
    ['the connection ends while a part is sent', 'UploadPart', { cutRequestAfterBytes: 30_000 }],
    ['the connection ends before the answer to a part', 'UploadPart', 'cut-after'],
    ['a part gets no answer', 'UploadPart', 'silent'],
    ['the server fails at a part', 'UploadPart', { status: 500, code: 'InternalError' }],
    ['the server is too busy for a part', 'UploadPart', SLOW_DOWN],
    ['the server fails at the end', 'CompleteMultipartUpload', { status: 500, code: 'InternalError' }],
    ['the end fails behind a good status', 'CompleteMultipartUpload', { status: 200, code: 'InternalError' }],
    ['the connection ends before the end', 'CompleteMultipartUpload', 'cut-before'],
    ['the answer to the end is lost', 'CompleteMultipartUpload', 'cut-after'],
    ['the upload cannot begin at first', 'CreateMultipartUpload', SLOW_DOWN],
  ];
  for (const [when, operation, fault] of passing) {
    it(`when ${when}`, async () => {
      started.server.fault = first(2, operation, fault);
      await put(vault, 'large', LARGE);
      started.server.fault = null;
      await assertWhole('large', LARGE);
      assert.equal(started.server.openUploads(bucket()), 0);
    });
  }

  const whole: readonly (readonly [string, Fault])[] = [
    ['is too busy', SLOW_DOWN],
    ['ends the connection', 'cut-before'],
    ['ends the connection while it comes', { cutRequestAfterBytes: 30_000 }],
    ['loses its answer', 'cut-after'],
    ['found a conflict with another request', { status: 409, code: 'ConditionalRequestConflict' }],
  ];
  for (const [what, fault] of whole) {
    it(`when the server of a small object ${what}`, async () => {
      started.server.fault = first(2, 'PutObject', fault);
      await put(vault, 'small', SMALL);
      await assertWhole('small', SMALL);
    });
  }

  it('but an object of somebody else is not taken for one whose answer was lost', async () => {
    await put(vault, 'taken', SMALL);
    started.server.fault = first(1, 'PutObject', 'cut-before');
    await failsWith(put(vault, 'taken', SMALL), 'vault_object_exists');
    started.server.fault = first(1, 'CompleteMultipartUpload', 'cut-before');
    await failsWith(put(vault, 'taken', LARGE), 'vault_object_exists');
    await assertWhole('taken', SMALL);
  });
});

describe('a write ends, and nothing of it stays,', () => {
  for (const operation of ['UploadPart', 'CompleteMultipartUpload', 'CreateMultipartUpload'] as const) {
    it(`when the server stays too busy (${operation})`, async () => {
      started.server.fault = first(1000, operation, SLOW_DOWN);
      const error = await failsWith(put(vault, 'large', LARGE), 'vault_unreachable', /fewer requests/);
      assert.equal(error.retryable, true);
      const inParallel = operation === 'UploadPart' ? 5 : 1;
      assert.ok(started.server.log.count(operation) <= SHORT.attempts! * inParallel);
      await assertNothingLeft();
    });
  }

  for (const fault of [{ status: 500, code: 'InternalError' }, 'cut-before', 'silent'] as const) {
    it(`when every small object meets ${JSON.stringify(fault)}`, async () => {
      started.server.fault = first(1000, 'PutObject', fault);
      await failsWith(put(vault, 'small', SMALL), 'vault_unreachable');
      if (fault !== 'silent') assert.equal(started.server.log.count('PutObject'), SHORT.attempts);
      await assertNothingLeft();
    });
  }

  it('when somebody else ended the upload', async () => {
    const writer = await vault.createObject('large');
    await writer.write(LARGE);
    const { openUploads } = started.server;
    while (openUploads(bucket()) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const cleaner = openS3Vault(addressOf(started.server, bucket()), {
      ...{ credentials: started.server, limits: { ...SHORT, abandonedMs: -10_000 } },
    });
    await cleaner.open({ create: false });
    assert.equal(await cleaner.removeLeftovers(''), 1);
    await cleaner.close();
    await failsWith(
      writer.write(LARGE).then(() => writer.commit()),
      'vault_unreachable',
      /somebody else ended/,
    );
    await writer.abort();
    await assertNothingLeft();
  });
});

describe('a read goes on', () => {
  const passing: readonly (readonly [string, Fault])[] = [
    ['the connection ends in the middle of the bytes', { cutBodyAfterBytes: 40_000 }],
    ['the connection ends before the answer', 'cut-before'],
    ['no answer comes', 'silent'],
    ['the server is too busy', SLOW_DOWN],
    ['the server fails', { status: 502, code: 'BadGateway' }],
  ];
  for (const [when, fault] of passing) {
    it(`when ${when}`, async () => {
      started.server.fault = first(3, 'GetObject', fault);
      await assertWhole('before', SMALL);
    });
  }

  it('from where the last answer broke off', async () => {
    started.server.fault = first(1, 'GetObject', { cutBodyAfterBytes: 40_000 });
    await assertWhole('before', SMALL);
    const read = started.server.log.requests.filter(({ operation }) => operation === 'GetObject');
    assert.equal(read.length, 2);
    assert.ok(
      read[1]!.answerBytes < SMALL.length / 2 + 1000,
      `${read[1]!.answerBytes} bytes were sent again`,
    );
  });

  it('and ends when nothing ever comes', async () => {
    started.server.fault = first(1000, 'GetObject', 'silent');
    await failsWith(vault.readRange('before', 0, 10), 'vault_unreachable');
  });
});

describe('a listing', () => {
  it('goes on, and never ends early', async () => {
    started.server.fault = first(3, 'ListObjectsV2', { cutBodyAfterBytes: 100 });
    assert.deepEqual(await names(vault, ''), ['before']);
    started.server.fault = first(1000, 'ListObjectsV2', { cutBodyAfterBytes: 100 });
    await failsWith(names(vault, ''), 'vault_unreachable');
  });
});

describe('who is refused is told why', () => {
  it('with credentials of a session that has ended', async () => {
    const { server } = started;
    const session = server.addUser({ sessionMs: 60_000 });
    const other = openS3Vault(addressOf(server, bucket()), {
      credentials: session,
      limits: SHORT,
    });
    await other.open({ create: false });
    server.expireSessions();
    await failsWith(put(other, 'late', SMALL), 'vault_refused', /session that has ended/);
    await failsWith(other.stat('before'), 'vault_refused');
    await failsWith(names(other, ''), 'vault_refused', /session that has ended/);
    await other.close();
  });

  it('with a secret that is not the right one, and never says which', async () => {
    const secretAccessKey = 'kanarienvogel';
    const { accessKeyId } = started.server;
    const credentials = { accessKeyId, secretAccessKey };
    const other = openS3Vault(addressOf(started.server, bucket()), { credentials });
    const error = await failsWith(other.open({ create: false }), 'vault_refused', /does not belong/);
    for (let at: unknown = error; at instanceof Error; at = at.cause) {
      assert.ok(!JSON.stringify([at.message, at.stack, at]).includes(secretAccessKey));
    }
  });

  it('with a key that nobody knows', async () => {
    const credentials = { accessKeyId: 'NOBODY', secretAccessKey: 'x' };
    const other = openS3Vault(addressOf(started.server, bucket()), { credentials });
    await failsWith(other.open({ create: false }), 'vault_refused', /does not know AWS_ACCESS_KEY_ID/);
  });

  it('without credentials, and without a region', async (t) => {
    const { env } = process;
    const nothing = { AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: '/nowhere' };
    const given = { ...nothing, AWS_SHARED_CREDENTIALS_FILE: '/nowhere' };
    const names = [
      'AWS_REGION',
      'AWS_DEFAULT_REGION',
      'AWS_ACCESS_KEY_ID',
      'AWS_PROFILE',
      ...Object.keys(given),
    ];
    const before = names.map((name) => [name, env[name]] as const);
    t.after(() => {
      for (const [name, value] of before) {
        if (value === undefined) delete env[name];
        else env[name] = value;
      }
    });
    for (const name of names) delete env[name];
    Object.assign(env, given);
    const anonymous = openS3Vault(addressOf(started.server, bucket()));
    await failsWith(anonymous.open({ create: false }), 'vault_refused', /AWS_ACCESS_KEY_ID/);
    const placeless = openS3Vault('s3://bucket/x', { credentials: started.server });
    await failsWith(placeless.open({ create: false }), 'vault_refused', /region=/);
  });

  it('without the right to write, and can read all the same', async () => {
    const reader = started.server.addUser({ denied: ['PutObject', 'DeleteObject', 'AbortMultipartUpload'] });
    const other = openS3Vault(addressOf(started.server, bucket()), { credentials: reader });
    await other.open({ create: true });
    assertSameBytes(await other.readRange('before', 0, 10), SMALL.subarray(0, 10));
    for (const bytes of [SMALL, LARGE]) await failsWith(put(other, 'new', bytes), 'vault_refused', /rights/);
    await failsWith(other.removeObject('before'), 'vault_refused', /rights/);
    assert.equal((await other.traits()).createOnly, 'claims');
    await assertNothingLeft();
    await other.close();
  });

  it('when there is no such bucket, or it has gone', async () => {
    const { server } = started;
    const nowhere = openS3Vault(addressOf(server, 'nowhere'), { credentials: server });
    await failsWith(nowhere.open({ create: true }), 'vault_refused', /never created/);
    server.removeBucket(bucket());
    await failsWith(names(vault, ''), 'vault_refused', /never created/);
    await failsWith(vault.stat('before'), 'vault_refused', /never created/);
    await failsWith(vault.readRange('before', 0, 1), 'vault_refused', /never created/);
    for (const bytes of [SMALL, LARGE]) await failsWith(put(vault, 'new', bytes), 'vault_refused');
  });

  it('when the place is full', async () => {
    started.server.fault = first(1, 'PutObject', { status: 403, code: 'QuotaExceeded' });
    await failsWith(put(vault, 'small', SMALL), 'vault_full');
    started.server.fault = first(1, 'UploadPart', { status: 403, code: 'QuotaExceeded' });
    await failsWith(put(vault, 'large', LARGE), 'vault_full');
    await assertNothingLeft();
  });

  it('and who has no way to the server is told at once how to find one', async () => {
    const limits = { ...SHORT, attempts: 2 };
    const other = openS3Vault('s3://bucket/x?endpoint=http://127.0.0.1:1', {
      credentials: started.server,
      limits,
    });
    await failsWith(other.open({ create: false }), 'vault_unreachable', /endpoint/);
  });
});

describe('a clock that is wrong by hours', () => {
  after(() => {
    started.server.clockAheadMs = 0;
  });

  it('does not keep anybody out: the server says what time it is', async () => {
    started.server.clockAheadMs = 3 * 60 * 60 * 1000;
    await put(vault, 'small', SMALL);
    await assertWhole('small', SMALL);
  });

  it('makes no refusal one that is asked for again', async () => {
    await put(vault, 'small', SMALL);
    const asked = started.server.log.count();
    await assert.rejects(put(vault, 'small', SMALL), { code: 'vault_object_exists' });
    await assert.rejects(vault.readRange('nowhere', 0, 1), { code: 'vault_object_missing' });
    assert.ok(started.server.log.count() - asked <= 4, 'no request is repeated');
  });

  it('is the reason that is told where the server does not say', async () => {
    started.server.fault = first(1000, 'GetObject', { status: 403, code: 'RequestTimeTooSkewed' });
    await failsWith(vault.readRange('before', 0, 1), 'vault_refused', /clocks/);
  });
});
