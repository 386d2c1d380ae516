import { serve as listenWith } from '@hono/node-server';
import { BackupError } from '../core/errors.ts';
import { makeHttp } from '../daemon/http.ts';
import { makeMetrics } from '../daemon/metrics.ts';
import type { Registry } from '../daemon/registry.ts';

export interface OpenServer {
  readonly address: string;
  close(): Promise<void>;
}

const LOOPBACK = /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/;

/** Throws `usage` where nothing can be listened on. */
export function openHttp(address: string, registry: Registry): Promise<OpenServer> {
  const split = address.lastIndexOf(':');
  const [hostname, port] = [
    address.slice(0, split).replace(/^\[|\]$/g, ''),
    Number(address.slice(split + 1)),
  ];
  const isLocal = (env: unknown): boolean =>
    LOOPBACK.test(
      (env as { incoming?: { socket?: { remoteAddress?: string } } }).incoming?.socket?.remoteAddress ?? '',
    );
  const app = makeHttp({ views: registry.views, metrics: makeMetrics(registry.views), isLocal });
  return new Promise((resolve, reject) => {
    const server = listenWith({ fetch: app.fetch, hostname, port }, () => {
      const bound = server.address();
      const shown = typeof bound === 'object' && bound !== null ? `${hostname}:${bound.port}` : address;
      resolve({ address: shown, close: () => new Promise((done) => server.close(() => done())) });
    });
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new BackupError('usage', `${address} cannot be listened on: ${cause.code ?? cause.message}`, {
          hint: 'name another with --listen host:port',
          cause,
        }),
      ),
    );
  });
}
