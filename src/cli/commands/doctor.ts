import { type Command, Option } from 'commander';
import { type BackupError, isBackupError } from '../../core/errors.ts';
import type { EventStore, StoreDescription } from '../../core/event-store.ts';
import type { Obstacle } from '../../core/examination.ts';
import type { StatusPromises } from '../../core/status.ts';
import { formatBytes, plural } from '../../core/units.ts';
import type { Vault } from '../../core/vault.ts';
import { checkBackups, isCarriedOn } from '../../doctor/backup-checks.ts';
import { bad, type Check, exitCodeOf, failed, good, skipped, warn } from '../../doctor/check.ts';
import { checkDrills } from '../../doctor/drill-checks.ts';
import { checkKeys } from '../../doctor/key-checks.ts';
import { checkLogs, type LogFacts } from '../../doctor/log-checks.ts';
import { checkRecoverable, checkRestoreTime } from '../../doctor/objective-checks.ts';
import { checkPolicy, POLICY_CHECKS } from '../../doctor/policy-checks.ts';
import { checkLogSignatures, SIGNATURE_CHECKS } from '../../doctor/signature-checks.ts';
import { checkExamination, checkStore, STORE_CHECKS } from '../../doctor/store-checks.ts';
import {
  checkAttempts,
  checkProbe,
  checkRoom,
  VAULT_CHECKS,
  VAULT_PROBE_CHECKS,
} from '../../doctor/vault-checks.ts';
import { LARGE_BYTES, type ProbeOptions, probeVault, RACERS } from '../../doctor/vault-probe.ts';
import { checkVerified, leftOutVerification } from '../../doctor/verification-checks.ts';
import { type Catalog, readCatalog } from '../../format/catalog.ts';
import { readLogCatalog } from '../../format/log-catalog.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import { verificationAge } from '../../policy/verification-age.ts';
import { unitsOf } from '../../policy/verified-memory.ts';
import { type LogSurvey, surveyLogs } from '../../recovery/survey.ts';
import { redactAddress } from '../address.ts';
import { CONFIG_NAME, type Settings } from '../config/config.ts';
import { beginStep, type CommandContext, type Start, withStore, withVault } from '../context.ts';
import { readDrillFacts } from '../drill/facts.ts';
import { helpEnd } from '../exit-codes.ts';
import { addIdentityOptions, type KeyFlags, loadKeys } from '../keys/keys.ts';
import { openNotifiers } from '../notifiers.ts';
import { checkLines } from '../render/checks.ts';
import { promisesOf } from '../status/promises.ts';
import { readMemory } from '../verify/verified.ts';
import { systemClock } from '../wire.ts';
import { lookAtDisaster } from './doctor-disaster.ts';
import { lookAtQueue } from './doctor-queue.ts';
import { chooseRegions, isVault, keptMsOf, lookAtRegions } from './doctor-regions.ts';

export function addDoctorCommand(program: Command, start: Start): void {
  addIdentityOptions(program.command('doctor'))
    .description(
      'see whether all is well: configuration, store, rights, clocks, vault, backups, keys, change log',
    )
    .option('--region <name>', 'of the regions of the policy, look at this one only (repeatable)', collect)
    .option(
      '--large',
      `also race for an object larger than one part of an upload (${LARGE_TEXT} are written)`,
    )
    .option('--no-promises', 'leave out what the policy promises, which `serve` judges by itself')
    .addOption(
      new Option(
        '--manifests <file>',
        'look at manifests of Kubernetes instead, in a file, a folder or - for stdin (repeatable)',
      )
        .argParser(collect)
        .conflicts(['region', 'large']),
    )
    .addHelpText('after', helpEnd(EXAMPLES, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 130]))
    .action((flags: DoctorFlags) => start((context) => examine(context, flags)));
}

interface DoctorFlags extends KeyFlags {
  readonly region?: readonly string[];
  readonly large?: true;
  readonly promises: boolean;
  readonly manifests?: readonly string[];
}

