import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, it } from 'node:test';
import { webhookScaler } from '../../../src/actions/scale/webhook.ts';
import { isBackupError } from '../../../src/core/errors.ts';

const KEY = crypto.randomBytes(32);
const SECRET = `whsec_${KEY.toString('base64')}`;
const call = (ms = 2000) => ({ signal: AbortSignal.timeout(ms) });
const servers: Server[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

interface Ask {
  readonly method: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Reply = readonly [status: number, body?: unknown] | null;

async function receiver(reply: (ask: Ask) => Reply) {
  const asks: Ask[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const ask = { method: request.method!, headers: request.headers, body: Buffer.concat(parts).toString() };
    asks.push(ask);
    const answer = reply(ask);
    if (answer !== null) response.writeHead(answer[0], { location: '/x' }).end(JSON.stringify(answer[1]));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/s3cret-path`;
  const options = { name: 'scale of west', url, secret: SECRET, facts: { region: 'west' }, answerMs: 300 };
  return { scaler: webhookScaler(options), asks };
}

const isRefusal = (words: RegExp) => (error: unknown) =>
  isBackupError(error, 'action_failed') &&
  words.test(error.message) &&
  !`${error.message}`.includes('s3cret');

describe('capacity by a webhook', () => {
  it('is asked for once, signed, and looked after', async () => {
    let isReady = false;
    const { scaler, asks } = await receiver(({ method }) =>
      method === 'GET' ? [200, { ready: isReady }] : [202, {}],
    );
    assert.equal(await scaler.check(call()), false);
    await scaler.apply(call());
    await scaler.apply(call());
    assert.equal(await scaler.check(call()), false);
    isReady = true;
    assert.equal(await scaler.check(call()), true);
    assert.equal(new Set(asks.map(({ headers }) => headers['webhook-id'])).size, 1);
    for (const { headers, body } of asks) {
      const text = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
      const expected = crypto.createHmac('sha256', KEY).update(text).digest('base64');
      assert.equal(headers['webhook-signature'], `v1,${expected}`);
    }
    assert.equal(JSON.parse(asks[1]!.body).region, 'west');
    assert.ok(!scaler.describe.includes('s3cret'));
  });

  it('is taken from the answer to the POST where there is no GET', async () => {
    for (const [reply, isThere] of [
      [[200], true],
      [[202], false],
      [[200, { ready: false }], false],
      [[202, { ready: true }], true],
    ] as const) {
      const { scaler } = await receiver(({ method }) => (method === 'GET' ? [405] : (reply as Reply)));
      assert.equal(await scaler.check(call()), false);
      await scaler.apply(call());
      assert.equal(await scaler.check(call()), isThere);
    }
  });

  it('is refused where it is refused, elsewhere, silent or unclear', async () => {
    for (const [reply, words] of [
      [[500], /500/],
      [[302], /302/],
      [null, /in time/],
    ] as const) {
      const { scaler } = await receiver(() => reply);
      await assert.rejects(scaler.apply(call()), isRefusal(words));
      await assert.rejects(scaler.check(call()), isRefusal(reply === null ? words : /did not say/));
    }
    const long = await receiver(() => [200, 'x'.repeat(1 << 20)]);
    await assert.rejects(long.scaler.check(call()), isRefusal(/did not say/));
    const gone = webhookScaler({ name: 'w', url: 'http://127.0.0.1:1/s3cret', secret: null, facts: {} });
    await assert.rejects(gone.apply(call()), isRefusal(/cannot be reached/));
  });
});
