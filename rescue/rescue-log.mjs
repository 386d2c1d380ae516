/** What a change log has beyond a backup: FORMAT.md §11. Within an unbroken run of its files no transaction is missing. */
import fs from 'node:fs';
import { basename, join } from 'node:path';
import { check, decodeChunk, decompress, list, makeReader, readBytes, timeText } from './rescue-chunks.mjs';
import { findKey, openPiece, sha256 } from './rescue-sealed.mjs';

const hex = (text) => BigInt(`0x${text}`);

// ---- Files: §11.1, §11.2 ----

/** The runs of files without a hole, by the names alone. */
export function findSpans(folder) {
  const names = fs.readdirSync(folder).map((name) => /^([0-9A-F]{16})-([0-9A-F]{16})\.(log|gap)$/.exec(name));
  const all = names
    .filter(Boolean)
    .map(([name, from, to, kind]) => ({ name, kind, from: hex(from), to: hex(to) }));
  const gaps = all.filter(({ kind }) => kind === 'gap');
  const order = ({ from, to }) => [from, to === from ? 0n : 1n, -to];
  const files = all.filter(({ kind }) => kind === 'log');
  files.sort((a, b) => {
    const [x, y] = [order(a), order(b)];
    const i = x.findIndex((value, at) => value !== y[at]);
    return i === -1 ? 0 : x[i] < y[i] ? -1 : 1;
  });
  const spans = [];
  for (const file of files) {
    const span = spans.at(-1);
    if (span !== undefined && file.to <= span.to) continue; // a longer file holds the same
    const begins = span?.files.at(-1);
    const isBehindGap = gaps.some(
      ({ from, to }) => from <= span?.to && (to > span.to || (to === span.to && begins.from < begins.to)),
    );
    if (span !== undefined && file.from === span.to && !isBehindGap) {
      span.files.push(file);
      span.to = file.to;
    } else {
      spans.push({ from: file.from, to: file.to, files: [file] });
    }
  }
  return spans;
}
/** The log of the store that the backup was taken from: §11.11. */
function chooseFolder(vault, cursor, name) {
  if (name !== undefined) return join(vault, 'log', name);
  const { kind, systemIdentifier, timeline } = cursor;
  if (kind === 'postgres') return join(vault, 'log', `${systemIdentifier}-${timeline}`);
  const names = fs.readdirSync(join(vault, 'log'));
  check(names.length === 1, `there are ${names.length} logs: name one with --log, of ${names.join(', ')}`);
  return join(vault, 'log', names[0]);
}

// ---- Blocks: §11.3 ----

/** `limit`: how many blocks are whole, once that is known. */
export function* readBlocks(folder, files, limit = Number.POSITIVE_INFINITY) {
  let previous = null;
  let count = 0;
  for (const { name, to } of files) {
    const file = fs.openSync(join(folder, name));
    const { size } = fs.fstatSync(file);
    let header = null;
    for (let at = 0; at < size; ) {
      const start = readBytes(file, at, 40);
      check(start.toString('latin1', 0, 4) === 'ECL1', `${name} is damaged at ${at}`);
      const text = readBytes(file, at + 40, start.readUInt32LE(4));
      const digest = sha256(text);
      check(digest === start.toString('hex', 8), `the header of a block of ${name} does not have its digest`);
      header = JSON.parse(text.toString());
      const { blockVersion, parts } = header;
      check(blockVersion === 1 || blockVersion === 2, `blocks of version ${blockVersion} are unknown`);
      check(previous === null || header.previous === previous, `a block is missing before ${at} of ${name}`);
      previous = digest;
      at += 40 + text.length;
      const places = new Map();
      for (const [number, part] of parts.entries()) {
        places.set(part.role, { ...part, number, at });
        at += part.storedBytes;
      }
      check(at <= size, `${name} ends too early`);
      if (count === limit) return;
      count += 1;
      yield { header, readPart: (role) => readPart({ folder, file, name, header }, places.get(role)) };
    }
    check(header !== null && hex(header.to ?? '0') === to, `${name} ends before its end`);
    fs.closeSync(file);
  }
}
/** The plain bytes of a part; null when the block has none of the kind. */
function readPart({ folder, file, name, header }, part) {
  if (part === undefined) return null;
  const { role, at, storedBytes, plainBytes, number } = part;
  let stored = readBytes(file, at, storedBytes);
  check(sha256(stored) === part.sha256, `the ${role} of a block of ${name} do not have their digest`);
  if (header.sealing) stored = openPart(folder, header, number, stored);
  // The events are always a frame; the others where that is shorter.
  const isFrame = role === 'events' || stored.length < plainBytes;
  return decompress(stored, isFrame ? header.compression : 'none', plainBytes);
}
const keys = new Map();
/** A sealed part: what it was sealed as names all of the header but what follows from the sealed bytes. */
function openPart(folder, { signature: _, ...header }, number, stored) {
  const { cipher, keyId, memoryKeyId, lastEvent: __, ...unknown } = header.sealing;
  check(cipher === 'AES-256-GCM' && Object.keys(unknown).length === 0, 'a block is sealed in an unknown way');
  if (!keys.has(keyId)) keys.set(keyId, findKey(folder, keyId));
  const parts = header.parts.map(({ role, storedBytes, plainBytes, records }) => ({
    ...{ role, storedBytes, plainBytes, records },
  }));
  const file = sha256(JSON.stringify({ ...header, parts, sealing: { cipher, keyId, memoryKeyId } }));
  const end = number === parts.length - 1 ? 'last' : 'more';
  return openPiece(stored, keys.get(keyId), [basename(folder), file, number, end]);
}
/** §11.4 */
export function readTransactions({ header, readPart }) {
  const { steps, varint } = makeReader(readPart('transactions'));
  const n = header.transactions;
  const xids = steps(n, (value) => BigInt.asUintN(32, value));
  const commits = steps(n, (value) => BigInt.asUintN(64, value));
  const times = steps(n, (value) => BigInt.asIntN(64, value)).map(timeText);
  return list(n, (i) => ({ xid: xids[i], commit: commits[i], time: times[i], events: varint() }));
}