function collect(name: string, names: readonly string[] = []): string[] {
  return [...names, name];
}

const LARGE_TEXT = formatBytes(LARGE_BYTES * RACERS);

const EXAMPLES = [
  'eventcore doctor',
  'eventcore doctor --vault file:/mnt/backups --large      # is this a place for backups?',
  'eventcore doctor --region us-west-2',
  'eventcore doctor --quiet || mail -s "backups need a look" ops@example.com',
  'eventcore doctor --manifests deploy/            # before `kubectl apply`',
  `eventcore doctor --json | jq '.checks[] | select(.verdict == "bad")'`,
];

async function examine(context: CommandContext, flags: DoctorFlags): Promise<number> {
  if (flags.manifests === undefined) return examineAll(context, flags);
  // What judges manifests is needed for nothing else.
  const { examineManifests } = await import('./doctor-manifests.ts');
  return examineManifests(context, flags.manifests);
}

/** Whatever fails is a finding; the rest is looked at all the same. */
async function examineAll(context: CommandContext, flags: DoctorFlags): Promise<number> {
  const checks: Check[] = [];
  const settings = await readSettings(context, checks);
  const regions = chooseRegions(settings, flags.region);
  const store = await lookAtStore(context, settings, checks);
  const load = () => loadKeys(settings!, flags, context);
  const probing = { large: flags.large === true, signal: context.signal };
  const promises = flags.promises ? promisesOf(settings) : promisesOf(null);
  const vault = await lookAtVault(context, { settings, promises, load, probing }, checks);
  const asked = { ...probing, regionRpoMs: promises.regionRpoMs };
  checks.push(...(await lookAtRegions(context, settings, regions, asked)));
  if (settings !== null) {
    checks.push(...(await lookAtQueue(context, settings)));
    checks.push(...(await lookAtDisaster(context, settings, load)));
  }
  checks.push(...checkLogs({ survey: vault, store, nowMs: systemClock.now() }));
  context.progress.end();
  const exitCode = exitCodeOf(checks);
  const { file = null, store: storeAddress = null, vault: vaultAddress = null } = settings ?? {};
  const shown = (address: string | null): string | null => (address === null ? null : redactAddress(address));
  context.output.document({
    ...{ healthy: exitCode === 0, config: file, store: shown(storeAddress), vault: shown(vaultAddress) },
    checks,
  });
  report(context, checks);
  return exitCode;
}

async function readSettings(context: CommandContext, checks: Check[]): Promise<Settings | null> {
  try {
    const settings = await context.settings();
    checks.push(checkSettings(settings), ...checkPolicy(settings.policy, settings.policyWarnings));
    checks.push(...(await lookAtNotifiers(context, settings)));
    return settings;
  } catch (error) {
    checks.push(failed('configuration', known(error)));
    skipRest(checks, POLICY_CHECKS, UNREADABLE);
    return null;
  }
}

/** That they can be made, with the secrets that they need; nothing is sent. Says nothing where none is configured. */
async function lookAtNotifiers(context: CommandContext, settings: Settings): Promise<Check[]> {
  if (settings.notify.length === 0) return [];
  try {
    const notifiers = await openNotifiers(settings, context);
    for (const notifier of notifiers) await notifier.close();
    const names = notifiers.map(({ name }) => name).join(', ');
    return [good('notifiers', `${names}; \`eventcore monitor --test-alert\` tries them`)];
  } catch (error) {
    return [failed('notifiers', known(error))];
  }
}

function checkSettings({ file, store, vault }: Settings): Check {
  const name = 'configuration';
  const where = file ?? `no ${CONFIG_NAME} here: flags and environment name what is needed`;
  const missing = [...(store === null ? ['store'] : []), ...(vault === null ? ['vault'] : [])];
  if (missing.length === 0) return good(name, where);
  const message = `no ${missing.join(' and no ')} is named`;
  const hint = '`eventcore init` writes a configuration; or pass --store and --vault';
  return missing.length === 2 ? bad(name, 'usage', message, hint) : warn(name, message, hint);
}

