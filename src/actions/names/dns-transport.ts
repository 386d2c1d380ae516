import { connect, type Socket } from 'node:net';
import { BackupError } from '../../core/errors.ts';

export interface NameServer {
  readonly host: string;
  readonly port: number;
}

/** What answers about one record is far shorter. */
export const MOST_ANSWER_BYTES = 16 << 10;

/**
 * One message to a server over TCP, and its answer, of at most 16 KiB. A connection of its own,
 * closed at the end. Throws `name_refused`; `facts.isSent` says whether the server may have had the message.
 */
export function exchange(server: NameServer, message: Buffer, signal: AbortSignal): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const sent = { is: false };
  const fail = (reason: string): void => reject(unanswered(server, reason, sent.is));
  const stop = (): void => fail('did not answer in time');
  if (signal.aborted) return Promise.reject(unanswered(server, 'was not asked: the time is up', false));
  const socket = connect({ host: server.host, port: server.port });
  signal.addEventListener('abort', stop, { once: true });
  socket.once('connect', () => {
    sent.is = true;
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    socket.write(Buffer.concat([length, message]));
  });
  socket.on('error', ({ code = 'unknown' }: NodeJS.ErrnoException) =>
    fail(sent.is ? `broke off (${code})` : `cannot be reached (${code})`),
  );
  socket.on('close', () => fail('broke off'));
  receive(socket, resolve, () => fail('gave an answer that is far too long'));
  return promise.finally(() => {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  });
}

function receive(socket: Socket, done: (answer: Buffer) => void, tooLong: () => void): void {
  let bytes = Buffer.alloc(0);
  socket.on('data', (part: Buffer) => {
    bytes = Buffer.concat([bytes, part]);
    if (bytes.length < 2) return;
    const length = bytes.readUInt16BE(0);
    if (length > MOST_ANSWER_BYTES) return tooLong();
    if (bytes.length < 2 + length) return;
    // Nobody asked for what may follow.
    socket.pause();
    done(bytes.subarray(2, 2 + length));
  });
}

function unanswered({ host, port }: NameServer, reason: string, isSent: boolean): BackupError {
  return new BackupError('name_refused', `the name server ${host}:${port} ${reason}`, {
    hint: 'it must be the primary server of the zone, and reachable from here over TCP',
    facts: { isSent },
  });
}
