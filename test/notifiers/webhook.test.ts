import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { describe, it } from 'node:test';
import type { Alert } from '../../src/core/alert.ts';
import { isBackupError } from '../../src/core/errors.ts';
import { webhookNotifier } from '../../src/notifiers/webhook.ts';
import { notifierContract } from '../../src/testing/notifier-contract.ts';
import { freePort } from '../harness/free-port.ts';
import { type Post, postReceiver } from '../harness/post-receiver.ts';
import { alertOf } from '../harness/sample-alert.ts';

const KEY = crypto.randomBytes(32).toString('base64');
const SECRET = `whsec_${KEY}`;
const LIMITS = { tries: 3, tryMs: 300, deadlineMs: 1000, backOffMs: 5 };

const receiver = (...statuses: (number | null)[]) => postReceiver(statuses, `you sent ${SECRET}`);

const open = (url: string, secret: string | null = SECRET) =>
  webhookNotifier({ name: 'webhook', url, secret, limits: LIMITS });

notifierContract({
  name: 'webhook',
  reachable: async () => {
    const { url, posts } = await receiver(200);
    return {
      notifier: open(url),
      received: async () => posts.map(({ body }) => JSON.parse(body).data as Alert),
    };
  },
  failing: {
    'nobody is there': async () => open(`http://127.0.0.1:${await freePort()}/s3cret-path`),
    'the receiver is silent': async () => open((await receiver(null)).url),
    'the receiver fails': async () => open((await receiver(503)).url),
    'the receiver refuses': async () => open((await receiver(403)).url),
    'it is elsewhere': async () => open((await receiver(302)).url),
  },
  withinMs: 1500,
  secrets: [SECRET, KEY, 's3cret-path'],
});

describe('a webhook', () => {
  it('gets an event of CloudEvents, signed as Standard Webhooks has it', async () => {
    const { url, posts } = await receiver(204);
    const alert = alertOf({ title: 'a “title” beyond ASCII' });
    await open(url).notify(alert);
    const [{ headers, body }] = posts as [Post];
    const event = JSON.parse(body) as Record<string, unknown>;
    assert.deepEqual(event.data, alert);
    assert.equal(event.specversion, '1.0');
    assert.equal(event.id, alert.id);
    assert.equal(event.type, 'eventcore.alert.raised');
    assert.ok(URL.canParse(event.source as string));
    assert.match(headers['content-type']!, /^application\/cloudevents\+json/);
    assert.equal(headers['webhook-id'], alert.id);
    const timestamp = headers['webhook-timestamp'] as string;
    assert.ok(Math.abs(Number(timestamp) - Date.now() / 1000) < 60);
    const signed = `${alert.id}.${timestamp}.${body}`;
    const digest = crypto.createHmac('sha256', Buffer.from(KEY, 'base64')).update(signed).digest('base64');
    assert.equal(headers['webhook-signature'], `v1,${digest}`);
  });

  it('is tried again where that can help, with the same id, and no more often than that', async () => {
    const later = await receiver(503, 429, 200);
    await open(later.url).notify(alertOf());
    assert.equal(later.posts.length, 3);
    assert.equal(new Set(later.posts.map(({ headers }) => headers['webhook-id'])).size, 1);
    const never = await receiver(500);
    await assert.rejects(open(never.url).notify(alertOf()), /answered 500, 3 times/);
    assert.equal(never.posts.length, LIMITS.tries);
    const refusing = await receiver(400, 200);
    await assert.rejects(open(refusing.url).notify(alertOf()), /answered 400/);
    assert.equal(refusing.posts.length, 1);
  });

  it('is not followed elsewhere', async () => {
    const { url, posts } = await receiver(302, 200);
    await assert.rejects(open(url).notify(alertOf()), /elsewhere/);
    assert.deepEqual(
      posts.map(({ path }) => path),
      ['/s3cret-path'],
    );
  });

  it('is not signed without a secret, and a secret of another form is refused and not shown', async () => {
    const { url, posts } = await receiver(200);
    await open(url, null).notify(alertOf());
    assert.equal(posts[0]!.headers['webhook-signature'], undefined);
    for (const secret of ['', 'c4n4ry', 'whsec_c4n4ry', `whsec_${'A'.repeat(100)}`]) {
      assert.throws(
        () => open(url, secret),
        (error) => isBackupError(error, 'key_refused') && (secret === '' || !error.message.includes(secret)),
      );
    }
    for (const wrong of ['c4n4ry', 'ftp://c4n4ry/', 'https://user:c4n4ry@example.com/']) {
      assert.throws(
        () => open(wrong),
        (error) => isBackupError(error, 'key_refused') && !`${error.message}${error.hint}`.includes('c4n4ry'),
      );
    }
  });
});
