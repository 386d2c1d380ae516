import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import { slackNotifier } from '../../src/notifiers/slack.ts';
import { notifierContract } from '../../src/testing/notifier-contract.ts';
import { freePort } from '../harness/free-port.ts';
import { postReceiver } from '../harness/post-receiver.ts';
import { alertOf } from '../harness/sample-alert.ts';

const LIMITS = { tries: 3, tryMs: 300, deadlineMs: 1000, backOffMs: 5 };
const open = (url: string) => slackNotifier({ name: 'slack', url, limits: LIMITS });
const receiver = (...statuses: (number | null)[]) =>
  postReceiver(statuses, 'invalid_payload at /s3cret-path');

interface Message {
  readonly text: string;
  readonly attachments: readonly [
    {
      readonly color: string;
      readonly text: string;
      readonly footer: string;
      readonly fields: readonly { readonly title: string; readonly value: string }[];
    },
  ];
}

async function messageOf(changes: Parameters<typeof alertOf>[0]): Promise<Message> {
  const { url, posts } = await receiver(200);
  await open(url).notify(alertOf(changes));
  return JSON.parse(posts[0]!.body) as Message;
}

notifierContract({
  name: 'slack',
  reachable: async () => {
    const { url, posts } = await receiver(200);
    return {
      notifier: open(url),
      received: async () =>
        posts.map(({ body }) => {
          const [{ footer, fields }] = (JSON.parse(body) as Message).attachments;
          const state = fields.find(({ title }) => title === 'State')!.value;
          return { id: footer.split(' · ')[1]!, state: state as 'raised' };
        }),
    };
  },
  failing: {
    'nobody is there': async () => open(`http://127.0.0.1:${await freePort()}/s3cret-path`),
    'the receiver is silent': async () => open((await receiver(null)).url),
    'the receiver fails': async () => open((await receiver(500)).url),
    'the channel is gone': async () => open((await receiver(410)).url),
    'it is elsewhere': async () => open((await receiver(302)).url),
  },
  withinMs: 1500,
  secrets: ['s3cret-path'],
});

describe('a message for Slack', () => {
  it('says severity and title in one line, and the rest in an attachment of a colour', async () => {
    const critical = await messageOf({ severity: 'critical', state: 'raised', title: 'events may\nbe lost' });
    assert.equal(critical.text, '[critical] events may be lost');
    const warning = await messageOf({ severity: 'warning', state: 'repeated' });
    const over = await messageOf({ severity: 'critical', state: 'resolved', title: 'all is well' });
    assert.equal(over.text, '[resolved] all is well');
    const colours = [critical, warning, over].map(({ attachments: [{ color }] }) => color);
    assert.equal(new Set(colours).size, 3);
    for (const colour of colours) assert.match(colour, /^#[0-9a-f]{6}$/);
  });

  it('holds no markup, calls nobody, and is bounded without a cut escape', async () => {
    const evil = '<!channel> <https://evil.example|click> & @channel @here @ops';
    const { text, attachments } = await messageOf({ title: evil, text: evil, subject: evil });
    const all = JSON.stringify({ text, attachments });
    assert.ok(!/[<>]/.test(all));
    assert.ok(!/@(channel|here)/.test(all));
    assert.match(text, /&lt;!channel&gt; .* &amp; .*@ops/);
    const long = await messageOf({ title: '&'.repeat(9999), text: '<'.repeat(99_999) });
    assert.match(long.text, /^\[\w+\] (&amp;){249}…$/);
    assert.match(long.attachments[0].text, /^(&lt;){2799}…$/);
  });

  it('shows nothing of an address of another form', () => {
    for (const wrong of ['c4n4ry', 'ftp://c4n4ry/', 'https://user:c4n4ry@example.com/'])
      assert.throws(
        () => open(wrong),
        (error) => isBackupError(error, 'key_refused') && !`${error.message}${error.hint}`.includes('c4n4ry'),
      );
  });
});
