import { BackupError } from '../../core/errors.ts';
import { makeInTurn } from '../../core/in-turn.ts';
import type { ObjectWriter } from '../../core/vault.ts';
import type { Abilities } from './abilities.ts';
import { type AskOptions, ask, type Connection, keyOf } from './connection.ts';
import { MAX_PARTS, partSizeOf } from './part-size.ts';
import { publish } from './publish.ts';
import { beginUpload, type Upload } from './upload.ts';
import { digestOf, makeWriteId, writeOptions } from './write-options.ts';

/** How many bytes may be on their way at once, besides those that are being gathered; one part may be more. */
const ON_ITS_WAY_BYTES = 16 << 20;
const FIRST_BUFFER_BYTES = 64 << 10;
const NOTHING = new Uint8Array(0);

interface Unfinished {
  readonly connection: Connection;
  readonly abilities: () => Promise<Abilities>;
  readonly name: string;
  /** Of this writer: tells its object from another's. */
  readonly id: string;
  buffer: Uint8Array;
  bufferedBytes: number;
  /** Null for as long as all of it is in the buffer. */
  upload: Upload | null;
  /** Number of the part that is being gathered. */
  part: number;
  readonly onItsWay: Set<Promise<void>>;
  bytesOnTheirWay: number;
  /** Buffers of parts that have arrived. */
  readonly spare: Uint8Array[];
  /** Why a part did not arrive; the next step meets it. */
  lostPart: unknown;
  state: 'open' | 'committed' | 'gone';
  /** Why a write failed; every later call but `abort` meets it again. */
  failure: unknown;
}

/**
 * Starts an object. What fits into one part is sent at the end, in one request; more of it goes part by part, several at a time.
 * If this process dies before `commit`, what was sent is a leftover, which nobody sees as an object.
 */
export function createWriter(
  connection: Connection,
  abilities: () => Promise<Abilities>,
  name: string,
): ObjectWriter {
  const object: Unfinished = {
    ...{ connection, abilities, name, id: makeWriteId(), upload: null, part: 1, spare: [] },
    ...{ buffer: NOTHING, bufferedBytes: 0, onItsWay: new Set(), bytesOnTheirWay: 0 },
    ...{ state: 'open', lostPart: null, failure: null },
  };
  // So that an abort never meets a write half-way.
  const inTurn = makeInTurn();
  return {
    write: (bytes) => inTurn(() => orGiveUp(object, () => take(object, bytes))),
    commit: () => inTurn(() => orGiveUp(object, () => commit(object))),
    abort: () => inTurn(() => discard(object)),
  };
}

/** Runs a step; when it fails, nothing of the object stays, whether or not the caller aborts. */
async function orGiveUp(object: Unfinished, step: () => Promise<void>): Promise<void> {
  if (object.failure !== null) throw object.failure;
  if (object.state !== 'open')
    throw new BackupError('internal', `object "${object.name}" is already finished`);
  try {
    await step();
  } catch (error) {
    object.failure = error;
    await discard(object).catch(() => {}); // The first failure is the one to report.
    throw error;
  }
}

async function take(object: Unfinished, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const partBytes = partSizeOf(object.part, object.connection.limits.partBytes);
    if (object.bufferedBytes === partBytes) {
      await sendPart(object);
      continue;
    }
    const length = Math.min(bytes.length - done, partBytes - object.bufferedBytes);
    makeRoom(object, object.bufferedBytes + length, partBytes);
    object.buffer.set(bytes.subarray(done, done + length), object.bufferedBytes);
    object.bufferedBytes += length;
    done += length;
  }
}

/** A small object never takes the memory of a whole part. */
function makeRoom(object: Unfinished, neededBytes: number, partBytes: number): void {
  const { buffer, bufferedBytes } = object;
  if (neededBytes <= buffer.length) return;
  const larger =
    object.upload === null ? Math.max(FIRST_BUFFER_BYTES, buffer.length * 2, neededBytes) : partBytes;
  const spare = object.spare.findIndex(({ length }) => length === partBytes);
  object.buffer =
    spare === -1 ? new Uint8Array(Math.min(larger, partBytes)) : object.spare.splice(spare, 1)[0]!;
  object.buffer.set(buffer.subarray(0, bufferedBytes));
}

/** Sends what was gathered as a part, once there is room for it among those on their way. */
async function sendPart(object: Unfinished): Promise<void> {
  const { part, buffer, bufferedBytes } = object;
  if (part > MAX_PARTS) throw tooLarge(object);
  object.upload ??= await beginUpload(object.connection, await object.abilities(), object);
  while (object.onItsWay.size > 0 && object.bytesOnTheirWay + bufferedBytes > ON_ITS_WAY_BYTES) {
    await Promise.race(object.onItsWay);
  }
  if (object.lostPart !== null) throw object.lostPart;
  object.bytesOnTheirWay += bufferedBytes;
  const arrival = object.upload
    .sendPart(part, buffer.subarray(0, bufferedBytes))
    .then(
      () => void object.spare.push(buffer),
      (error: unknown) => {
        object.lostPart ??= error;
      },
    )
    .finally(() => {
      object.onItsWay.delete(arrival);
      object.bytesOnTheirWay -= bufferedBytes;
    });
  object.onItsWay.add(arrival);
  object.part += 1;
  object.buffer = NOTHING;
  object.bufferedBytes = 0;
}

async function commit(object: Unfinished): Promise<void> {
  const { connection } = object;
  const abilities = await object.abilities();
  if (object.upload === null) {
    await publish(connection, abilities, object, (options) => putWhole(object, abilities, options));
  } else {
    await sendPart(object);
    await Promise.all(object.onItsWay);
    if (object.lostPart !== null) throw object.lostPart;
    const { upload } = object;
    await publish(connection, abilities, object, (options) => upload.complete(options));
    await upload.lock();
  }
  object.state = 'committed';
  forget(object);
}

function putWhole(object: Unfinished, abilities: Abilities, options: AskOptions): Promise<unknown> {
  const { connection, name, id } = object;
  const { s3, at } = connection;
  const bytes = object.buffer.subarray(0, object.bufferedBytes);
  const condition = abilities.isExact ? { IfNoneMatch: '*' } : {};
  const request = {
    ...{ ...keyOf(connection, name), Body: bytes, ...condition },
    ...{ ...writeOptions(connection, id, bytes.length), ...digestOf(bytes, abilities.keepsSha256) },
  };
  return ask(
    connection,
    `write "${name}" in ${at.text}`,
    (abortSignal) => s3.putObject(request, { abortSignal }),
    options,
  );
}

async function discard(object: Unfinished): Promise<void> {
  if (object.state !== 'open') return;
  object.state = 'gone';
  forget(object);
  // A part that arrives after the end of its upload would stay for ever.
  await Promise.all(object.onItsWay);
  await object.upload?.abort();
}

function forget(object: Unfinished): void {
  object.buffer = NOTHING;
  object.spare.length = 0;
}

function tooLarge({ name }: Unfinished): BackupError {
  return new BackupError('vault_refused', `"${name}" is larger than an object of S3 can be`, {
    hint: 'no object there has more than 5 TiB: read the store in more parts (--parallel)',
  });
}