// ---- Where backup and log meet: §11.11 ----

/** Where the backup stands in the log, and whose a transaction is: `backup`, `log`, or `ask` for: event by event. */
function meetingPoint(cursor) {
  if (cursor.kind !== 'postgres') {
    const last = cursor.kind === 'sqlite' ? cursor.maxRowid : cursor.events;
    check(last != null, 'the backup does not say where it stands in a log');
    const position = BigInt(last) + 1n;
    let first = null;
    const ownerOf = ({ commit }) => {
      if (commit < position) return 'backup';
      first ??= commit;
      return commit === first ? 'ask' : 'log';
    };
    return { position, start: position, oldest: null, ownerOf };
  }
  check(cursor.lsn != null && cursor.snapshot != null, 'the backup does not say where it stands in a log');
  const [high, low] = cursor.lsn.split('/').map(hex);
  const [oldest, next, ...running] = cursor.snapshot.match(/\d+/g).map(BigInt); // xmin:xmax:xip,xip,…
  const position = (high << 32n) + low;
  const ownerOf = ({ xid, commit }) => {
    if (commit < point.start) return 'backup';
    if (cursor.role === 'standby') return commit >= position ? 'log' : 'ask';
    const whole = next + BigInt.asIntN(32, xid - next); // the number with these 32 bits that is next to it
    return whole < oldest || (whole < next && !running.includes(whole)) ? 'backup' : 'log';
  };
  const point = { position, start: null, oldest, ownerOf };
  return point;
}
const idOf = ({ id, idBase64 }) => id ?? Buffer.from(idBase64, 'base64').toString();
const streamOf = ({ streamId, streamIdBase64 }) => streamId ?? `base64:${streamIdBase64}`;

/** Whether the backup holds an event, by what it says of the event's stream (§6). */
function isHeld(head, event) {
  const { version } = event;
  if (head === undefined || version < head.firstVersion || version > head.lastVersion) return false;
  if ((head.gaps ?? []).some(([first, last]) => version >= first && version <= last)) return false;
  const isSame = version !== head.lastVersion || idOf(event).toLowerCase() === head.lastEventId.toLowerCase();
  check(isSame, `the log has another event ${idOf(event)} than the backup: it is of another store`);
  return true;
}

/**
 * Block by block what committed up to `until`, with whose it is. §11.7: the first transaction beyond ends it, whatever the
 * times of those behind it are.
 */
