import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Passes everything on to a server, and cuts one connection at the statement that it is told. */
export interface CuttingProxy {
  readonly port: number;
  /** From now on: cuts the next connection that sends this statement as a simple query. */
  cutAt(statement: string): void;
  cuts(): number;
  close(): Promise<void>;
}

/** `before`: the server never gets the statement. `after`: it does, and its answer is lost. */
export async function startCuttingProxy(serverPort: number, when: 'before' | 'after'): Promise<CuttingProxy> {
  let wanted: string | null = null;
  let cuts = 0;
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const server = connect(serverPort, '127.0.0.1');
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    client.on('data', (bytes) => {
      if (wanted === null || !bytes.includes(wanted)) {
        server.write(bytes);
        return;
      }
      wanted = null;
      cuts += 1;
      client.destroy();
      if (when === 'before') server.destroy();
      else server.write(bytes);
    });
    server.on('data', (bytes) => client.write(bytes));
    client.on('close', () => server.end());
    server.on('close', () => client.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = proxy.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    cutAt: (statement) => {
      wanted = statement;
    },
    cuts: () => cuts,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}
