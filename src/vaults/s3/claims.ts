import { setTimeout as delay } from 'node:timers/promises';
import { BackupError } from '../../core/errors.ts';
import { HIDDEN } from './abilities.ts';
import { ask, type Connection, keyOf } from './connection.ts';
import { alreadyExists, headObject } from './objects.ts';
import { digestOf, encryptionOptions, makeWriteId } from './write-options.ts';

/**
 * For servers that write over a name that is taken, at the end of a multipart upload (Ceph RGW) or always (the same, in a bucket
 * that keeps versions). Whoever writes an object there, of whatever size, first leaves a claim on its name, under a key of its
 * own, then lists the claims on that name, and goes on only where it finds no other. Of two writers the one that lists later sees
 * the claim of the other: so two never go on. Of those that see each other all but the first in order withdraw, and that one
 * waits until it is alone.
 *
 * A claim is held for as long as the end of one upload takes; a holder that was stopped for longer than HELD_MS gives up. One
 * that is older than COUNTS_MS is a dead writer's, and nobody minds it.
 */
const CLAIMS = `${HIDDEN}claims/`;
const HELD_MS = 5 * 60_000;
/** More by what clocks may differ and an answer may be late. */
const COUNTS_MS = 15 * 60_000;
/** "~" stands in no name: the claims on one are not among those on another. */
const CLAIM = /^(.+)~([0-9a-f-]{36})$/;

const LOOK_AGAIN_MS = 20;
const LOOK_AGAIN_AT_MOST_MS = 1000;
const WAIT_MS = 30_000;

interface Claim {
  readonly name: string;
  readonly id: string;
  readonly modifiedAtMs: number;
}

/**
 * Runs `write`, which may take that long, while nobody else writes an object of that name. Throws `vault_object_exists` when the
 * name is taken or claimed.
 */
export async function withClaim<Result>(
  connection: Connection,
  name: string,
  write: (withinMs: number) => Promise<Result>,
): Promise<Result> {
  const id = makeWriteId();
  const begunAtMs = performance.now();
  const leftMs = () => begunAtMs + HELD_MS - performance.now();
  try {
    await leaveClaim(connection, name, id);
    await untilAlone(connection, name, id);
    const found = await headObject(connection, name, { isBucketThere: true });
    if (found !== null) throw alreadyExists(connection, name);
    if (leftMs() <= 0) throw tooLate(connection, name);
    return await write(leftMs());
  } finally {
    await removeClaim(connection, name, id);
  }
}

async function leaveClaim(connection: Connection, name: string, id: string): Promise<void> {
  const { s3, at } = connection;
  const Body = new TextEncoder().encode('claimed\n');
  const key = keyOf(connection, `${CLAIMS}${name}~${id}`);
  const request = { ...key, Body, ...encryptionOptions(at), ...digestOf(Body, false) };
  await ask(connection, `claim "${name}" in ${at.text}`, (abortSignal) =>
    s3.putObject(request, { abortSignal }),
  );
}

async function untilAlone(connection: Connection, name: string, id: string): Promise<void> {
  const begunAtMs = performance.now();
  for (let pauseMs = LOOK_AGAIN_MS; ; pauseMs = Math.min(pauseMs * 2, LOOK_AGAIN_AT_MOST_MS)) {
    const claims = await listClaims(connection, `${name}~`);
    const others = claims.filter(
      (claim) => claim.id !== id && connection.now() - claim.modifiedAtMs < COUNTS_MS,
    );
    if (others.length === 0) return;
    const isFirst = others.every((other) => id < other.id);
    if (!isFirst || performance.now() - begunAtMs > WAIT_MS) throw alreadyClaimed(connection, name);
    await delay(pauseMs);
  }
}

/** The claims on names that begin so: the first ones, where there are very many. */
async function listClaims(connection: Connection, beginning: string): Promise<Claim[]> {
  const { s3, at } = connection;
  const { Bucket, Key: Prefix } = keyOf(connection, `${CLAIMS}${beginning}`);
  const { Contents = [] } = await ask(connection, `look at the claims in ${at.text}`, (abortSignal) =>
    s3.listObjectsV2({ Bucket, Prefix }, { abortSignal }),
  );
  return Contents.flatMap(({ Key, LastModified }) => {
    const [, name, id] = CLAIM.exec(Key!.slice(at.root.length + CLAIMS.length)) ?? [];
    return name === undefined ? [] : [{ name, id: id!, modifiedAtMs: LastModified!.getTime() }];
  });
}

/** One that cannot be removed only keeps others from the name for a while; it must not hide how the write went. */
async function removeClaim(connection: Connection, name: string, id: string): Promise<void> {
  const claim = keyOf(connection, `${CLAIMS}${name}~${id}`);
  await ask(connection, `give back the claim on "${name}"`, (abortSignal) =>
    connection.s3.deleteObject(claim, { abortSignal }),
  ).catch(() => {});
}

/** Removes the claims that dead writers left on names that begin so. Returns how many. */
export async function removeStaleClaims(connection: Connection, prefix: string): Promise<number> {
  const stale = (await listClaims(connection, prefix)).filter(
    ({ modifiedAtMs }) => connection.now() - modifiedAtMs > connection.limits.abandonedMs,
  );
  for (const { name, id } of stale) await removeClaim(connection, name, id);
  return stale.length;
}

function alreadyClaimed({ at }: Connection, name: string): BackupError {
  return new BackupError('vault_object_exists', `another writer holds the claim on "${name}" in ${at.text}`, {
    hint: `a claim that a killed writer left counts for ${COUNTS_MS / 60_000} minutes`,
  });
}

function tooLate({ at }: Connection, name: string): BackupError {
  return new BackupError(
    'vault_unreachable',
    `"${name}" in ${at.text} was not written while it was claimed`,
    {
      hint: 'this process or the server stood still for minutes: start again',
    },
  );
}
