import type { ResourceRecordSet, Route53Client } from '@aws-sdk/client-route-53';
import type { PublicName } from '../../core/disaster-ports.ts';
import { BackupError, isBackupError, throwIfAborted } from '../../core/errors.ts';
import { pause } from '../../core/pause.ts';
import { canonicalName, canonicalValue, RECORD_TYPES, type RecordType } from './record-value.ts';

type Module = typeof import('@aws-sdk/client-route-53');

export interface Route53Options {
  readonly zoneId: string;
  readonly name: string;
  readonly type: RecordType;
  /** Seconds for which others may remember the record. */
  readonly ttl: number;
  /** Null: as every tool of AWS finds it. */
  readonly endpoint?: string | null;
  /** The longest that one answer is waited for, whatever the caller would wait. */
  readonly answerMs?: number;
  readonly pollMs?: number;
  readonly load?: () => Promise<Module>;
}

const ANSWER_MS = 15_000;
const POLL_MS = 2000;
const MOST_TRIES = 5;

/**
 * A record of a hosted zone of Route 53. A batch of changes is carried out as a whole, and a DELETE in it must name the record exactly as it is: so
 * nobody's change is lost. Done when the change is on all its servers. As whom it is asked, the client finds out as every tool of AWS does.
 */
export function route53Name(options: Route53Options): PublicName {
  const name = canonicalName(options.name);
  let session: Promise<Session> | null = null;
  const open = (): Promise<Session> => {
    session ??= openSession({ ...options, name });
    return session;
  };
  return {
    describe: `the record ${options.type} of ${name}, in the hosted zone ${options.zoneId} of Route 53`,
    name,
    read: async ({ signal }) => readRecord(await open(), signal).then((record) => record?.value ?? null),
    switchTo: async ({ from, to }, { signal }) => {
      const { type } = options;
      const change: Change = {
        from: from === null ? null : canonicalValue(type, from),
        to: canonicalValue(type, to),
      };
      const switched = await switchRecord(await open(), change, signal);
      if (switched.changeId !== null) await waitUntilInSync(await open(), switched.changeId, signal);
      return { name, type, ...change, ttl: options.ttl, ...switched };
    },
  };
}

interface Session {
  readonly options: Route53Options;
  readonly module: Module;
  readonly client: Route53Client;
}

interface Change {
  readonly from: string | null;
  readonly to: string;
}

async function openSession(options: Route53Options): Promise<Session> {
  const module = await loadModule(options.load ?? (() => import('@aws-sdk/client-route-53')));
  const { endpoint = null } = options;
  // Its control plane is in one region alone. What may have been done is not done again behind our back.
  const client = new module.Route53Client({
    ...{ region: 'us-east-1', maxAttempts: 1 },
    ...(endpoint === null ? {} : { endpoint }),
  });
  return { options, module, client };
}

async function loadModule(load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    throw new BackupError('usage', 'the client of Route 53 is not installed', {
      hint: 'npm install @aws-sdk/client-route-53',
      cause,
    });
  }
}

interface Found {
  readonly set: ResourceRecordSet;
  readonly value: string;
}

async function readRecord(session: Session, signal: AbortSignal): Promise<Found | null> {
  const { options, module, client } = session;
  const { zoneId: HostedZoneId, name, type } = options;
  const { ResourceRecordSets = [] } = await ask(options, { signal, again: true }, (abortSignal) =>
    client.send(
      new module.ListResourceRecordSetsCommand({ HostedZoneId, StartRecordName: name, MaxItems: 100 }),
      { abortSignal },
    ),
  );
  const own = ResourceRecordSets.filter((set) => canonicalName(set.Name ?? '') === name);
  const other = own.find(
    (set) => set.Type !== type && (RECORD_TYPES as readonly string[]).includes(set.Type ?? ''),
  );
  if (other !== undefined) {
    throw refused(
      options,
      `has a record ${other.Type} for it too, which would still lead to the old place`,
      ONE_RECORD,
    );
  }
  const [set, ...more] = own.filter(({ Type }) => Type === type);
  if (set === undefined) return null;
  const value = set.ResourceRecords?.[0]?.Value;
  const isSimple =
    set.SetIdentifier === undefined && set.AliasTarget === undefined && set.HealthCheckId === undefined;
  if (more.length > 0 || !isSimple || set.ResourceRecords?.length !== 1 || value === undefined) {
    throw refused(options, 'has more for it than one plain record with one value', ONE_RECORD);
  }
  return { set, value: canonicalValue(type, value) };
}

const ONE_RECORD = {
  hint: 'a name that is switched has one record, of one type, with one value and without a routing policy; where Route 53 decides by health checks, leave it to them',
};

/** What was changed, by whom it can be asked about; null where that is not known since the answer was lost. */
async function switchRecord(
  session: Session,
  change: Change,
  signal: AbortSignal,
): Promise<{ readonly changeId: string | null }> {
  for (let left = MOST_TRIES; left > 0; left -= 1) {
    const found = await readRecord(session, signal);
    if ((found?.value ?? null) !== change.from) throw changed(session.options, found?.value ?? null, change);
    const changeId = await tryChange(session, { change, found }, signal);
    if (changeId !== 'is_not_so') return { changeId };
    // It has another TTL by now, or another value: the next look says.
  }
  throw refused(session.options, 'changes the record all the time', { hint: 'find out who else changes it' });
}

