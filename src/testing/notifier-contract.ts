import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Alert, Notifier } from '../core/alert.ts';
import { isBackupError } from '../core/errors.ts';

export interface NotifierFixture {
  /** One whose receiver takes everything, and what that has got so far, as it understood it. */
  readonly reachable: () => Promise<{
    readonly notifier: Notifier;
    readonly received: () => Promise<readonly Pick<Alert, 'id' | 'state'>[]>;
  }>;
  /** Ones whose receivers refuse or are not there, by what is the matter; empty where that cannot be. */
  readonly failing: Readonly<Record<string, () => Promise<Notifier>>>;
  /** How long one that fails may take. */
  readonly withinMs: number;
  /** What must not show: passwords, keys, secret parts of addresses. */
  readonly secrets: readonly string[];
}

/** What every notifier must keep to. */
export function notifierContract(options: { readonly name: string } & NotifierFixture): void {
  describe(`the notifier ${options.name}`, () => {
    delivers(options);
    for (const [matter, make] of Object.entries(options.failing)) fails(options, matter, make);
  });
}

function delivers({ reachable }: NotifierFixture): void {
  it('delivers what is told, in order, by its id', async () => {
    const { notifier, received } = await reachable();
    const alerts = [
      sampleAlert('raised', 1),
      sampleAlert('repeated', 2),
      { ...sampleAlert('resolved', 3), title: 'odd “title”\nin two lines\r\nBcc: x@example.com' },
    ];
    for (const alert of alerts) await notifier.notify(alert);
    const got = await received();
    assert.deepEqual(
      got.map(({ id, state }) => ({ id, state })),
      alerts.map(({ id, state }) => ({ id, state })),
    );
    await notifier.close();
    await notifier.close();
  });

  it('tells nothing once its caller has stopped', async () => {
    const { notifier, received } = await reachable();
    await assert.rejects(
      notifier.notify(sampleAlert('raised', 4), { signal: AbortSignal.abort() }),
      (error) => isBackupError(error, 'interrupted'),
    );
    assert.deepEqual(await received(), []);
    await notifier.close();
  });
}

function fails({ withinMs, secrets }: NotifierFixture, matter: string, make: () => Promise<Notifier>): void {
  it(`says so within its time, and shows no secret, when ${matter}`, async () => {
    const notifier = await make();
    const begunMs = performance.now();
    await assert.rejects(notifier.notify(sampleAlert('raised', 5)), (error) => {
      if (!isBackupError(error, 'notification_failed')) return false;
      const shown = `${error.message} ${error.hint} ${JSON.stringify(error.facts)} ${error.stack}`;
      for (const secret of secrets) assert.ok(!shown.includes(secret), error.message);
      return error.message.startsWith(notifier.name);
    });
    assert.ok(performance.now() - begunMs < withinMs);
    await notifier.close();
  });
}

function sampleAlert(state: Alert['state'], number: number): Alert {
  const id = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
  return {
    ...{ id, key: 'stream_gaps@bucket 17', state, severity: 'critical' },
    title: 'damage: stream_gaps in bucket 17',
    text: 'Two streams lack events.\n`eventcore monitor --once` names them.',
    subject: 'postgres://backup_login@db.example.com/shop',
    ...{ since: '2026-11-29T17:00:00.000Z', at: '2026-11-29T18:00:00.000Z' },
    facts: { check: 'stream_gaps', findings: 2, events: 5 },
  };
}
