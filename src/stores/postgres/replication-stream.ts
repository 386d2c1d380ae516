import pg from 'pg';
import { timeFromUnixMs } from '../../core/time.ts';
import { divert } from './divertible-socket.ts';

/** What START_REPLICATION opened: changes come to a receiver, and words of how far they are safe go to the server. */
export interface ReplicationStream {
  /** Goes on after the receiver's `received` gave false. */
  resume(): void;
  /** Says what need not be kept; resolves when it is sent. */
  sendStatus(safe: bigint, isReplyWanted: boolean): Promise<void>;
  /** Asks the server to end the stream. It sends what it has begun to, then the receiver hears of a message Z. */
  sendEnd(): void;
  /** Hands the driver a message that is not the receiver's. */
  handOn(message: Buffer): void;
}

export interface StreamListener {
  room(): Uint8Array;
  /** False: no more until `resume`. Does not throw. */
  received(length: number): boolean;
  /** The server refused, ended the stream, or is gone. */
  failed(error: unknown): void;
}

export const STREAM_STARTED = 'W';
export const STREAM_OVER = 'Z';

const STATUS_BYTES = 34;
const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4]);

/** Sends START_REPLICATION; the receiver hears of a message W when the server agrees. */
export function startStream(client: pg.Client, sql: string, listener: StreamListener): ReplicationStream {
  const diversion = divert(client, { room: listener.room, received: listener.received });
  client.query({
    submit: (connection: pg.Connection) => connection.query(sql),
    handleCommandComplete: () => undefined,
    handleReadyForQuery: () => undefined,
    handleError: (error: unknown) => listener.failed(error),
  } as pg.Submittable);
  return {
    resume: () => diversion.resume(),
    sendStatus: (safe, isReplyWanted) => write(client, statusMessage(safe, isReplyWanted)),
    sendEnd: () => void client.connection.stream.write(COPY_DONE),
    handOn: (message) => {
      const kind = String.fromCharCode(message[0]!);
      if (kind !== STREAM_STARTED) diversion.toDriver(message);
      if (kind === STREAM_OVER) diversion.end();
    },
  };
}

function write(client: pg.Client, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    client.connection.stream.write(bytes, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

/** A Standby status update in a CopyData message. Nothing counts as written or applied that is not safe. */
function statusMessage(safe: bigint, isReplyWanted: boolean): Buffer {
  const message = Buffer.alloc(5 + STATUS_BYTES);
  message.write('d', 0, 'latin1');
  message.writeUInt32BE(4 + STATUS_BYTES, 1);
  message.write('r', 5, 'latin1');
  for (const at of [6, 14, 22]) message.writeBigUInt64BE(safe, at);
  message.writeBigInt64BE(timeFromUnixMs(Date.now()), 30);
  message[38] = isReplyWanted ? 1 : 0;
  return message;
}

/** What the server says that it is. */
export async function identifySystem(
  client: pg.Client,
): Promise<{ systemIdentifier: string; timeline: number }> {
  const { rows } = await client.query<{ systemid: string; timeline: number | string }>('IDENTIFY_SYSTEM');
  const { systemid, timeline } = rows[0]!;
  return { systemIdentifier: systemid, timeline: Number(timeline) };
}

export function startSql(slot: string, from: bigint, publication: string): string {
  const options = `proto_version '1', publication_names ${pg.escapeLiteral(publication)}, binary 'true'`;
  return `START_REPLICATION SLOT ${pg.escapeIdentifier(slot)} LOGICAL ${formatLsn(from)} (${options})`;
}

export function formatLsn(position: bigint): string {
  const hex = (part: bigint): string => part.toString(16).toUpperCase();
  return `${hex(position >> 32n)}/${hex(position & 0xffff_ffffn)}`;
}