async function tryChange(
  session: Session,
  { change, found }: { readonly change: Change; readonly found: Found | null },
  signal: AbortSignal,
): Promise<string | null | 'is_not_so'> {
  const { options, module, client } = session;
  const { zoneId: HostedZoneId, name: Name, type: Type, ttl: TTL } = options;
  const wanted = { Name, Type, TTL, ResourceRecords: [{ Value: change.to }] };
  const Changes = [
    ...(found === null ? [] : [{ Action: 'DELETE' as const, ResourceRecordSet: found.set }]),
    { Action: 'CREATE' as const, ResourceRecordSet: wanted },
  ];
  try {
    const { ChangeInfo } = await ask(options, { signal, again: false }, (abortSignal) =>
      client.send(new module.ChangeResourceRecordSetsCommand({ HostedZoneId, ChangeBatch: { Changes } }), {
        abortSignal,
      }),
    );
    return ChangeInfo?.Id ?? null;
  } catch (error) {
    if (isInvalidBatch(error)) return 'is_not_so';
    if (!isBackupError(error, 'name_refused') || error.facts.isSent !== true) throw error;
    const now = await readRecord(session, signal).catch(() => undefined);
    if (now?.value === change.to) return null;
    throw lost(error, now === undefined ? null : false);
  }
}

function lost(error: BackupError, isChanged: boolean | null): BackupError {
  const words =
    isChanged === null ? 'whether the record was changed is not known' : 'the record was not changed';
  return new BackupError('name_refused', error.message, {
    hint: `${words}; ${error.hint}`,
    facts: { ...error.facts, isChanged },
    cause: error,
  });
}

async function waitUntilInSync(
  { options, module, client }: Session,
  Id: string,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const { ChangeInfo } = await ask(options, { signal, again: true }, (abortSignal) =>
      client.send(new module.GetChangeCommand({ Id }), { abortSignal }),
    );
    if (ChangeInfo?.Status === 'INSYNC') return;
    await pause(options.pollMs ?? POLL_MS, signal);
    if (!signal.aborted) continue;
    throw refused(options, 'has taken the change, and not brought it to all its servers yet', {
      hint: `it comes by itself, within a minute as a rule: aws route53 get-change --id ${Id}`,
    });
  }
}

/** It comes as an error like any other, or in a document of its own, whose name the client does not find. */
function isInvalidBatch(error: unknown): boolean {
  const { name, $metadata } = error as Failure;
  return name === 'InvalidChangeBatch' || (name === 'Unknown' && $metadata?.httpStatusCode === 400);
}

type Failure = Error & { readonly $metadata?: { readonly httpStatusCode?: number } };

/** Nothing of it was done: the same may go well in a moment. */
const AGAIN = ['Throttling', 'ThrottlingException', 'PriorRequestNotComplete', 'ServiceUnavailable'];
const DENIED = ['AccessDenied', 'AccessDeniedException'];
const UNKNOWN_CALLER = [
  ...['InvalidClientTokenId', 'SignatureDoesNotMatch', 'UnrecognizedClientException', 'ExpiredToken'],
  ...['ExpiredTokenException', 'CredentialsProviderError', 'MissingAuthenticationToken'],
];

/** InvalidChangeBatch goes through as it is. With `again`, what did not come through is asked again: it changes nothing. */
async function ask<Answer>(
  options: Route53Options,
  { signal, again }: { readonly signal: AbortSignal; readonly again: boolean },
  send: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  for (let made = 1; ; made += 1) {
    throwIfAborted(signal);
    const ends = AbortSignal.any([signal, AbortSignal.timeout(options.answerMs ?? ANSWER_MS)]);
    try {
      return await send(ends);
    } catch (error) {
      const { name, $metadata } = error as Failure;
      if (isInvalidBatch(error)) throw error;
      const status = $metadata?.httpStatusCode ?? null;
      const mayPass = AGAIN.includes(name) || (again && (status === null || status >= 500));
      const isOver = made >= MOST_TRIES || signal.aborted || UNKNOWN_CALLER.includes(name);
      if (!mayPass || isOver) throw explain(options, name, { status, isTooLate: ends.aborted });
      await pause(100 * 2 ** made, signal);
    }
  }
}

function explain(
  options: Route53Options,
  name: string,
  { status, isTooLate }: { readonly status: number | null; readonly isTooLate: boolean },
): BackupError {
  if (DENIED.includes(name)) return refused(options, 'does not allow it', RIGHTS);
  if (UNKNOWN_CALLER.includes(name)) return refused(options, `does not know who asks (${name})`, RIGHTS);
  if (name === 'NoSuchHostedZone')
    return refused(options, 'has no such hosted zone', { hint: 'check `zone_id`' });
  // Below 500 it has answered, and done nothing.
  const isSent = status === null || status >= 500;
  const reason = isTooLate ? 'did not answer in time' : `cannot be asked (${name})`;
  return new BackupError('name_refused', `Route 53 ${reason}, for ${options.name}`, {
    hint: 'what changes records is in us-east-1 alone: while that region is out, so is this; answers to questions of DNS are not',
    facts: { isSent },
  });
}

const RIGHTS = {
  hint: 'it takes route53:ListResourceRecordSets and route53:ChangeResourceRecordSets on the hosted zone, and route53:GetChange',
};

function refused({ name }: Route53Options, reason: string, { hint }: { readonly hint: string }): BackupError {
  return new BackupError('name_refused', `Route 53 ${reason}: ${name}`, { hint });
}

function changed({ name }: Route53Options, found: string | null, { from, to }: Change): BackupError {
  const shown = (value: string | null): string => value ?? 'without a record';
  return new BackupError(
    'name_changed',
    `${name} is ${shown(found)}, not ${shown(from)}: it was not switched to ${to}`,
    {
      hint: 'somebody else changed it: find out who, then make a new plan',
      facts: { name, found, expected: from },
    },
  );
}
