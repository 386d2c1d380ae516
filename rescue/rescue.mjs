/**
 * The way home without EventCore Backup: reads a vault (a directory), sealed or not, and writes its events as JSON Lines.
 * It needs Node 24 or later and nothing else, and follows FORMAT.md; § is a section of that document.
 * It checks digests, lengths, counts and seals, not heads, oddities and signatures. How to use it: docs/rescue.md.
 */
import crypto from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { check, decodeChunk, decompress, readBytes } from './rescue-chunks.mjs';
import { planLog } from './rescue-log.mjs';
import { findKey, form, openPiece, readForm, sha256, useSecrets } from './rescue-sealed.mjs';

const USAGE = `node rescue.mjs VAULT      the events of the newest whole chain of backups, as JSON Lines on stdout
  --list                   only list the backups
  --backup ID              this backup and what it builds on (the first characters of its id will do)
  --out FILE               into a new file
  --companions             the companions (consumer checkpoints and the like) instead of the events
  --with-log               and what the change log has beyond the backup
  --until TIME             … up to this time, as 2026-11-23T04:05:06.123456Z
  --log NAME               … of the log in log/NAME, when there are several
  --identity FILE          for a sealed vault: age identities, or
  --passphrase-file FILE   a passphrase, or
  --age COMMAND            what opens a wrapped key from stdin to stdout, as 'age -d -i owner.age-key', or
  --key-file FILE          data keys, 64 hex digits a line
  --keep-going             leave out what is damaged; the exit code is 1 all the same`;
const TEXTS = ['backup', 'out', 'until', 'log', 'identity', 'passphrase-file', 'age', 'key-file'];
const SWITCHES = ['list', 'companions', 'with-log', 'keep-going', 'help'];
const state = { failures: 0, keepGoing: false, out: 1, written: 0, exitCode: 1 };

function warn(message) {
  state.failures += 1;
  console.error(`rescue: ${message}`);
}
/** Does a piece of work; when it fails, --keep-going says so and goes on. */
function attempt(what, work) {
  try {
    work();
  } catch (error) {
    const { message, syscall } = error;
    if (!state.keepGoing || syscall === 'write')
      throw Object.assign(new Error(`${what}: ${message}`), { syscall });
    warn(`left out ${what}: ${error.message}`);
  }
}

// ---- Manifests and chains: §3 ----

/** §2: a folder without manifest.json is no backup. A damaged manifest is said, and the others are still good. */
function readBackups(vault) {
  const backups = [];
  for (const name of fs.readdirSync(join(vault, 'backups'))) {
    const [, kind, id] = /^(full|incremental)-backup-([0-9a-f-]{36})\.eventcore$/.exec(name) ?? [];
    const folder = join(vault, 'backups', name);
    if (id === undefined || !fs.existsSync(join(folder, 'manifest.json'))) continue;
    try {
      const manifest = readForm(join(folder, 'manifest.json'), 'manifestChecksum');
      check(manifest.formatVersion === 1, `its format version is ${manifest.formatVersion}, not 1`);
      check(manifest.backupId === id && manifest.kind === kind, 'its manifest is of another backup');
      backups.push({ ...manifest, manifest, folder });
    } catch (error) {
      warn(`the manifest of ${name} cannot be used: ${error.message}`);
    }
  }
  return backups.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
}
/** §3.4: a backup with all that it builds on, the full one first; and why that is not whole, if it is not. */
function chainOf(backups, backup) {
  const links = [backup];
  while (links[0].parentId !== null) {
    const { parentId, chain } = links[0];
    const parent = backups.find(({ backupId }) => backupId === parentId);
    if (parent === undefined) return { links, problem: `${parentId}, which it builds on, is missing` };
    if (parent.manifestChecksum !== chain.parentChecksum)
      return { links, problem: `${parentId} is not as it was when it was built on` };
    links.unshift(parent);
  }
  return { links, problem: null };
}
function chooseChain(backups, wanted = '') {
  const fitting = backups.filter(({ backupId }) => backupId.startsWith(wanted)).reverse();
  check(fitting.length > 0, `there is no backup ${wanted}`);
  check(wanted === '' || fitting.length === 1, `more than one backup begins with ${wanted}`);
  for (const { links, problem } of fitting.map((backup) => chainOf(backups, backup))) {
    if (problem === null) return links;
    warn(`backup ${links.at(-1).backupId} is not whole: ${problem}`);
    if (wanted !== '' && state.keepGoing) return links;
  }
  throw new Error('no whole chain: --backup ID --keep-going takes what there is of one');
}

/** §13.4: the manifest proves by its tag that it was written by who had the key. */
function openBackup({ manifest, folder }) {
  if (!manifest.sealed) return null;
  const { tag, signature: _, manifestChecksum: __, ...tagged } = manifest;
  const { cipher, keyId, memoryKeyId: ___, ...unknown } = manifest.sealing;
  check(cipher === 'AES-256-GCM' && Object.keys(unknown).length === 0, 'it is sealed in an unknown way');
  const key = findKey(folder, keyId);
  const proof = crypto
    .createHmac('sha256', key)
    .update(`eventcore manifest 1\n${form(tagged)}`)
    .digest('hex');
  check(proof === tag, 'its manifest was not written by who had its key');
  return key;
}

// ---- Data files: §4 ----