/** Fills in what was not come to. */
function skipRest(checks: Check[], names: readonly string[], reason: string): void {
  const made = new Set(checks.map(({ name }) => name));
  for (const name of names) if (!made.has(name)) checks.push(skipped(name, reason));
}

/** A failure that a user can meet; anything else is a bug, or the wish to stop, and is not a finding. */
function known(error: unknown): BackupError {
  if (isBackupError(error) && error.code !== 'interrupted') return error;
  throw error;
}

const UNREADABLE = 'the configuration cannot be read';

async function lookAtStore(
  context: CommandContext,
  settings: Settings | null,
  checks: Check[],
): Promise<LogFacts['store']> {
  const address = settings?.store ?? null;
  if (address === null) {
    skipRest(checks, STORE_CHECKS, settings === null ? UNREADABLE : 'no store is named');
    return null;
  }
  beginStep(context, 'looking at the store');
  try {
    return await withStore(address, async (store) => {
      const found = await inspect(store, checks);
      if (found?.state === 'missing') return null;
      const examination = await store.examine();
      checks.push(...checkExamination(examination, await breachesOf(store)));
      const feed = await store.feedState();
      return { kind: found?.kind ?? null, feed, obstacles: examination.feedObstacles };
    });
  } catch (error) {
    const failure = known(error);
    const store = checks.find(({ name }) => name === 'store');
    // A refusal that is told already is not told twice.
    if (store?.verdict !== 'bad')
      checks.push(failed(store === undefined ? 'store' : 'store contract', failure));
    return null;
  } finally {
    skipRest(checks, STORE_CHECKS, 'the store could not be looked at');
  }
}

/** What checks tables takes longer to load than the rest of the doctor. */
async function breachesOf(store: EventStore): Promise<readonly Obstacle[] | string> {
  const { findBreaches } = await import('../store-contract.ts');
  return findBreaches(store);
}

/** Null where a right is missing: which one, the examination says. */
async function inspect(store: EventStore, checks: Check[]): Promise<StoreDescription | null> {
  try {
    const found = await store.inspect();
    checks.push(checkStore(found, store.address));
    return found;
  } catch (error) {
    if (!isBackupError(error, 'store_refused')) throw error;
    checks.push(failed('store', error));
    return null;
  }
}

interface VaultWork {
  readonly settings: Settings | null;
  /** That are judged. */
  readonly promises: StatusPromises;
  readonly load: () => Promise<ReadKeys>;
  readonly probing: ProbeOptions;
}

async function lookAtVault(
  context: CommandContext,
  { settings, promises, load, probing }: VaultWork,
  checks: Check[],
): Promise<LogSurvey | null> {
  const address = settings?.vault ?? null;
  if (address === null) {
    skipRest(checks, VAULT_CHECKS, settings === null ? UNREADABLE : 'no vault is named');
    return null;
  }
  beginStep(context, 'looking at the vault');
  try {
    return await withVault(address, { create: false }, async (vault) => {
      const catalog = await readCatalog(vault);
      const logs = await readLogCatalog(vault);
      const survey = await surveyLogs(vault, catalog, logs);
      await lookAtProbe(vault, { catalog, probing, keptMs: keptIn(settings, context.cwd) }, checks);
      checks.push(...checkBackups({ catalog, nowMs: systemClock.now(), isCarriedOn: isCarriedOn(survey) }));
      const { rpoMs, verifiedWithinMs } = promises;
      checks.push(checkRecoverable({ windows: survey.windows, rpoMs, nowMs: systemClock.now() }));
      checks.push(checkAttempts(catalog.unfinished, systemClock.now()));
      const units = unitsOf(await readMemory(vault, systemClock.now()), catalog.backups, logs);
      const isLeftOut = verifiedWithinMs !== promisesOf(settings).verifiedWithinMs;
      const age = verificationAge(units, systemClock.now());
      checks.push(isLeftOut ? leftOutVerification() : checkVerified(age, verifiedWithinMs));
      checks.push(...(await lookAtKeys(vault, catalog, survey, load)));
      checks.push(...(await lookAtDrills(vault, settings, promises)));
      return survey;
    });
  } catch (error) {
    checks.push(failed('vault', known(error)));
    return null;
  } finally {
    skipRest(checks, VAULT_CHECKS, 'the vault could not be looked at');
  }
}

