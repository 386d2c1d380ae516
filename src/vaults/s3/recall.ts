import type { Recall } from '../../core/vault.ts';
import { ask, type Connection, keyOf } from './connection.ts';
import { nameOf, statusOf } from './errors.ts';
import { type Head, recallState } from './objects.ts';

const HOUR_MS = 60 * 60 * 1000;
/** What Amazon promises of the tier Standard. */
const USUALLY_MS: Readonly<Record<string, number>> = {
  GLACIER: 5 * HOUR_MS,
  DEEP_ARCHIVE: 12 * HOUR_MS,
  ARCHIVE_ACCESS: 5 * HOUR_MS,
  DEEP_ARCHIVE_ACCESS: 12 * HOUR_MS,
};

/** Asks that an archived object be readable for some days. */
export async function recall(
  connection: Connection,
  name: string,
  head: Head,
  versionId?: string,
): Promise<Recall> {
  const state = recallState(head);
  if (state === 'readable') return { state };
  const usuallyMs = USUALLY_MS[head.ArchiveStatus ?? head.StorageClass ?? ''] ?? null;
  if (state === 'under_way') return { state, usuallyMs };
  return ask(connection, `recall "${name}" in ${connection.at.text}`, async (abortSignal) => {
    try {
      const { $metadata } = await connection.s3.restoreObject(request(connection, name, head, versionId), {
        abortSignal,
      });
      // 202 where it began to be restored, 200 where it already was.
      return $metadata.httpStatusCode === 200 ? { state: 'readable' } : { state: 'asked', usuallyMs };
    } catch (error) {
      if (nameOf(error) === 'RestoreAlreadyInProgress') return { state: 'under_way', usuallyMs };
      // A server that only calls a class by that name: what it keeps there can be read.
      if (statusOf(error) === 501) return { state: 'readable' };
      throw error;
    }
  });
}

function request(
  connection: Connection,
  name: string,
  { ArchiveStatus }: Head,
  versionId: string | undefined,
) {
  return {
    ...keyOf(connection, name),
    ...(versionId === undefined ? {} : { VersionId: versionId }),
    RestoreRequest: {
      // What is archived within Intelligent-Tiering comes back for good.
      ...(ArchiveStatus === undefined ? { Days: connection.at.recallDays } : {}),
      GlacierJobParameters: { Tier: 'Standard' as const },
    },
  };
}
