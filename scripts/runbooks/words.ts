/** What the pages say that stands in no table of the code. All of it is asked for by the compiler, one for each trigger, state, step and risk. */
import type { DisasterTrigger, PrimaryFinding, RecoveryRisk, RecoveryStep } from '../../src/core/disaster.ts';

export interface TriggerWords {
  readonly title: string;
  /** How to know that it is this one. */
  readonly isIt: readonly string[];
  /** What to do, and not to do, in the first minute. */
  readonly first: readonly string[];
  /** What `dr plan` is called with. */
  readonly plan: readonly string[];
  readonly after: readonly string[];
}

export const TRIGGER_WORDS: Readonly<Record<DisasterTrigger, TriggerWords>> = {
  database_failure: {
    title: 'The database has failed',
    isIt: [
      'The primary does not start, its disk is broken, its host is gone, or it answers with errors. Its region is well: other things there answer.',
      'Nothing of the region answers: that is [region_outage](region_outage.md).',
      'It answers, and the events in it are wrong: that is [data_corruption](data_corruption.md).',
    ],
    first: [
      'Do not start, stop or promote anything by hand yet. What only the dead server has can still be salvaged, as long as nobody rewinds or clones over it.',
      'If it is only starting up (`refused` below), wait some minutes: that loses nothing.',
    ],
    plan: ['eventcore dr plan --trigger database_failure'],
    after: [
      'Find out why it failed before it becomes a standby of the new one, or that one is next.',
      'Tell the owners of consumers when `eventcore dr status` says that events vanished: the record that it names (`epochs/` in the vault) lists them.',
    ],
  },
  region_outage: {
    title: 'A region is out',
    isIt: [
      'Nothing in the region of the primary answers: neither servers nor other services, nor the status page of whoever runs it.',
      'Only the database does not answer: that is [database_failure](database_failure.md).',
    ],
    first: [
      'A region that you cannot reach may be well, and taking writes. That it is silent proves nothing. Ask somebody on another network.',
      'Work from a host that is outside that region.',
    ],
    plan: [
      'eventcore dr plan --trigger region_outage',
      'eventcore dr plan --trigger region_outage --region us-west-2     # where there are several to choose from',
    ],
    after: [
      'When the region comes back, its old primary must stay shut: the fence sees to that. Look at it with `eventcore dr assess` all the same.',
      'What only the old primary had can be salvaged then: `eventcore dr resume PLAN --salvage-from postgres://postgres@old-primary/events`.',
      'Tell the owners of consumers when `eventcore dr status` says that events vanished: the record that it names (`epochs/` in the vault) lists them.',
    ],
  },
  data_corruption: {
    title: 'The data is damaged',
    isIt: [
      'Events are missing, doubled or changed, by a program, a person or a disk. `eventcore monitor` or `eventcore diff` said so, or a consumer did.',
      'A few streams are damaged, and you know which: [repair](../repair.md), or `eventcore restore --stream`, is quicker and loses nothing else.',
      'Somebody was in who should not have been: that is [security_breach](security_breach.md).',
    ],
    first: [
      'Do not promote a standby. It has replayed the damage.',
      'Stop whatever does the damage: the program, the job, the person. Else it damages what you restore.',
      'Nothing may be removed from the vaults now: `eventcore freeze on --reason "damaged data"`, if you need time to think. The run does it as well.',
    ],
    plan: [
      'eventcore list                                                # which instants there are',
      'eventcore diff --at 2026-11-29T02:59:00Z --events             # what became of the store since: earlier, until it is the instant before',
      'eventcore dr plan --trigger data_corruption --at 2026-11-29T02:59:00Z',
    ],
    after: [
      'What was written after the instant lies beside the journal, in `salvage-….jsonl`. People decide what of it is good; nothing is added by itself.',
      'Tell the owners of consumers: they have seen events that are no more. The record of the recovery (`epochs/` in the vault) says which.',
    ],
  },
  security_breach: {
    title: 'Somebody was in',
    isIt: [
      'Somebody who should not have been had rights on a server, a vault, or a host that runs `eventcore`.',
      'It may be no more than a mistake of a colleague: that is [data_corruption](data_corruption.md).',
    ],
    first: [
      'Do not promote a standby: it has what the intruder did. Do not switch the old servers off if you can cut their network instead: they are evidence.',
      'Work from a host, and with credentials, that the intruder cannot have. New ones for: the database role, the vaults, the name server, the keys of backups.',
      'Make sure that the vault you restore from was not written to: `eventcore verify`, and signatures, if you sign.',
    ],
    plan: [
      'eventcore verify                                        # with keys that are not in doubt',
      'eventcore diff --at 2026-11-29T02:59:00Z --events       # what became of the store since: earlier, until it is the instant before',
      'eventcore dr plan --trigger security_breach --at 2026-11-29T02:59:00Z --region us-west-2',
    ],
    after: [
      'The vaults stay frozen. End that by hand, `eventcore freeze off`, when the breach is understood.',
      'The old servers have another history and stay shut. Keep them until nobody needs them as evidence.',
      'Rotate the keys that backups are sealed with ([keys](../keys.md)), and take a full backup with the new ones.',
    ],
  },
  manual_trigger: {
    title: 'Somebody wants to move',
    isIt: [
      'Nothing is broken: a maintenance, a drill, a region that is to be left. Or something is wrong that no other page describes.',
      'Something is broken: the pages of the other triggers know more.',
    ],
    first: ['Choose a time when few write. Writers get errors from the fence until the name has switched.'],
    plan: [
      'eventcore dr plan --trigger manual_trigger --region us-west-2',
      'eventcore dr plan --trigger manual_trigger --strategy full_rebuild --region us-west-2     # another way, where it is open',
    ],
    after: ['The same command with the old region moves back.'],
  },
};