async function lookAtDrills(
  vault: Vault,
  settings: Settings | null,
  { drilledWithinMs: withinMs, rtoMs: promisedMs }: StatusPromises,
): Promise<Check[]> {
  const { total, newest, lastPassedAtMs, rtoMs } = await readDrillFacts(vault, settings);
  const newestPassed = newest?.evidence?.overallSuccess ?? null;
  return [
    checkDrills({ total, lastPassedAtMs, newestPassed, withinMs, nowMs: systemClock.now() }),
    ...(promisedMs === null ? [] : [checkRestoreTime(rtoMs, promisedMs)]),
  ];
}

async function lookAtKeys(
  vault: Vault,
  catalog: Catalog,
  { spans }: LogSurvey,
  load: () => Promise<ReadKeys>,
): Promise<Check[]> {
  const checks: Check[] = [];
  try {
    const keys = await load();
    checks.push(await checkKeys(vault, catalog, keys));
    checks.push(await checkLogSignatures(vault, spans, keys.trust));
  } catch (error) {
    const name = checks.length === 0 ? 'keys' : SIGNATURE_CHECKS[0];
    checks.push(failed(name, known(error)));
    skipRest(checks, SIGNATURE_CHECKS, 'the keys cannot be used');
  }
  return checks;
}

/** How long the policy keeps what is in the vault, where it speaks of this vault. */
function keptIn(settings: Settings | null, cwd: string): number | null {
  const policy = settings?.policy ?? null;
  if (settings === null || policy === null || !isVault(settings, policy.primary.storage, cwd)) return null;
  return keptMsOf(policy, policy.primary);
}

/** A vault that can only be read still says what it holds. */
async function lookAtProbe(
  vault: Vault,
  { catalog, probing, keptMs }: { catalog: Catalog; probing: ProbeOptions; keptMs: number | null },
  checks: Check[],
): Promise<void> {
  try {
    const probe = await probeVault(vault, systemClock, probing);
    const full = catalog.backups.findLast(({ manifest: { kind } }) => kind === 'full');
    checks.push(...checkProbe(probe, vault.address, keptMs));
    checks.push(checkRoom(probe.freeBytes, full?.manifest.sizeBytes ?? null));
  } catch (error) {
    checks.push(failed('vault', known(error)));
    skipRest(checks, VAULT_PROBE_CHECKS, 'the vault cannot be written');
  }
}

function report({ output }: CommandContext, checks: readonly Check[]): void {
  const { paint } = output;
  const count = (wanted: Check['verdict']): number =>
    checks.filter(({ verdict }) => verdict === wanted).length;
  const [bads, warnings] = [count('bad'), count('warn')];
  const lines = [
    bads > 0
      ? paint('bad', `${plural(bads, 'check')} of ${checks.length} failed`)
      : warnings > 0
        ? paint(
            'warning',
            `Nothing is broken; worth a look: ${plural(warnings, 'check')} of ${checks.length}`,
          )
        : paint('good', 'All is well'),
    ...checkLines(checks, paint),
  ];
  if (output.isQuiet && bads === 0) return;
  output.answer(output.isQuiet ? lines.slice(0, 1) : lines);
}
