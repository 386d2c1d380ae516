import type { CompletedPart, PutObjectCommandInput } from '@aws-sdk/client-s3';
import type { Abilities } from './abilities.ts';
import { type AskOptions, ask, type Connection, keyOf } from './connection.ts';
import { statusOf } from './errors.ts';
import { headObject } from './objects.ts';
import { digestOf, writeOptions } from './write-options.ts';

/** A multipart upload that has begun. Its parts may come in any order, and at once. */
export interface Upload {
  /** Resolves when the server has the part. */
  sendPart(number: number, bytes: Uint8Array): Promise<void>;
  /** As `sendPart`, with bytes that the server has already. */
  copyPart(number: number, source: CopySource): Promise<void>;
  /** Makes the parts an object: all of those from 1 on. Throws `vault_object_exists` where the server sees that the name is taken. */
  complete(options: AskOptions): Promise<void>;
  /** Ceph RGW forgets the lock that an upload was begun with: said once more, it holds. For the object that was just made. */
  lock(): Promise<void>;
  /** Must be called when no part is on its way any more. */
  abort(): Promise<void>;
}

export interface CopySource {
  readonly CopySource: string;
  readonly CopySourceRange?: string;
}

export async function beginUpload(
  connection: Connection,
  abilities: Abilities,
  { name, id }: { readonly name: string; readonly id: string },
): Promise<Upload> {
  const { s3, at } = connection;
  const key = keyOf(connection, name);
  const doing = `write "${name}" in ${at.text}`;
  const options = writeOptions(connection, id, null);
  const algorithm = abilities.keepsSha256 ? { ChecksumAlgorithm: 'SHA256' as const } : {};
  const { UploadId } = await ask(connection, doing, (abortSignal) =>
    s3.createMultipartUpload({ ...key, ...options, ...algorithm }, { abortSignal }),
  );
  const upload = { ...key, UploadId: UploadId! };
  const parts: CompletedPart[] = [];
  return {
    sendPart: async (number, bytes) => {
      const request = {
        ...upload,
        PartNumber: number,
        Body: bytes,
        ...digestOf(bytes, abilities.keepsSha256),
      };
      const sent = await ask(connection, doing, (abortSignal) => s3.uploadPart(request, { abortSignal }));
      parts[number - 1] = partOf(number, sent);
    },
    copyPart: async (number, source) => {
      const request = { ...upload, PartNumber: number, ...source };
      const { CopyPartResult } = await ask(connection, doing, (abortSignal) =>
        s3.uploadPartCopy(request, { abortSignal }),
      );
      parts[number - 1] = partOf(number, CopyPartResult!);
    },
    complete: async (asking) => {
      const condition = abilities.isExact ? { IfNoneMatch: '*' } : {};
      const request = { ...upload, MultipartUpload: { Parts: parts }, ...condition };
      await ask(
        connection,
        doing,
        (abortSignal) => s3.completeMultipartUpload(request, { abortSignal }),
        asking,
      );
    },
    lock: () => lockObject(connection, name, options),
    abort: async () => {
      await ask(connection, `give up the upload of "${name}" in ${at.text}`, (abortSignal) =>
        s3.abortMultipartUpload(upload, { abortSignal }).catch(ignoreMissing),
      );
    },
  };
}

type Lock = Pick<PutObjectCommandInput, 'ObjectLockMode' | 'ObjectLockRetainUntilDate'>;

async function lockObject(connection: Connection, name: string, wanted: Lock): Promise<void> {
  const { s3, at } = connection;
  const { ObjectLockMode: Mode, ObjectLockRetainUntilDate: RetainUntilDate } = wanted;
  if (Mode === undefined || RetainUntilDate === undefined) return;
  const key = keyOf(connection, name);
  try {
    const found = await headObject(connection, name);
    if ((found?.ObjectLockRetainUntilDate ?? 0) >= RetainUntilDate) return;
    await ask(connection, `lock "${name}" in ${at.text}`, (abortSignal) =>
      s3.putObjectRetention({ ...key, Retention: { Mode, RetainUntilDate } }, { abortSignal }),
    );
  } catch (error) {
    await s3.deleteObject(key).catch(() => {}); // Nobody was told that it is there.
    throw error;
  }
}

function partOf(number: number, { ETag, ChecksumSHA256 }: CompletedPart): CompletedPart {
  return {
    ...{ PartNumber: number, ETag },
    ...(ChecksumSHA256 === undefined ? {} : { ChecksumSHA256 }),
  };
}

function ignoreMissing(error: unknown): void {
  if (statusOf(error) !== 404) throw error;
}