export const STATE_WORDS: Readonly<Record<PrimaryFinding['state'], string>> = {
  alive: 'it answers from everywhere that was asked',
  dead: 'it answers from nowhere, and at least two places say so',
  disputed: 'some see it and some do not, or only one place looked, or somebody is there and lets nobody in',
  doubled: 'two servers take writes, or an old primary came back',
  unknown: 'nobody knows which server the primary was',
};

export interface RiskWords {
  readonly means: string;
  readonly before: string;
}

export const RISK_WORDS: Readonly<Record<RecoveryRisk, RiskWords>> = {
  data_loss: {
    means: 'more is lost than the configuration allows (`max_data_loss`), or nobody knows how much',
    before:
      'read the line `loss` of the plan to whoever owns the data. Is there a standby that could not be asked? Waiting for it may lose nothing',
  },
  split_brain: {
    means: 'nothing shows that the old primary cannot write',
    before:
      'make sure yourself: switch the host off, or have somebody pull its network, and have them say so. Never because it is silent',
  },
  minority: {
    means:
      'less than half of the vaults can be locked: somebody else could be doing the same with the others',
    before: 'ask everybody who could. One person runs this, and says so where all read it',
  },
};

/** What to look at when a step fails. */
export const STEP_WORDS: Readonly<Record<RecoveryStep, string>> = {
  freeze: 'which vault could not be written: its credentials, its network',
  fence:
    'who is still in (`pg_stat_activity`), or which way of fencing failed. Switched off by hand: resume with `--accept-split-brain`',
  drain: 'whether standbys still receive (`eventcore dr assess`, twice: do positions move?)',
  choose: 'the refusals in the message: resume a paused replay, or give up and plan for another region',
  promote: 'the log of that server; is its disk full?',
  restore: 'the place must be empty and large enough; the message names the backup',
  migrate: 'what the command printed; it may be run again',
  check: 'the findings: `eventcore doctor`, [checks](../checks.md)',
  probe: 'whether the server takes writes, and the rights of the role',
  scale: 'the console of whoever gives the capacity; do it by hand',
  switch_name: 'what the record is now: somebody may have changed it by hand. Key and server of the zone',
  verify_public:
    'where the name leads from here (`dig`); a cache keeps the old answer for its ttl. Then resume',
  notify: 'tell people yourself',
  reprotect: 'store and vault: `eventcore backup full` by hand does the most of it',
  salvage:
    'whether the old primary can be reached at all; later: `eventcore dr resume PLAN --salvage-from ADDRESS`',
  rejoin: 'the message of pg_rewind or pg_basebackup on that host; only after the salvage',
  release: 'which vault is still frozen, `eventcore freeze status`; `eventcore freeze off`',
};
