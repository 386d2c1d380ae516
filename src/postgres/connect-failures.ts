import pg from 'pg';
import { BackupError, isBackupError } from '../core/errors.ts';
import { isSocket, type Place } from './settings.ts';

/** TLS could not be set up. */
export class TlsFailure extends Error {}

/** Why a server of an address could not be used, in the words of whoever asked. */
export interface ConnectFailure {
  readonly place: Place;
  readonly error: BackupError;
}

/** As for libpq: what a server says ends the search for another one, unless it is starting, stopping or not what is wanted. */
export function isFinal(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return error.code !== CANNOT_CONNECT_NOW;
  return error instanceof TlsFailure || isBackupError(error, 'store_refused', 'usage');
}

const CANNOT_CONNECT_NOW = '57P03';

/** One error of all: the code and the hint of one that may pass, where there is one. */
export function summarise(failures: readonly ConnectFailure[]): BackupError {
  const [first, ...others] = failures;
  if (first === undefined) return new BackupError('internal', 'no server was tried');
  if (others.every(({ error }) => error.message === first.error.message)) return first.error;
  const { error } = failures.find((one) => one.error.code === 'store_unreachable') ?? first;
  const each = new Set(
    failures.map(({ place, error: { message } }) => `${placeText(place)}: ${plain(message)}`),
  );
  return new BackupError(error.code, `no server can be used: ${[...each].join('; ')}`, {
    ...(error.hint === null ? {} : { hint: error.hint }),
    facts: error.facts,
    cause: error.cause ?? error,
  });
}

export function placeText(place: Place): string {
  return isSocket(place) ? place.host : `${place.host}:${place.port}`;
}

/** Without the address in front of it, which names all servers. */
function plain(message: string): string {
  return message.replace(/^postgres(?:ql)?:\/\/\S*: /, '');
}
