import { runLimited } from '../../core/concurrency.ts';
import type { Abilities } from './abilities.ts';
import type { Connection } from './connection.ts';
import { alreadyExists, type Head, headObject } from './objects.ts';
import { publish } from './publish.ts';
import { beginUpload, type Upload } from './upload.ts';
import { makeWriteId } from './write-options.ts';
import { createWriter } from './writer.ts';

/** An object that is there, in this bucket or another one of the same server. */
export interface Original {
  readonly bucket: string;
  readonly key: string;
  readonly head: Head;
}

const AT_ONCE = 4;

/**
 * A copy that the server makes: an upload whose parts it has already. So it ends as every upload does, never on a name that is
 * taken; the server's own request for copies writes over it in most of them.
 */
export async function copyInto(
  connection: Connection,
  abilities: () => Promise<Abilities>,
  original: Original,
  to: string,
): Promise<void> {
  if ((await headObject(connection, to)) !== null) throw alreadyExists(connection, to);
  // There is no part of no bytes.
  if (original.head.ContentLength === 0) return createWriter(connection, abilities, to).commit();
  const named = { name: to, id: makeWriteId() };
  const found = await abilities();
  // The server compares nothing with a digest of ours: the bytes never come here.
  const upload = await beginUpload(connection, { ...found, keepsSha256: false }, named);
  try {
    await copyParts(upload, original, connection.limits.copyPartBytes);
    await publish(connection, found, named, (options) => upload.complete(options));
    await upload.lock();
  } catch (error) {
    await upload.abort().catch(() => {}); // The first failure is the one to report.
    throw error;
  }
}

async function copyParts(upload: Upload, original: Original, partBytes: number): Promise<void> {
  const sizeBytes = original.head.ContentLength!;
  const CopySource = sourceOf(original);
  const starts = Array.from({ length: Math.ceil(sizeBytes / partBytes) }, (_, i) => i * partBytes);
  await runLimited(starts, AT_ONCE, async (start) => {
    const end = Math.min(start + partBytes, sizeBytes) - 1;
    const range = starts.length === 1 ? {} : { CopySourceRange: `bytes=${start}-${end}` };
    await upload.copyPart(start / partBytes + 1, { CopySource, ...range });
  });
}

/** The very version that was looked at: all parts are of one. */
function sourceOf({ bucket, key, head }: Original): string {
  const path = [bucket, ...key.split('/')].map(encodeURIComponent).join('/');
  return head.VersionId === undefined ? path : `${path}?versionId=${encodeURIComponent(head.VersionId)}`;
}
