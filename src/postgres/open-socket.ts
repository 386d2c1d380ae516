import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { BackupError } from '../core/errors.ts';
import { isSocket, type Place, type SslSettings, socketName } from './settings.ts';
import { tlsOptions } from './tls.ts';

/** What TCP reaches. */
export interface Endpoint {
  readonly place: Place;
  /** Of a socket of this machine; else null. */
  readonly path: string | null;
  /** Looked up, or as it is written. */
  readonly address: string;
}

/** Everything that a place stands for, in the order of the resolver. */
export async function endpointsOf(place: Place): Promise<Endpoint[]> {
  if (isSocket(place)) {
    const path = place.host.startsWith('@')
      ? `\0${place.host.slice(1)}/${socketName(place.port)}`
      : join(place.host, socketName(place.port));
    return [{ place, path, address: place.host }];
  }
  const name = place.address ?? place.host;
  if (net.isIP(name) !== 0) return [{ place, path: null, address: name }];
  const found = await lookup(name, { all: true, order: 'verbatim' });
  return found.map(({ address }) => ({ place, path: null, address }));
}

/** Connects, and ends the attempt when the signal fires, with its reason. */
export function openSocket(
  { path, address, place }: Endpoint,
  make: () => net.Socket,
  signal: AbortSignal,
): Promise<net.Socket> {
  const socket = make();
  const { promise, resolve, reject } = Promise.withResolvers<net.Socket>();
  const fail = (error: unknown): void => {
    socket.destroy();
    reject(error);
  };
  const abort = (): void => fail(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  socket.once('error', fail);
  socket.setNoDelay(true);
  socket.connect(path === null ? { host: address, port: place.port } : { path }, () => {
    socket.off('error', fail);
    resolve(socket);
  });
  if (signal.aborted) abort();
  return promise.finally(() => signal.removeEventListener('abort', abort));
}

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/** `refused`: the server has no TLS, and the socket may go on without. */
export type SslAnswer = 'accepted' | 'refused';

/** Asks the server for TLS (PostgreSQL's manual, "SSL Session Encryption"). */
export async function requestSsl(socket: net.Socket, signal: AbortSignal): Promise<SslAnswer> {
  socket.write(SSL_REQUEST);
  const bytes = await firstBytes(socket, signal);
  // More than the one byte was sent by somebody who hopes that it counts as encrypted (CVE-2021-23222).
  if (bytes.length === 1 && bytes[0] === 0x53) return 'accepted';
  if (bytes.length === 1 && bytes[0] === 0x4e) return 'refused';
  throw new BackupError(
    'store_refused',
    'the answer to the request for TLS is not that of a PostgreSQL server',
    {
      hint: 'check host and port; for a server or proxy that expects TLS at once: sslnegotiation=direct',
    },
  );
}

function firstBytes(socket: net.Socket, signal: AbortSignal): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const onEnd = (): void => reject(new Error('Connection terminated unexpectedly'));
  const onAbort = (): void => reject(signal.reason);
  socket.once('data', resolve).once('error', reject).once('close', onEnd);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  return promise.finally(() => {
    socket.off('data', resolve).off('error', reject).off('close', onEnd);
    signal.removeEventListener('abort', onAbort);
  });
}

/** Speaks TLS over a socket from now on. */
export function upgrade(
  socket: net.Socket,
  place: Place,
  ssl: SslSettings,
  signal: AbortSignal,
): Promise<tls.TLSSocket> {
  const secure = tls.connect({ ...tlsOptions(ssl, place), socket });
  const { promise, resolve, reject } = Promise.withResolvers<tls.TLSSocket>();
  const fail = (error: unknown): void => {
    secure.destroy();
    reject(error);
  };
  const onEnd = (): void => fail(new Error('the server ended the connection while TLS was set up'));
  const onAbort = (): void => fail(signal.reason);
  secure.once('error', fail).once('close', onEnd);
  signal.addEventListener('abort', onAbort, { once: true });
  secure.once('secureConnect', () => {
    secure.off('error', fail).off('close', onEnd);
    if (ssl.negotiation === 'direct' && secure.alpnProtocol !== 'postgresql') {
      fail(new Error('TLS: the server does not speak PostgreSQL over direct TLS'));
    } else resolve(secure);
  });
  if (signal.aborted) onAbort();
  return promise.finally(() => signal.removeEventListener('abort', onAbort));
}
