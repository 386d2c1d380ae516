import { BackupError } from '../../core/errors.ts';
import { assertObjectPrefix, isObjectName } from '../../core/object-name.ts';
import type { ObjectInfo } from '../../core/vault.ts';
import type { S3Address } from './address.ts';
import { ask, type Connection } from './connection.ts';
import { wholeSeconds } from './objects.ts';
import { isArchiveClass } from './storage-class.ts';

/** Objects in byte order, which is the server's; what has no name of an object is none. */
export async function* listObjects(connection: Connection, prefix: string): AsyncGenerator<ObjectInfo> {
  assertObjectPrefix(prefix);
  const { s3, at } = connection;
  let token: string | undefined;
  do {
    const request = {
      ...{ Bucket: at.bucket, Prefix: `${at.root}${prefix}`, EncodingType: 'url' as const },
      MaxKeys: connection.limits.pageNames,
      ...restoreStatus(at),
      ...(token === undefined ? {} : { ContinuationToken: token }),
    };
    const page = await ask(connection, `list ${at.text}`, (abortSignal) =>
      s3.listObjectsV2(request, { abortSignal }),
    );
    for (const { Key, Size, LastModified, StorageClass, RestoreStatus } of page.Contents ?? []) {
      const name = nameOfKey(at.root, Key!, page.EncodingType);
      if (name === null) continue;
      const restored = RestoreStatus?.IsRestoreInProgress === false;
      yield {
        ...{ name, sizeBytes: Size ?? 0, modifiedAtMs: wholeSeconds(LastModified) },
        ...(isArchiveClass(StorageClass) && !restored ? { isArchived: true as const } : {}),
      };
    }
    token = nextPage(page.IsTruncated, page.NextContinuationToken, at.text);
  } while (token !== undefined);
}

/** Only Amazon says in a listing which archived objects were recalled; some others refuse to be asked. */
export function restoreStatus({ endpoint }: S3Address) {
  const isAmazons = endpoint === null || /\.amazonaws\.com(?:\.cn)?\/?$/.test(endpoint);
  return isAmazons ? { OptionalObjectAttributes: ['RestoreStatus' as const] } : {};
}

/** The name of an object, or null for what this software does not show: claims, and what others put there. */
export function nameOfKey(root: string, key: string, encoding: string | undefined): string | null {
  const decoded = decodeKey(key, encoding);
  if (decoded === null || !decoded.startsWith(root)) return null;
  const name = decoded.slice(root.length);
  return isObjectName(name) ? name : null;
}

/** Null where it says nothing. */
export function decodeKey(key: string, encoding: string | undefined): string | null {
  if (encoding !== 'url') return key;
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return null;
  }
}

/** Throws where a listing ends without its end: what is missing would not show. */
export function nextPage<Token>(
  isTruncated: boolean | undefined,
  next: Token | undefined,
  place: string,
): Token | undefined {
  if (isTruncated !== true) return undefined;
  if (next !== undefined) return next;
  throw new BackupError('vault_refused', `the listing of ${place} broke off`, {
    hint: 'the server says that there is more, but not where: docs/s3.md says which servers are known to work',
  });
}
