import type { Alert, Notifier } from '../core/alert.ts';
import { parseWebhookUrl } from '../outside/webhook.ts';
import { type Posted, postTo } from './post.ts';
import { deliver, TRY_LIMITS, type TryLimits } from './tries.ts';

export interface SlackOptions {
  readonly name: string;
  /** Of an incoming webhook. All of it behind its host is a secret: only the origin is ever shown. */
  readonly url: string;
  readonly limits?: TryLimits;
}

/**
 * Posts each alert as a message for an incoming webhook of Slack, in the part of its form that Mattermost and Rocket.Chat take as well: a
 * line of text, and an attachment with the rest in a colour. No blocks: the others leave them out, and Slack would say it twice. Throws
 * `key_refused` for an address of another form.
 */
export function slackNotifier({ name, url, limits = TRY_LIMITS }: SlackOptions): Notifier {
  const target = parseWebhookUrl(url, name);
  const what = `${name} (${target.origin})`;
  return {
    name,
    notify: (alert, { signal } = {}) =>
      deliver(what, (ends) => postTo(target, messageOf(alert), ends), limits, signal),
    close: async () => {},
  };
}

const GOOD = '#2e7d32';
const COLOURS: Readonly<Record<Alert['severity'], string>> = { critical: '#c62828', warning: '#f9a825' };
/** Receivers cut or refuse longer ones. */
const MOST_TITLE = 250;
const MOST_TEXT = 2800;
const MOST_FIELD = 500;

function messageOf(alert: Alert): Posted {
  const { state, severity, subject, since, at, key, id } = alert;
  const title = textOf(alert.title.replace(/\s+/g, ' '), MOST_TITLE);
  const text = `[${state === 'resolved' ? state : severity}] ${title}`;
  const attachment = {
    color: state === 'resolved' ? GOOD : COLOURS[severity],
    fallback: text,
    text: textOf(alert.text, MOST_TEXT),
    fields: [field('About', subject), field('State', state), field('Since', since)],
    footer: textOf(`${key} · ${id}`, MOST_FIELD),
    ts: Math.floor(Date.parse(at) / 1000),
    mrkdwn_in: ['text'],
  };
  return {
    body: JSON.stringify({ text, attachments: [attachment] }),
    headers: { 'content-type': 'application/json; charset=utf-8' },
  };
}

function field(title: string, value: string) {
  return { title, value: textOf(value, MOST_FIELD), short: false };
}

/** Cut, and then escaped, so that no escape is cut; and nobody is called by what a name happens to say. */
function textOf(text: string, most: number): string {
  const short = text.length <= most ? text : `${text.slice(0, most - 1)}…`;
  return short
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/@(?=(?:all|channel|everyone|here)\b)/gi, '@\u200b');
}
