import type { ErrorCode } from '../core/errors.ts';

export interface ErrorMeaning {
  /** When it is given. */
  readonly meaning: string;
  /** What an operator does about it, beside what the hint of the error itself says. */
  readonly wayOut: string;
}

/** What each code of an error stands for. The hint that comes with an error knows the case; this knows the kind. */
export const ERROR_MEANINGS: Readonly<Record<ErrorCode, ErrorMeaning>> = {
  internal: {
    meaning: 'A bug in this program, or a state that cannot be.',
    wayOut: 'Report it, with what the same command prints with `--log-level debug`.',
  },
  usage: {
    meaning: 'The words of the command make no sense together, or something needed is not named.',
    wayOut: 'Add `--help` to the command.',
  },
  config_invalid: {
    meaning: 'The configuration cannot be read, has an unknown key or a value that is not allowed.',
    wayOut: 'Correct the key that is named: [configuration](configuration.md) lists all of them.',
  },
  event_invalid: {
    meaning: 'An event that is to be appended lacks something, or has an id that is taken.',
    wayOut: 'Correct the program that appends it.',
  },
  backup_not_found: {
    meaning: 'The vault has no backup, attempt, hold or drill of this id, or several that begin so.',
    wayOut: '`eventcore list` shows what there is; give more characters of the id.',
  },
  no_backups: {
    meaning: 'The vault has no backup that could be used.',
    wayOut: 'Look at the address of the vault, or take one with `eventcore backup full`.',
  },
  no_restore_point: {
    meaning: 'Nothing in the vault leads to the point that was asked for.',
    wayOut: '`eventcore list` shows the windows in which every instant can be brought back.',
  },
  stream_not_found: {
    meaning: 'No stream has this name, in the backup or the store.',
    wayOut: '`eventcore show --streams --prefix TEXT` lists names.',
  },
  damaged: {
    meaning:
      'What lies in a vault or a store is not what was written: a digest, a length or an order is wrong.',
    wayOut:
      '`eventcore verify` says how far it goes; `eventcore verify --heal` takes sound copies of another region.',
  },
  verification_failed: {
    meaning:
      'A proof did not hold: events are not what they should be after a backup, a restore or in a drill.',
    wayOut: 'Do not rely on the result. `eventcore verify` and `eventcore diff` show what differs.',
  },
  store_diverged: {
    meaning: 'The store has lost or changed events that were backed up, or two servers both take writes.',
    wayOut: '`eventcore diff` shows which events; keep the old backups until it is understood.',
  },
  feed_lost: {
    meaning: 'The store no longer has what came behind the end of the change log, or it is another store.',
    wayOut:
      'A new log begins with a full backup: `eventcore archive` takes one. The gap stays and is listed.',
  },
  log_gap: {
    meaning: 'The change log lacks a piece before the point that was asked for.',
    wayOut: 'Choose a point before the gap, or of the newest backup behind it: `eventcore list` shows both.',
  },
  store_unreachable: {
    meaning: 'The store does not answer, or the connection to it was lost.',
    wayOut: 'Look at server, network and address, then run it again.',
  },
  store_refused: {
    meaning: 'The store answers, and does not allow it: rights, a setting, a lock, a full disk.',
    wayOut: '`eventcore doctor` says which right or setting is missing.',
  },
  store_behind: {
    meaning: 'A standby has not replayed what it would have to know.',
    wayOut: 'Wait until it has caught up, or let the primary be read.',
  },
  store_unsupported: {
    meaning: 'The store, its version or its tables cannot do what was asked for.',
    wayOut: 'The hint says what can; [layouts](../layouts.md) says what each kind of store has.',
  },
  not_an_event_store: {
    meaning: 'There is no event store of a known layout at the address.',
    wayOut: 'Look at address and schema, name the layout, or describe it: [layouts](../layouts.md).',
  },
  value_not_storable: {
    meaning: 'An event has something that this store cannot hold.',
    wayOut: 'Restore into a store of the layout that was backed up.',
  },
  version_conflict: {
    meaning: 'Somebody else appended to the stream in the meantime. Nothing was added.',
    wayOut: 'Run it again.',
  },
  check_refused: {
    meaning: 'A check of the live store is no single statement that reads, or may not be run.',
    wayOut: 'Correct it, or grant its role what it reads: [checks](../checks.md).',
  },
  check_timed_out: {
    meaning: 'A statement on the live store took longer than it may.',
    wayOut: 'Give it more time (`monitor.statement_timeout`), or look when the store has less to do.',
  },
  vault_unreachable: {
    meaning: 'The vault does not answer, or an upload was cut off.',
    wayOut: 'Look at network, mount or endpoint, then run it again.',
  },
  vault_refused: {
    meaning: 'The vault answers, and does not allow it: rights, credentials, a policy of the bucket.',
    wayOut: '`eventcore doctor` tries each thing that a vault must allow: [S3](../s3.md).',
  },
  vault_full: {
    meaning: 'There is no room left in the vault.',
    wayOut: 'Make room (`eventcore prune` shows what rules would remove), then run it again.',
  },
  vault_object_exists: {
    meaning: 'An object of that name is there, and nothing in a vault is ever overwritten.',
    wayOut: 'See who else writes into this vault.',
  },
  vault_object_missing: {
    meaning: 'An object is not in the vault.',
    wayOut: 'Take it from a copy of the vault: `eventcore verify --heal`.',
  },
  object_archived: {
    meaning:
      'Objects lie in an archive tier and cannot be read yet; they have been asked for where that was due.',
    wayOut: 'Run it again later, or with `--wait-for-archive`.',
  },
  lease_held: {
    meaning: 'Another run does the same in this vault or on this store.',
    wayOut: 'Wait for it. One that was killed is out of the way by itself, within minutes.',
  },
  key_missing: {
    meaning: 'Something is sealed or must be signed, and no key was given.',
    wayOut: 'Pass `--identity`, `--passphrase-file` or `--sign-key`, or name them under `encryption:`.',
  },
  key_wrong: {
    meaning: 'None of the given keys opens it.',
    wayOut: '`eventcore keys list` shows for whom a vault is sealed.',
  },
  key_refused: {
    meaning: 'A file, variable or command that should give a secret gives none, or others can read it.',
    wayOut: 'Correct what is named; secrets are readable by their owner only (`chmod 600`).',
  },
  key_unreachable: {
    meaning: 'The service that keeps the key does not answer.',
    wayOut: 'Look at the network and the credentials, then run it again.',
  },
  seal_required: {
    meaning: 'The vault has sealed backups, and this one would not be sealed.',
    wayOut: 'Name recipients, or use another vault for what is not sealed.',
  },
  signature_invalid: {
    meaning: 'A signature is missing, wrong, or of nobody who is trusted.',
    wayOut:
      'Find out who wrote it before anything is done with it; `encryption.trusted_signers` says who is trusted.',
  },
  target_not_empty: {
    meaning: 'The target of a restore holds events.',
    wayOut: 'Take an empty target, or pass `--replace` to throw away what is there.',
  },
  would_overwrite: {
    meaning: 'It would replace a file or a state that is there.',
    wayOut: 'Choose another name, or the flag that the hint names.',
  },
  would_lose: {
    meaning: 'The target has no place for something that the backup holds.',
    wayOut: '`--dry-run` lists what; `--allow-loss` names what may go.',
  },
  partial: {
    meaning: 'A part was done, a part was not; the report says which.',
    wayOut: 'Mend what the report names, and run it again: what is done is not done twice.',
  },
  plan_not_found: {
    meaning: 'There is no plan or run of a recovery of this id.',
    wayOut: '`eventcore dr status --all` lists them.',
  },
  plan_outdated: {
    meaning: 'What the plan was made of is no longer so, or it was carried out.',
    wayOut: 'Assess anew, and make a new plan: `eventcore dr assess`, `eventcore dr plan`.',
  },
  run_unfinished: {
    meaning: 'Another recovery has begun and is not at its end.',
    wayOut: '`eventcore dr resume` goes on with it, `eventcore dr abandon` gives it up.',
  },
  recovery_refused: {
    meaning:
      'A recovery would lose more than is allowed, or the plan is not approved, or a server is not known.',
    wayOut: 'Read the plan; whoever accepts what it costs says so with the flag that it names.',
  },
  fence_failed: {
    meaning: 'It is not certain that the old primary takes no more writes.',
    wayOut: 'Stop it by hand, then `eventcore dr resume`: [fencing](../fencing.md).',
  },
  name_changed: {
    meaning: 'The public name leads elsewhere than the plan says.',
    wayOut: 'Find out who changed it, then make a new plan: [public name](../public-name.md).',
  },
  name_refused: {
    meaning: 'The public name could not be read or switched.',
    wayOut: 'Look at the server of the zone and its key, then `eventcore dr resume`.',
  },
  action_failed: {
    meaning: 'Something that a recovery does to the world did not work: a command, a webhook, Kubernetes.',
    wayOut: 'Mend it, then `eventcore dr resume`: what is done is not done twice.',
  },
  recovery_stopped: {
    meaning: 'A recovery stopped at a step; what was done before stays done.',
    wayOut: 'See `eventcore dr status`, mend what it names, then `eventcore dr resume`.',
  },
  notification_failed: {
    meaning: 'Somebody could not be told. What is owed is sent with the next run.',
    wayOut: '`eventcore monitor --test-alert` tries each notifier.',
  },
  queue_unreachable: {
    meaning: 'The queue of jobs does not answer, or nobody works for it.',
    wayOut:
      'Look at its server and at the workers (`eventcore queue`); `--no-queue` does the work on this machine alone.',
  },
  queue_refused: {
    meaning:
      'The queue of jobs refuses this user or this key, or a job failed in a way that another try cannot mend.',
    wayOut: 'Coordinators and workers need the same queue key, and a role that owns the schema of the queue.',
  },
  interrupted: {
    meaning: 'Somebody stopped it. The message says what is left behind.',
    wayOut: 'Run it again: it goes on where that is possible.',
  },
};
