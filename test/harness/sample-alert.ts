import { randomUUID } from 'node:crypto';
import type { Alert } from '../../src/core/alert.ts';

export function alertOf(changes: Partial<Alert> = {}): Alert {
  return {
    ...{ id: randomUUID(), key: 'stream_gaps@bucket 3', state: 'raised', severity: 'critical' },
    title: 'damage: stream_gaps',
    text: 'Events are missing in streams.',
    subject: 'sqlite:/srv/events.db',
    ...{ since: '2026-11-29T17:00:00.000Z', at: '2026-11-29T17:00:00.000Z' },
    facts: { events: 3 },
    ...changes,
  };
}
