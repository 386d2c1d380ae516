import crypto from 'node:crypto';
import type { SendMailOptions, SMTPTransportOptions } from 'nodemailer';
import type { Alert, Notifier } from '../core/alert.ts';
import { BackupError } from '../core/errors.ts';
import { deliver, TRY_LIMITS, type Try, type TryLimits, type Undelivered } from './tries.ts';

export interface MailOptions {
  readonly name: string;
  /** `smtps://user@host:465`, or `smtp://…`, where encryption begins later. No password in it. */
  readonly server: string;
  readonly password: string | null;
  readonly from: string;
  readonly to: readonly string[];
  readonly limits?: TryLimits;
}

/**
 * Sends each alert as a mail of plain text; what is told about one thing makes one thread, and a mail that is sent again has the id of the
 * first. A password goes over an encrypted line only, or to this machine. Throws `key_refused` for a server that cannot be named so.
 */
export function mailNotifier({ name, limits = TRY_LIMITS, ...options }: MailOptions): Notifier {
  const server = parseServer(options.server, name);
  const what = `${name} (${server.protocol}//${server.host})`;
  const transport = transportOptions(server, options.password, limits);
  return {
    name,
    notify: (alert, { signal } = {}) =>
      deliver(what, sending(transport, messageOf(alert, options)), limits, signal),
    close: async () => {},
  };
}

function parseServer(text: string, name: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && /^smtps?:$/.test(url.protocol) && url.hostname !== '' && url.password === '')
    return url;
  throw new BackupError('key_refused', `${name}: the mail server is not named as it must be`, {
    hint: 'write it as smtps://user@host:465 or smtp://user@host:587, and say with `password:` where the password is',
  });
}

const PORTS: Readonly<Record<string, number>> = { 'smtps:': 465, 'smtp:': 587 };

function transportOptions(
  { protocol, hostname, port, username }: URL,
  password: string | null,
  { tryMs }: TryLimits,
): SMTPTransportOptions {
  const isHere = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
  const user = decodeURIComponent(username);
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? PORTS[protocol]! : Number(port),
    secure: protocol === 'smtps:',
    requireTLS: protocol === 'smtp:' && !isHere,
    ...(user === '' ? {} : { auth: { user, pass: password ?? '' } }),
    ...{ connectionTimeout: tryMs, greetingTimeout: tryMs, socketTimeout: tryMs, dnsTimeout: tryMs },
    ...{ disableFileAccess: true, disableUrlAccess: true },
  };
}

/** The client is loaded with the first mail: few send any. */
function sending(options: SMTPTransportOptions, message: SendMailOptions): Try {
  return async (signal) => {
    const { createTransport } = await import('nodemailer');
    const sent = createTransport(options).sendMail(message);
    try {
      return await Promise.race([sent.then(() => null), untilAborted(signal)]);
    } catch (error) {
      return judge(error as SmtpError);
    } finally {
      // What comes too late is nobody's failure any more.
      sent.catch(() => {});
    }
  };
}

function untilAborted(signal: AbortSignal): Promise<Undelivered> {
  return new Promise((resolve) => {
    const late = (): void => resolve({ reason: 'did not answer in time', mayPass: true });
    if (signal.aborted) late();
    else signal.addEventListener('abort', late, { once: true });
  });
}

interface SmtpError extends Error {
  readonly code?: string;
  readonly responseCode?: number;
}

/** Codes alone: a server may repeat in words what it was sent. Codes from 400 to 499 ask to try again. */
function judge({ code = 'unknown', responseCode }: SmtpError): Undelivered {
  if (responseCode === undefined) return { reason: `cannot be reached (${code})`, mayPass: code !== 'ETLS' };
  return { reason: `answered ${responseCode} (${code})`, mayPass: responseCode >= 400 && responseCode < 500 };
}

function messageOf(alert: Alert, { from, to }: Pick<MailOptions, 'from' | 'to'>): SendMailOptions {
  const { id, key, state, severity, title, text, subject, since, at } = alert;
  return {
    ...{ from, to: [...to], subject: `[${state === 'resolved' ? state : severity}] ${oneLine(title)}` },
    text: [
      text,
      '',
      `about: ${subject}`,
      `state: ${state}`,
      `since: ${since}`,
      `at: ${at}`,
      `key: ${key}`,
    ].join('\n'),
    messageId: `<${id}@eventcore>`,
    references: `<${crypto.hash('sha256', `${key} ${since}`)}@eventcore>`,
    headers: { 'Auto-Submitted': 'auto-generated', 'X-EventCore-Alert': oneLine(key) },
  };
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 200);
}
