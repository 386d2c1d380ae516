import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * What happens to a connection: it ends after so many bytes to or from the server, loses the first answer whole, or is told that
 * the server is too busy, or out of order. Null for one that is left alone.
 */
export type Cut =
  | { readonly afterSent: number }
  | { readonly afterReceived: number }
  | 'lose-answer'
  | keyof typeof ANSWERS
  | null;

/** Stands between a client and a real server, and does to their connections what networks do. */
export interface CuttingProxy {
  readonly endpoint: string;
  /** Ends all connections, and asks `next` about each that comes from now on: the first is number 1. */
  begin(next: (n: number) => Cut): void;
  /** How many were cut. */
  readonly cuts: number;
  stop(): Promise<void>;
}

const ANSWERS = {
  busy: answer('503 Slow Down', 'SlowDown'),
  broken: answer('500 Internal Server Error', 'InternalError'),
} as const;

function answer(status: string, code: string): string {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code></Error>`;
  const headers = ['Content-Type: application/xml', `Content-Length: ${body.length}`, 'Connection: close'];
  return [`HTTP/1.1 ${status}`, ...headers, '', body].join('\r\n');
}

export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  const state = { cuts: 0 };
  let cut = (_n: number): Cut => null;
  let connections = 0;
  const server = createServer((client) => {
    connections += 1;
    const kind = cut(connections);
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.once('close', () => open.delete(socket));
    }
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    client.once('close', end);
    upstream.once('close', end);
    const cutNow = (): void => {
      state.cuts += 1;
      end();
    };
    relay(client, upstream, kind, cutNow);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  return Object.assign(state, {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    begin: (next: (n: number) => Cut) => {
      cut = next;
      connections = 0;
      for (const socket of open) socket.destroy();
    },
    stop: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  });
}

function relay(client: Socket, upstream: Socket, kind: Cut, cutNow: () => void): void {
  if (kind === 'busy' || kind === 'broken') {
    // After the first bytes of a request, or it would be the answer to none.
    client.once('data', () => client.end(ANSWERS[kind], cutNow));
    return;
  }
  if (kind === 'lose-answer') {
    client.pipe(upstream);
    upstream.once('data', cutNow);
    return;
  }
  if (kind !== null) {
    const [from, limit] = 'afterSent' in kind ? [client, kind.afterSent] : [upstream, kind.afterReceived];
    let passed = 0;
    from.on('data', (bytes: Buffer) => {
      passed += bytes.length;
      if (passed >= limit) cutNow();
    });
  }
  client.pipe(upstream);
  upstream.pipe(client);
}
