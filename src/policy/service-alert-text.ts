import type { Alert } from '../core/alert.ts';
import type { JobName } from '../core/job.ts';
import type { OwedNotice } from '../core/monitor-state.ts';
import type { Objective } from '../core/status.ts';
import type { JobStanding } from './job-alerts.ts';
import { objectivePlace, STATUS_CHECK } from './objective-alerts.ts';

/** What a daemon tells, in words. As it is when it is sent, not when it began: what is owed may be sent late, and by another daemon. */
export interface ServiceWords {
  /** As the daemon calls it. */
  readonly store: string;
  /** Its address, without a password. */
  readonly subject: string;
  readonly objectives: readonly Objective[];
  readonly jobs: ReadonlyMap<JobName, JobStanding>;
  /** What a command said when it failed here, without names of streams. */
  readonly jobTroubles: ReadonlyMap<JobName, string>;
  /** Why the status cannot be asked, and why the vault cannot be used. */
  readonly statusTrouble: string | null;
  readonly vaultTrouble: string | null;
}

export const VAULT_CHECK = 'vault';
const JOB = /^job_([a-z]+)$/;

export function jobCheck(job: JobName): string {
  return `job_${job}`;
}

/** Null for a check that is not of a job. */
export function jobOfCheck(check: string): JobName | null {
  return (JOB.exec(check)?.[1] as JobName | undefined) ?? null;
}

export function serviceAlert(notice: OwedNotice, words: ServiceWords): Alert {
  const { id, check, place, state, severity, since, at } = notice;
  const { store, subject } = words;
  const { title, text, facts = {} } = sayingOf(notice, words);
  return {
    ...{ id, key: keyOf(notice, store), state, severity, subject, since, at },
    title: `${store}: ${title}`,
    text: text.join('\n'),
    facts: { store, check, place, ...facts },
  };
}

/** The same for all daemons that call the store so. */
function keyOf({ check, place }: OwedNotice, store: string): string {
  return place === 'store' ? `${check}@${store}` : `${check}@${store}, ${place}`;
}

interface Saying {
  readonly title: string;
  readonly text: readonly string[];
  readonly facts?: Alert['facts'];
}

function sayingOf(notice: OwedNotice, words: ServiceWords): Saying {
  const job = jobOfCheck(notice.check);
  if (job !== null) return sayJob(job, notice, words);
  if (notice.check === STATUS_CHECK) return sayStatus(notice, words);
  if (notice.check === VAULT_CHECK) return sayVault(notice, words);
  return sayObjective(notice, words);
}

const PROMISES: Readonly<Record<Objective['name'], string>> = {
  rpo: 'the recovery point objective',
  region_rpo: 'the recovery point objective of a region',
  rto: 'the recovery time objective',
  verified_within: 'that backups are verified in time',
  drilled_within: 'that drills are held in time',
};

function sayObjective({ check, place, state, since }: OwedNotice, { objectives }: ServiceWords): Saying {
  const isUnknown = check.endsWith('_unknown');
  const name = /^objective_(.+?)(?:_unknown)?$/.exec(check)?.[1] as Objective['name'] | undefined;
  const promise = (name === undefined ? undefined : PROMISES[name]) ?? check;
  const what = place === 'store' ? promise : `${promise} (${place})`;
  const now = objectives.find((one) => one.name === name && objectivePlace(one) === place);
  const facts = now === undefined ? {} : { promisedMs: now.promisedMs, actualMs: now.actualMs };
  const lines =
    now === undefined ? [] : [`${sentence(now.reason)}${now.next === null ? '' : ` Next: ${now.next}.`}`];
  if (state === 'resolved') {
    const over = isUnknown ? `it is known again how it is with ${what}` : `${what} is kept again`;
    return { title: over, text: [...lines, `It was not so since ${since}.`], facts };
  }
  const bad = isUnknown ? `nobody knows whether ${what} is kept` : `${what} is not kept`;
  return {
    title: bad,
    text: [...(now?.state === 'kept' ? [] : lines), `It has been so since ${since}.`],
    facts,
  };
}

function sentence(text: string): string {
  return text === '' ? '' : `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

function sayStatus({ state, since }: OwedNotice, { statusTrouble }: ServiceWords): Saying {
  if (state === 'resolved')
    return { title: 'what is promised can be judged again', text: [`It could not be since ${since}.`] };
  const why = statusTrouble === null ? [] : [sentence(statusTrouble)];
  return {
    title: 'what is promised cannot be judged',
    text: [
      `The daemon cannot ask how well the store is protected, since ${since}.`,
      ...why,
      'Next: `eventcore status` by hand says what is wrong.',
    ],
  };
}

function sayVault({ state, since }: OwedNotice, { vaultTrouble }: ServiceWords): Saying {
  if (state === 'resolved')
    return { title: 'the vault can be used again', text: [`It could not be since ${since}.`] };
  const why = vaultTrouble === null ? [] : [sentence(vaultTrouble)];
  return {
    title: 'the vault cannot be used',
    text: [
      `No job runs, and nothing can be put on record, since ${since}.`,
      ...why,
      'Next: `eventcore doctor` says what is wrong with it. Each daemon tells this by itself.',
    ],
  };
}

function sayJob(job: JobName, { state, since }: OwedNotice, { jobs, jobTroubles }: ServiceWords): Saying {
  if (state === 'resolved') return { title: `${job} runs again`, text: [`It had failed since ${since}.`] };
  const standing = jobs.get(job);
  const trouble = jobTroubles.get(job);
  const isFailing = standing?.state === 'failing';
  const many = isFailing ? `It failed ${times(standing.failures)}, first at ${standing.since}.` : 'It fails.';
  const code = isFailing ? standing.code : null;
  const said =
    trouble !== undefined ? ` It said: ${trouble}.` : code === null ? '' : ` Its failure is ${code}.`;
  return {
    title: `${job} fails`,
    text: [`${many}${said}`, 'Next: the same command by hand shows more.'],
    facts: { job, failures: isFailing ? standing.failures : null, code },
  };
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times in a row`;
}
