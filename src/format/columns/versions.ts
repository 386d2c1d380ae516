import { MAX_VERSION } from '../../core/event-batch.ts';
import { type ByteWriter, reserve } from '../byte-writer.ts';
import { chunkDamage } from '../chunk-damage.ts';
import { type ByteReader, MAX_VARINT_BYTES, readVarint64, writeVarint, writeVarint64 } from '../varint.ts';
import { type ColumnPart, ENCODING, type Encoding, endColumn, unknownEncoding } from './layout.ts';

const TWO_POW_30 = 0x4000_0000;
const TWO_POW_32 = 0x1_0000_0000;

/**
 * For each event how far its version lies from the one that follows the previous version of its stream in this
 * chunk (from 0 for the stream's first), as a zigzag number of 64 bits: mostly 0.
 * `lastVersions` is scratch space for one number per stream.
 */
export function writeVersions(
  out: ByteWriter,
  versions: Float64Array,
  streams: Uint32Array,
  count: number,
  lastVersions: Float64Array,
): Encoding {
  reserve(out, count * MAX_VARINT_BYTES);
  lastVersions.fill(-1, 0, count);
  for (let row = 0; row < count; row += 1) {
    const version = versions[row]!;
    const expected = lastVersions[streams[row]!]! + 1;
    const step = version - expected;
    if (step === 0) writeVarint(out, 0);
    else if (step > -TWO_POW_30 && step < TWO_POW_30) writeVarint(out, (step << 1) ^ (step >> 31));
    else writeLargeStep(out, version, expected);
    lastVersions[streams[row]!] = version;
  }
  return ENCODING.versionSteps;
}

/** The step as 64-bit words: as a double it would be rounded when it passes 2^53. */
function writeLargeStep(out: ByteWriter, version: number, expected: number): void {
  const low = (version >>> 0) - (expected >>> 0);
  const high = Math.floor(version / TWO_POW_32) - Math.floor(expected / TWO_POW_32) - (low < 0 ? 1 : 0);
  const sign = high >> 31;
  writeVarint64(out, (low << 1) ^ sign, ((high << 1) | ((low | 0) >>> 31)) ^ sign);
}

export function readVersions(
  part: ColumnPart,
  versions: Float64Array,
  streams: Uint32Array,
  count: number,
  lastVersions: Float64Array,
): void {
  if (part.encoding !== ENCODING.versionSteps) throw unknownEncoding('version', part);
  const { reader } = part;
  const { bytes, end } = reader;
  lastVersions.fill(-1, 0, count);
  for (let row = 0; row < count; row += 1) {
    const expected = lastVersions[streams[row]!]! + 1;
    let version = expected;
    if (reader.at < end && bytes[reader.at] === 0) reader.at += 1;
    else version = readStep(reader, expected);
    if (version > MAX_VERSION) throw versionOutOfRange(reader.at);
    versions[row] = version;
    lastVersions[streams[row]!] = version;
  }
  endColumn('version', part);
}

function readStep(reader: ByteReader, expected: number): number {
  const { at } = reader;
  readVarint64(reader);
  const sign = -(reader.low & 1);
  const low = ((reader.low >>> 1) | (reader.high << 31)) ^ sign;
  const high = (reader.high >>> 1) ^ sign;
  const sumLow = (low >>> 0) + (expected >>> 0);
  const sumHigh = (high + Math.floor(expected / TWO_POW_32) + (sumLow >= TWO_POW_32 ? 1 : 0)) | 0;
  const version = sumHigh * TWO_POW_32 + (sumLow >>> 0);
  if (!Number.isSafeInteger(version)) throw versionOutOfRange(at);
  return version;
}

function versionOutOfRange(at: number): Error {
  return chunkDamage('columns', 'a version outside ±(2^53 − 1)', at);
}
