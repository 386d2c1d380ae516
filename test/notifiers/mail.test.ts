import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { after, describe, it } from 'node:test';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { isBackupError } from '../../src/core/errors.ts';
import { mailNotifier } from '../../src/notifiers/mail.ts';
import { notifierContract } from '../../src/testing/notifier-contract.ts';
import { freePort } from '../harness/free-port.ts';
import { alertOf } from '../harness/sample-alert.ts';

const PASSWORD = 'c4n4ry-m4il';
const LIMITS = { tries: 2, tryMs: 400, deadlineMs: 1500, backOffMs: 5 };

const open: { close: (done: () => void) => void }[] = [];
const sockets = new Set<Socket>();
after(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of open) await new Promise<void>((resolve) => server.close(resolve));
});

/** A real mail server, which keeps what it gets. */
async function postOffice(options: SMTPServerOptions = {}): Promise<{ port: number; mails: string[] }> {
  const mails: string[] = [];
  const server = new SMTPServer({
    ...{ authOptional: true, allowInsecureAuth: true, disabledCommands: ['STARTTLS'], closeTimeout: 100 },
    onData: (stream, _session, done) => {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        mails.push(Buffer.concat(parts).toString('utf8'));
        done();
      });
    },
    ...options,
  });
  server.on('error', () => {});
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.server.address() as AddressInfo).port, mails };
}

async function silentServer(): Promise<number> {
  const server: Server = createServer((socket) => sockets.add(socket));
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const mailTo = (port: number, server = `smtp://me@127.0.0.1:${port}`) =>
  mailNotifier({
    ...{ name: 'mail', server, password: PASSWORD, limits: LIMITS },
    ...{ from: 'eventcore@example.com', to: ['ops@example.com', 'dba@example.com'] },
  });

const login: SMTPServerOptions = {
  authOptional: false,
  onAuth: ({ username, password }, _session, done) =>
    username === 'me' && password === PASSWORD
      ? done(null, { user: 'me' })
      : done(new Error(`no entry for ${password}`)),
};

const refusing = (responseCode: number): SMTPServerOptions => ({
  onMailFrom: (_address, _session, done) =>
    done(Object.assign(new Error(`no ${PASSWORD}`), { responseCode })),
});

const headerOf = (mail: string, name: string): string =>
  new RegExp(`^${name}:\\s+(\\S.*(?:\\r\\n\\s.*)*)`, 'im').exec(mail)?.[1]?.replace(/\r\n\s+/g, ' ') ?? '';

notifierContract({
  name: 'mail',
  reachable: async () => {
    const { port, mails } = await postOffice(login);
    return {
      notifier: mailTo(port),
      received: async () =>
        mails.map((mail) => ({
          id: /<(.*)@/.exec(headerOf(mail, 'Message-ID'))![1]!,
          state: /^state: (raised|repeated|resolved)/m.exec(mail)![1] as 'raised',
        })),
    };
  },
  failing: {
    'nobody is there': async () => mailTo(await freePort()),
    'the server is silent': async () => mailTo(await silentServer()),
    'the server has no room': async () => mailTo((await postOffice(refusing(452))).port),
    'the server refuses': async () => mailTo((await postOffice(refusing(550))).port),
    'the password is wrong': async () =>
      mailTo(
        (await postOffice({ ...login, onAuth: (_auth, _session, done) => done(new Error(PASSWORD)) })).port,
      ),
  },
  withinMs: 3000,
  secrets: [PASSWORD, Buffer.from(PASSWORD).toString('base64')],
});

describe('a mail', () => {
  it('is of plain text, in the thread of its alert, and no title gets into its headers', async () => {
    const { port, mails } = await postOffice(login);
    const notifier = mailTo(port);
    await notifier.notify(alertOf({ title: 'one\r\nBcc: thief@example.com\r\n\r\nbody' }));
    await notifier.notify(alertOf({ state: 'resolved' }));
    await notifier.notify(alertOf({ key: 'other@store' }));
    const [first, second, third] = mails as [string, string, string];
    assert.equal(headerOf(first, 'Bcc'), '');
    assert.equal(headerOf(first, 'Subject'), '[critical] one Bcc: thief@example.com body');
    assert.equal(headerOf(first, 'To'), 'ops@example.com, dba@example.com');
    assert.match(first, /Events are missing in streams\./);
    assert.match(headerOf(second, 'Subject'), /^\[resolved\]/);
    assert.equal(headerOf(first, 'References'), headerOf(second, 'References'));
    assert.notEqual(headerOf(first, 'References'), headerOf(third, 'References'));
  });

  it('is tried again after a refusal that passes', async () => {
    let refused = 0;
    const { port, mails } = await postOffice({
      ...login,
      onMailFrom: (_address, _session, done) => {
        refused += 1;
        if (refused === 1) done(Object.assign(new Error('busy'), { responseCode: 451 }));
        else done();
      },
    });
    await mailTo(port).notify(alertOf());
    assert.equal(mails.length, 1);
  });

  it('is not sent to another machine without encryption, and neither is the password', async () => {
    let tried = 0;
    const onAuth: SMTPServerOptions['onAuth'] = (_auth, _session, done) => {
      tried += 1;
      done(null, { user: 'me' });
    };
    const { port, mails } = await postOffice({ ...login, onAuth });
    // As good as the name of another machine: it is none of those that mean this one.
    await assert.rejects(mailTo(port, `smtp://me@0.0.0.0:${port}`).notify(alertOf()), /ETLS/);
    assert.deepEqual([tried, mails.length], [0, 0]);
  });

  it('goes to a server whose address holds no password, and is named without it', () => {
    for (const server of [
      'mail.example.com',
      'smtp://me:c4n4ry@example.com',
      'https://example.com',
      'smtp://',
    ]) {
      assert.throws(
        () => mailTo(0, server),
        (error) => isBackupError(error, 'key_refused') && !error.message.includes('c4n4ry'),
      );
    }
  });
});