function readTable({ folder, backupId }, { name, index, chunks, records, sizeBytes }, key) {
  check(/^[\w.-]+$/.test(name) && /^[\w.-]+$/.test(index.name), 'that is no name of a data file');
  let table = fs.readFileSync(join(folder, index.name));
  check(sha256(table) === index.sha256, `${index.name} does not have its digest`);
  if (key !== null) table = openPiece(table, key, [backupId, index.name, 0, 'last']);
  const [head, ...entries] = table
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  check(head.index === 1 && head.file === name && head.chunks === chunks, `${index.name} is of another file`);
  const sum = (key) => entries.reduce((total, entry) => total + entry[key], 0);
  const isWhole = entries.length === chunks && sum('records') === records && sum('storedBytes') === sizeBytes;
  check(isWhole, `${index.name} does not cover ${name}`);
  return entries;
}
/** Gives all lines of a file, chunk by chunk. Files other than those of events are JSON Lines (§6, §7). */
function readFile(backup, file, key, onLines) {
  const entries = readTable(backup, file, key);
  const data = fs.openSync(join(backup.folder, file.name));
  let end = 0;
  for (const [number, { offset, storedBytes, plainBytes, sha256: digest, records }] of entries.entries()) {
    attempt(`chunk ${number} of ${file.name} (${records} records)`, () => {
      check(offset === end, 'it does not follow the chunk before it');
      let stored = readBytes(data, offset, storedBytes);
      check(sha256(stored) === digest, 'it does not have its digest');
      const place = [backup.backupId, file.name, number, number === entries.length - 1 ? 'last' : 'more'];
      if (key !== null) stored = openPiece(stored, key, place);
      const plain = decompress(stored, backup.compression, plainBytes);
      const lines = decodeChunk(file.role === 'events' ? backup.format : 'jsonl', plain);
      check(lines.length === records, 'it has another number of records than its table says');
      onLines(lines);
    });
    end += storedBytes;
  }
  check(fs.fstatSync(data).size === file.sizeBytes, `${file.name} has another size than its manifest says`);
  fs.closeSync(data);
}
/** All lines of the files of one role in a backup. */
function readLines(backup, role, onLines) {
  attempt(`backup ${backup.backupId}`, () => {
    const key = openBackup(backup);
    for (const file of backup.files.filter((one) => one.role === role))
      attempt(file.name, () => readFile(backup, file, key, onLines));
  });
}

// ---- The command ----

function write(lines) {
  if (lines.length === 0) return;
  const bytes = Buffer.from(`${lines.join('\n')}\n`);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += fs.writeSync(state.out, bytes, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error; // a pipe whose reader is slower
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
  state.written += lines.length;
}
function printBackups(backups) {
  for (const backup of backups) {
    const { createdAt, backupId, kind, totalEvents, sealed } = backup;
    const { links, problem } = chainOf(backups, backup);
    const state = problem ?? (links.length === 1 ? 'whole' : `whole, with ${links.length - 1} before it`);
    console.log(
      `${createdAt}  ${backupId}  ${kind}  ${totalEvents} events  ${sealed ? 'sealed' : 'plain'}  ${state}`,
    );
  }
}
/** What the chain holds of these streams: of each the line in the newest backup that has one (§3.4). */
function readHeads(chain, streams) {
  const heads = new Map();
  const note = (head) => streams.has(head.streamId) && heads.set(head.streamId, head);
  for (const backup of chain)
    readLines(backup, 'heads', (lines) => lines.map((line) => JSON.parse(line)).forEach(note));
  return heads;
}
function writeEvents(vault, chain, options) {
  let log = null;
  const plan = () => {
    const { log: name, until } = options;
    const heads = (streams) => (streams.size === 0 ? new Map() : readHeads(chain, streams));
    log = planLog(vault, chain.at(-1), { name, until, attempt, readHeads: heads });
  };
  if (options['with-log']) attempt('the change log', plan);
  for (const backup of chain) {
    let events = 0;
    readLines(backup, 'events', (lines) => {
      events += lines.length;
      write(log === null ? lines : lines.filter(log.isKept));
    });
    if (events !== backup.totalEvents)
      warn(`${backup.backupId}: ${events} of ${backup.totalEvents} events are whole`);
  }
  if (log !== null) attempt('the rest of the change log', () => log.read(write));
}
function main() {
  const texts = TEXTS.map((name) => [name, { type: 'string' }]);
  const options = Object.fromEntries([...texts, ...SWITCHES.map((name) => [name, { type: 'boolean' }])]);
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (values.help || positionals.length !== 1) {
    console.error(USAGE);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const [vault] = positionals;
  state.keepGoing = values['keep-going'] === true;
  useSecrets({ ...values, passphrase: values['passphrase-file'], keys: values['key-file'] });
  const backups = readBackups(vault);
  if (values.list) return printBackups(backups);
  const chain = chooseChain(backups, values.backup);
  if (values.out !== undefined) state.out = fs.openSync(values.out, 'wx', 0o600);
  if (values.companions) readLines(chain.at(-1), 'companions', write);
  else writeEvents(vault, chain, values);
  if (values.out !== undefined) fs.fsyncSync(state.out);
  console.error(`rescue: ${state.written} lines of backup ${chain.at(-1).backupId}`);
}

try {
  main();
} catch (error) {
  warn(error.message);
  if (error.code?.startsWith('ERR_PARSE_ARGS')) state.exitCode = 2;
  if (state.written > 0) console.error('rescue: what was written ends before its end');
}
if (state.failures > 0) process.exitCode = state.exitCode;
