import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';

export interface Post {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly path: string;
}

const servers: Server[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** A server at a secret path, which answers with each status in turn, and then with the last one; null: never. */
export async function postReceiver(
  statuses: readonly (number | null)[],
  says: string,
): Promise<{ url: string; posts: Post[] }> {
  const posts: Post[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    posts.push({
      headers: request.headers,
      body: Buffer.concat(parts).toString('utf8'),
      path: request.url ?? '',
    });
    answer(response, statuses[Math.min(posts.length, statuses.length) - 1]!, says);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/s3cret-path`, posts };
}

function answer(response: ServerResponse, status: number | null, says: string): void {
  if (status === null) return;
  const headers = status === 302 ? { location: `/elsewhere` } : {};
  response.writeHead(status, headers).end(says);
}
