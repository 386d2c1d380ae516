import { createServer } from 'node:net';

/** One that nobody listens on now, on 127.0.0.1. */
export function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const probe = createServer();
  probe.once('error', reject);
  probe.listen(0, '127.0.0.1', () => {
    const address = probe.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    probe.close(() => resolve(address.port));
  });
  return promise;
}
