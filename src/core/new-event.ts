import { BackupError } from './errors.ts';
import type { NewEvent, StreamAppend } from './event.ts';

/**
 * Throws `event_invalid` for what no store takes: an empty stream id, type or id, data or metadata that is no JSON
 * text, and text that has no UTF-8 form (half of a surrogate pair), which a driver would change silently.
 */
export function assertAppends(appends: readonly StreamAppend[]): void {
  for (const { streamId, events } of appends) {
    assertText(streamId, 'stream id', 'an append');
    events.forEach((event, i) => {
      assertEvent(event, `event ${i + 1} for stream ${JSON.stringify(streamId)}`);
    });
  }
}

function assertEvent(event: NewEvent, name: string): void {
  if (event.id !== undefined) assertText(event.id, 'id', name);
  assertText(event.type, 'type', name);
  assertJson(event.data, 'data', name);
  if (event.metadata !== undefined) assertJson(event.metadata, 'metadata', name);
}

function assertText(text: string, field: string, name: string): void {
  if (text === '') throw new BackupError('event_invalid', `${name} has an empty ${field}`);
  if (!text.isWellFormed()) throw notWellFormed(field, name);
}

function assertJson(text: string, field: string, name: string): void {
  if (!text.isWellFormed()) throw notWellFormed(field, name);
  try {
    JSON.parse(text);
  } catch (cause) {
    throw new BackupError('event_invalid', `${name} has ${field} that is no JSON`, { cause });
  }
}

function notWellFormed(field: string, name: string): BackupError {
  return new BackupError('event_invalid', `${name} has a ${field} with half of a surrogate pair`);
}
