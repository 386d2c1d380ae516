import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { StoreSpecimen } from './specimen.ts';

/** PostgreSQL's pages, as `storage/bufpage.h` and `access/htup_details.h` have them. */
export const PAGE_BYTES = 8192;
const PAGE_HEADER_BYTES = 24;
const LINE_POINTER_BYTES = 4;
/** Of the header of a tuple: where its data begin. */
const DATA_OFFSET_AT = 22;

/** A file of a store, changed while the server is down. */
export async function changeFile(
  { server, sql }: StoreSpecimen,
  relation: string,
  edit: (file: Buffer) => void,
): Promise<void> {
  const [found] = await sql(`SELECT pg_relation_filepath(${relation}::oid) AS path`);
  await server!.restart(() => {
    const path = join(server!.dataDir, String(found!.path));
    const bytes = readFileSync(path);
    const before = Buffer.from(bytes);
    edit(bytes);
    writeChanges(path, before, bytes);
  });
}

/** In place: the file stays the server's. */
function writeChanges(path: string, before: Buffer, after: Buffer): void {
  const file = openSync(path, 'r+');
  for (let at = 0; at < after.length; at += 1) {
    if (after[at] !== before[at]) writeSync(file, after, at, 1, at);
  }
  closeSync(file);
}

/** Where a row of the events lies: the block, and the number of its line pointer. */
export async function placeOfRow(
  { sql }: StoreSpecimen,
  stream: string,
  version: number,
): Promise<{ readonly block: number; readonly pointer: number }> {
  const [row] = await sql(
    `SELECT ctid FROM eventcore_events WHERE stream_id = '${stream}' AND stream_version = ${version}`,
  );
  const [, block, pointer] = /\((\d+),(\d+)\)/.exec(String(row!.ctid))!;
  return { block: Number(block), pointer: Number(pointer) };
}

/** Where the line pointer of a row stands in the file. */
export function linePointerAt({ block, pointer }: { block: number; pointer: number }): number {
  return block * PAGE_BYTES + PAGE_HEADER_BYTES + (pointer - 1) * LINE_POINTER_BYTES;
}

/** Where the data of a row begin in the file. */
export function dataAt(file: Buffer, place: { block: number; pointer: number }): number {
  const tuple = place.block * PAGE_BYTES + (file.readUInt32LE(linePointerAt(place)) & 0x7fff);
  return tuple + file[tuple + DATA_OFFSET_AT]!;
}

/** A page of a file of SQLite, by its number from 1. */
export function changePage(path: string, pageNumber: number, edit: (page: Buffer) => void): void {
  const pageBytes = pageSizeOf(path);
  const file = openSync(path, 'r+');
  const page = Buffer.alloc(pageBytes);
  readSync(file, page, 0, pageBytes, (pageNumber - 1) * pageBytes);
  edit(page);
  writeSync(file, page, 0, pageBytes, (pageNumber - 1) * pageBytes);
  closeSync(file);
}

export function pageSizeOf(path: string): number {
  return readFileSync(path).readUInt16BE(16);
}
