import { ask, type Connection, keyOf } from './connection.ts';
import { isWorthAnother, nameOf, statusOf } from './errors.ts';
import { digestOf, encryptionOptions } from './write-options.ts';

/** What the server can do beyond the oldest S3. */
export interface Abilities {
  /** It keeps a name from being written twice, by a request or at the end of an upload. */
  readonly isExact: boolean;
  /** It keeps the SHA-256 of what it receives, having compared it. */
  readonly keepsSha256: boolean;
}

/** Names of objects never begin with a dot: no listing shows what lies here. */
export const HIDDEN = '.eventcore/';
const PROBE = `${HIDDEN}probe`;
const PROBE_TEXT = new TextEncoder().encode(
  'EventCore Backup tries on this object whether the server keeps a name from being written twice. It may be deleted.\n',
);

type Outcome = 'written' | 'taken' | 'unknown';

/**
 * Tries whether the server keeps a name from being written twice, on an object of its own that stays: where it does, to be told
 * "it is there" has said all.
 */
export async function findAbilities(connection: Connection): Promise<Abilities> {
  let outcome = await putProbe(connection);
  // It may not have been there.
  if (outcome === 'written') outcome = await putProbe(connection);
  if (outcome !== 'taken') return { isExact: false, keepsSha256: false };
  return tryUpload(connection);
}

async function putProbe(connection: Connection): Promise<Outcome> {
  const { s3, at } = connection;
  const request = { ...probeOptions(connection), ...digestOf(PROBE_TEXT, false), Body: PROBE_TEXT };
  return outcomeOf(connection, `write into ${at.text}`, (abortSignal) =>
    s3.putObject({ ...request, IfNoneMatch: '*' }, { abortSignal }),
  );
}

/** Neither locked nor of another class: it may be deleted. */
function probeOptions(connection: Connection) {
  return { ...keyOf(connection, PROBE), ...encryptionOptions(connection.at) };
}

async function outcomeOf(
  connection: Connection,
  doing: string,
  send: (abortSignal: AbortSignal) => Promise<unknown>,
): Promise<Outcome> {
  return ask(connection, doing, async (abortSignal) => {
    try {
      await send(abortSignal);
      return 'written';
    } catch (error) {
      if (statusOf(error) === 412) return 'taken';
      // An upload that has gone came to its end at an attempt whose answer was lost.
      if (isUnknownToServer(error) || nameOf(error) === 'NoSuchUpload') return 'unknown';
      throw error;
    }
  });
}

/** Some servers refuse what they do not know. */
function isUnknownToServer(error: unknown): boolean {
  return statusOf(error) === 501 || (statusOf(error) === 400 && !isWorthAnother(error));
}

async function tryUpload(connection: Connection): Promise<Abilities> {
  const { s3, at } = connection;
  const { Bucket, Key } = keyOf(connection, PROBE);
  const { id, takesSha256 } = await beginProbe(connection);
  const upload = { Bucket, Key, UploadId: id };
  try {
    const request = { ...upload, PartNumber: 1, Body: PROBE_TEXT, ...digestOf(PROBE_TEXT, takesSha256) };
    const { ETag, ChecksumSHA256 } = await ask(connection, `write into ${at.text}`, (abortSignal) =>
      s3.uploadPart(request, { abortSignal }),
    );
    const part = { PartNumber: 1, ETag, ...(ChecksumSHA256 === undefined ? {} : { ChecksumSHA256 }) };
    const outcome = await outcomeOf(connection, `end an upload in ${at.text}`, (abortSignal) =>
      s3.completeMultipartUpload(
        { ...upload, MultipartUpload: { Parts: [part] }, IfNoneMatch: '*' },
        { abortSignal },
      ),
    );
    return { isExact: outcome === 'taken', keepsSha256: ChecksumSHA256 !== undefined };
  } finally {
    await s3.abortMultipartUpload(upload).catch(() => {}); // Gone where it came to its end; else a leftover.
  }
}

async function beginProbe(connection: Connection): Promise<{ id: string; takesSha256: boolean }> {
  const { s3, at } = connection;
  return ask(connection, `begin an upload in ${at.text}`, async (abortSignal) => {
    const options = probeOptions(connection);
    try {
      const begun = await s3.createMultipartUpload(
        { ...options, ChecksumAlgorithm: 'SHA256' },
        { abortSignal },
      );
      return { id: begun.UploadId!, takesSha256: true };
    } catch (error) {
      if (!isUnknownToServer(error)) throw error;
      return { id: (await s3.createMultipartUpload(options, { abortSignal })).UploadId!, takesSha256: false };
    }
  });
}
