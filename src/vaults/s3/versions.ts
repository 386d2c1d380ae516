import type { ListObjectVersionsCommandOutput, ObjectVersion } from '@aws-sdk/client-s3';
import { assertObjectPrefix } from '../../core/object-name.ts';
import type { ObjectInfo } from '../../core/vault.ts';
import type { View } from './address.ts';
import { ask, type Connection } from './connection.ts';
import { decodeKey, nameOfKey, nextPage, restoreStatus } from './listing.ts';
import { wholeSeconds } from './objects.ts';
import { isArchiveClass } from './storage-class.ts';

/** A version of an object, as a view shows it. */
export interface Seen extends ObjectInfo {
  readonly versionId: string;
}

/** One thing that was done under a name. */
interface Version {
  readonly name: string;
  readonly writtenAtMs: number;
  readonly isLatest: boolean;
  /** Null for a removal. */
  readonly info: Seen | null;
}

type Page = ListObjectVersionsCommandOutput;

/**
 * The objects of a bucket as a view shows them. The bucket gives names in byte order, and what was done under one of them with
 * the newest first, also from one page to the next.
 */
export async function* listVersions(
  connection: Connection,
  prefix: string,
  view: View,
): AsyncGenerator<Seen> {
  assertObjectPrefix(prefix);
  let history: Version[] = [];
  for await (const version of allVersions(connection, prefix)) {
    if (history.length > 0 && history[0]!.name !== version.name) {
      yield* shown(history, view);
      history = [];
    }
    history.push(version);
  }
  yield* shown(history, view);
}

/** The version that a view shows under a name; null when there is none. */
export async function findVersion(connection: Connection, name: string, view: View): Promise<Seen | null> {
  for await (const seen of listVersions(connection, name, view)) {
    // Names that go on where this one ends come behind it.
    return seen.name === name ? seen : null;
  }
  return null;
}

function shown(history: readonly Version[], view: View): Seen[] {
  const version =
    view === 'first'
      ? history.findLast(({ info }) => info !== null)
      : history.find(({ writtenAtMs }) => writtenAtMs <= view.asOfMs);
  return version?.info == null ? [] : [version.info];
}

async function* allVersions(connection: Connection, prefix: string): AsyncGenerator<Version> {
  const { s3, at } = connection;
  let from: { KeyMarker?: string; VersionIdMarker?: string } | undefined = {};
  while (from !== undefined) {
    const request = {
      ...{ Bucket: at.bucket, Prefix: `${at.root}${prefix}`, EncodingType: 'url' as const, ...from },
      MaxKeys: connection.limits.pageNames,
      ...restoreStatus(at),
    };
    const page: Page = await ask(connection, `list the versions in ${at.text}`, (abortSignal) =>
      s3.listObjectVersions(request, { abortSignal }),
    );
    yield* inOrder(page, at.root);
    const next = nextPage(page.IsTruncated, page.NextKeyMarker, at.text);
    const id = page.NextVersionIdMarker;
    from =
      next === undefined
        ? undefined
        : {
            KeyMarker: decodeKey(next, page.EncodingType) ?? next,
            ...(id === undefined ? {} : { VersionIdMarker: id }),
          };
  }
}

/**
 * The client gives versions and removals apart: they are put together by time. Of two of the same second the version counts as
 * the later one, unless the bucket says which is: to show an object too many is the safer mistake.
 */
function inOrder({ Versions = [], DeleteMarkers = [], EncodingType }: Page, root: string): Version[] {
  const versions = Versions.flatMap((version): Version[] => {
    const name = nameOfKey(root, version.Key!, EncodingType);
    return name === null ? [] : [describe(name, version)];
  });
  const removals = DeleteMarkers.flatMap(({ Key, LastModified, IsLatest }): Version[] => {
    const name = nameOfKey(root, Key!, EncodingType);
    const writtenAtMs = LastModified?.getTime() ?? 0;
    return name === null ? [] : [{ name, writtenAtMs, isLatest: IsLatest === true, info: null }];
  });
  return [...versions, ...removals].sort(
    (a, b) =>
      compare(a.name, b.name) || Number(b.isLatest) - Number(a.isLatest) || b.writtenAtMs - a.writtenAtMs,
  );
}

function describe(name: string, version: ObjectVersion): Version {
  const { VersionId, Size, LastModified, StorageClass, RestoreStatus, IsLatest } = version;
  const isArchived = isArchiveClass(StorageClass) && RestoreStatus?.IsRestoreInProgress !== false;
  return {
    ...{ name, writtenAtMs: LastModified?.getTime() ?? 0, isLatest: IsLatest === true },
    info: {
      ...{ name, sizeBytes: Size ?? 0, modifiedAtMs: wholeSeconds(LastModified), versionId: VersionId! },
      ...(isArchived ? { isArchived: true as const } : {}),
    },
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
