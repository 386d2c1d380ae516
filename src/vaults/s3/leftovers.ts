import type { ListMultipartUploadsCommandInput, ListMultipartUploadsCommandOutput } from '@aws-sdk/client-s3';
import { assertObjectPrefix } from '../../core/object-name.ts';
import { removeStaleClaims } from './claims.ts';
import { ask, type Connection } from './connection.ts';
import { statusOf } from './errors.ts';
import { nextPage } from './listing.ts';

interface Started {
  readonly Bucket: string;
  readonly Key: string;
  readonly UploadId: string;
}

/**
 * Ends the uploads of dead writers, and removes their claims. Who writes does not show, so one counts as dead when it has sent
 * nothing for a day.
 */
export async function removeLeftovers(connection: Connection, prefix: string): Promise<number> {
  assertObjectPrefix(prefix);
  let removed = await removeStaleClaims(connection, prefix);
  for await (const upload of oldUploads(connection, prefix)) {
    if (await isResting(connection, upload)) removed += await end(connection, upload);
  }
  return removed;
}

async function* oldUploads(connection: Connection, prefix: string): AsyncGenerator<Started> {
  const { s3, at } = connection;
  const Prefix = `${at.root}${prefix}`;
  let from: Partial<ListMultipartUploadsCommandInput> | undefined = {};
  while (from !== undefined) {
    const request: ListMultipartUploadsCommandInput = { Bucket: at.bucket, Prefix, ...from };
    const page: ListMultipartUploadsCommandOutput | null = await ask(
      connection,
      `list the uploads of ${at.text}`,
      (abortSignal) => s3.listMultipartUploads(request, { abortSignal }).catch(nullWhereUnknown),
    );
    for (const { Key, UploadId, Initiated } of page?.Uploads ?? []) {
      if (!isOld(connection, Initiated)) continue;
      yield { Bucket: at.bucket, Key: Key!, UploadId: UploadId! };
    }
    const next = nextPage(page?.IsTruncated, page?.NextKeyMarker, at.text);
    const id = page?.NextUploadIdMarker;
    from =
      next === undefined
        ? undefined
        : { KeyMarker: next, ...(id === undefined ? {} : { UploadIdMarker: id }) };
  }
}

/** A server without listings of uploads ends them itself, or nobody can. */
function nullWhereUnknown(error: unknown): null {
  if (statusOf(error) === 501) return null;
  throw error;
}

function isOld(connection: Connection, time: Date | undefined): boolean {
  return time !== undefined && connection.now() - time.getTime() > connection.limits.abandonedMs;
}

/** An upload that began long ago may still be going on. */
async function isResting(connection: Connection, upload: Started): Promise<boolean> {
  const { s3, at } = connection;
  let marker: string | undefined;
  do {
    const request = { ...upload, ...(marker === undefined ? {} : { PartNumberMarker: marker }) };
    const page = await ask(connection, `look at an upload in ${at.text}`, (abortSignal) =>
      s3.listParts(request, { abortSignal }).catch(nullWhereGone),
    );
    if (page === null) return false;
    if ((page.Parts ?? []).some(({ LastModified }) => !isOld(connection, LastModified))) return false;
    marker = nextPage(page.IsTruncated, page.NextPartNumberMarker, at.text);
  } while (marker !== undefined);
  return true;
}

function nullWhereGone(error: unknown): null {
  if (statusOf(error) === 404) return null;
  throw error;
}

/** How many were ended: none when another clean-up was faster. */
async function end(connection: Connection, upload: Started): Promise<0 | 1> {
  const { s3, at } = connection;
  const ended = await ask(connection, `end an upload in ${at.text}`, (abortSignal) =>
    s3.abortMultipartUpload(upload, { abortSignal }).catch(nullWhereGone),
  );
  return ended === null ? 0 : 1;
}