function* readRun({ folder, files, whole, point, until }) {
  let isCut = false;
  let number = 0; // of the next event of the run
  for (const block of readBlocks(folder, files, whole)) {
    const { firstCommit, parts } = block.header;
    if (isCut && firstCommit !== null && hex(firstCommit) >= point.position) return;
    const all = readTransactions(block).map((one) => ({ ...one, owner: point.ownerOf(one) }));
    const end = isCut || until === undefined ? -1 : all.findIndex(({ time }) => time > until);
    const transactions = isCut ? [] : all.slice(0, end === -1 ? all.length : end);
    isCut ||= end !== -1;
    const beyond = all.slice(transactions.length);
    const isSeen = beyond.some(({ commit, owner }) => commit < point.position && owner !== 'log');
    check(
      !isSeen,
      'the backup holds, or may hold, what committed after --until: name an older one with --backup',
    );
    yield { ...block, transactions, number };
    number += parts.find(({ role }) => role === 'events')?.records ?? 0;
  }
}
/** The events of a block that are not the backup's, each with its number in the run. */
function eventsOf({ header, readPart, transactions, number }) {
  if (transactions.every(({ owner, events }) => owner === 'backup' || events === 0)) return [];
  const lines = decodeChunk(header.format, readPart('events'));
  let end = 0;
  return transactions.flatMap(({ owner, events }) => {
    const begin = end;
    end += events;
    if (owner === 'backup') return [];
    return lines.slice(begin, end).map((line, i) => ({ line, owner, number: number + begin + i }));
  });
}
/** §11.5: notes what was removed, and how many events of the run had been written before that. */
function noteRemovals(removed, { readPart, transactions, number }, point) {
  const lines = decodeChunk('jsonl', readPart('removals') ?? Buffer.alloc(0));
  for (const { transaction, afterEvents, eventId } of lines.map((line) => JSON.parse(line))) {
    if (transaction >= transactions.length || transactions[transaction].owner === 'backup') continue;
    const { owner, commit } = transactions[transaction];
    const isUnknown = owner === 'ask' && commit < point.position;
    check(
      !isUnknown,
      'events were removed while the backup was taken, and a standby does not tell whether it saw that',
    );
    if (eventId !== null) {
      removed.ids.set(eventId, number + afterEvents);
      continue;
    }
    removed.before = number + afterEvents;
    removed.ids.clear();
  }
}
/**
 * Checks a log as far as it is needed. Gives what of the backup's lines is kept, and what is added to them. `attempt` is what
 * damage is left to; `readHeads` gives what the backup holds of some streams.
 */
export function planLog(vault, { cursor, createdAt }, { name, until, attempt, readHeads }) {
  check(
    until === undefined || /^\d{4}(-\d\d){2}T(\d\d:){2}\d\d\.\d{6}Z$/.test(until),
    '--until is not spelt as it must be',
  );
  const folder = chooseFolder(vault, cursor, name);
  const point = meetingPoint(cursor);
  const span = findSpans(folder).findLast(({ from }) => from <= point.position);
  check(span !== undefined, 'it begins behind the backup');
  if (span.to < point.position) console.error('rescue: the log, or this run of it, ends before the backup');
  const run = { folder, files: span.files, whole: 0, point, until };
  attempt('the log from its first damage on', () => {
    for (const { header, readPart } of readBlocks(folder, span.files)) {
      for (const { role } of header.parts) readPart(role);
      // Rows are numbered anew after a store was restored: only time tells which numbers those of the backup are.
      const isOlder =
        run.whole === 0 && point.position > span.from && header.asOf > createdAt.replace('Z', '999Z');
      check(!isOlder || point.oldest !== null, 'it begins later than the backup was taken');
      run.whole += 1;
      if (header.horizon === null || point.oldest === null) continue;
      const position = hex(header.horizon.position);
      const isReached = position >= span.from && BigInt(header.horizon.xid) <= point.oldest;
      if (isReached && (point.start === null || position > point.start)) point.start = position;
    }
  });
  check(point.start !== null, 'it may lack what committed while the backup was taken');
  const removed = { ids: new Map(), before: -1 };
  const streams = new Set();
  let reached = 'nothing';
  for (const block of readRun(run)) {
    noteRemovals(removed, block, point);
    const asked = eventsOf(block).filter(({ owner }) => owner === 'ask');
    for (const { line } of asked) streams.add(streamOf(JSON.parse(line)));
    const last = block.transactions.at(-1);
    if (last !== undefined) reached = `the commit at ${last.commit.toString(16).toUpperCase()}, ${last.time}`;
  }
  console.error(`rescue: the log is taken up to ${reached}`);
  const heads = readHeads(streams);
  const isWanted = ({ line, owner, number }) => {
    const event = JSON.parse(line);
    if (owner === 'ask' && isHeld(heads.get(streamOf(event)), event)) return false;
    return number >= removed.before && number >= (removed.ids.get(idOf(event)) ?? -1);
  };
  return {
    isKept: (line) =>
      removed.before === -1 && !(removed.ids.size > 0 && removed.ids.has(idOf(JSON.parse(line)))),
    read: (onLines) => {
      for (const block of readRun(run))
        onLines(
          eventsOf(block)
            .filter(isWanted)
            .map(({ line }) => line),
        );
    },
  };
}
