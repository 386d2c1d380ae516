import { dirname } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CANARY, DRILL_TESTS, type DrillSelect, type DrillTestName } from '../../core/drill.ts';
import type { ProtectedStore } from '../../core/drill-target.ts';
import { BackupError, ERROR_CODES, type ErrorCode, isBackupError } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import type { Vault } from '../../core/vault.ts';
import type { DrillPorts, DrillRegion, DrillSettings } from '../../drills/context.ts';
import { type DrillReport, runDrill } from '../../drills/drill.ts';
import { type FoundEvidence, lastPassedAtMs, readEvidence, writeEvidence } from '../../drills/evidence.ts';
import type { NamedDigest } from '../../format/drill-evidence.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import { whyNotDue } from '../../policy/drill-due.ts';
import { parseSpan } from '../../policy/duration.ts';
import type { ThrottleOptions } from '../../vaults/wrappers/throttle.ts';
import { redactAddress } from '../address.ts';
import { chooseParallel, parallelOption, rateLimitOption } from '../arguments.ts';
import { chooseFormat } from '../backup/format.ts';
import type { Settings } from '../config/config.ts';
import { beginStep, type CommandContext, chooseLimit, type Start, withVault } from '../context.ts';
import { loadDrillChecks } from '../drill/checks.ts';
import { callHeartbeat } from '../drill/heartbeat.ts';
import { chooseDrillPlace } from '../drill/target.ts';
import { helpEnd } from '../exit-codes.ts';
import { addIdentityOptions, type KeyFlags, loadKeys } from '../keys/keys.ts';
import { withHands } from '../queue/queue-hands.ts';
import { addQueueOptions, type QueueFlags } from '../queue/settings.ts';
import { addRegionOption, isSameVault, type RegionFlags, regionsOf, vaultToRead } from '../regions.ts';
import { drillLines } from '../render/drill-report.ts';
import type { Hands } from '../threads/hands.ts';
import {
  emptyVault,
  findDrillPrograms,
  limitVault,
  openDrillTargets,
  openStore,
  openVault,
  systemClock,
  systemWriters,
} from '../wire.ts';
import { addDrillListCommand, addDrillShowCommand } from './drill-evidence.ts';

interface DrillFlags extends KeyFlags, RegionFlags, QueueFlags {
  readonly only?: readonly DrillTestName[];
  readonly target?: string;
  readonly select: DrillSelect;
  readonly backup?: string;
  readonly full?: true;
  readonly sample?: number;
  readonly keepOnFailure?: true;
  readonly deadline: number;
  readonly parallel?: number;
  readonly rateLimit?: number;
}

const SELECTS: readonly DrillSelect[] = ['newest', 'random', 'oldest'];
const DEADLINE = '12h';
const DEFAULT_SAMPLE = 5;

export function addDrillCommand(program: Command, start: Start): void {
  const command = program
    .command('drill')
    .description('restore backups only to see that it works, and leave signed evidence in the vault')
    .option('--only <test>', `run this test (repeatable): ${DRILL_TESTS.join(', ')}`, collectTest)
    .option(
      '--target <place>',
      'restore into sqlite, sqlite:FOLDER, postgres (programs on this machine), or a database made on postgres://user@host/postgres',
    )
    .addOption(new Option('--select <which>', 'which backup is restored').choices(SELECTS).default('newest'))
    .addOption(
      new Option('--backup <id>', 'restore this one, by its id or the first characters of it').conflicts(
        'select',
      ),
    )
    .option('--full', 'the full restore is due, whenever the last one was')
    .option('--sample <percentage>', 'restore so many of the streams in the partial restore', readPercentage)
    .option('--keep-on-failure', 'leave what a test that failed had restored, to be looked at')
    .addOption(
      new Option('--deadline <span>', 'the longest time that one test may take')
        .argParser(readDeadline)
        .default(parseSpan(DEADLINE, 'minutes')!, DEADLINE),
    )
    .option(parallelOption.flags, parallelOption.description, parallelOption.parse)
    .option(rateLimitOption.flags, rateLimitOption.description, rateLimitOption.parse);
  addQueueOptions(addIdentityOptions(addRegionOption(command)))
    .option('--sign-key <file>', 'sign the evidence with this Ed25519 key')
    .addHelpText('after', helpEnd(EXAMPLES, [0, 1, 2, 3, 4, 5, 6, 8, 10, 11, 130]))
    .action((flags: DrillFlags) =>
      start(
        (context) => drill(context, flags),
        'what was made for the drill is removed by the next one, if it is still there',
      ),
    );
  addDrillListCommand(command, start);
  addDrillShowCommand(command, start);
}

const EXAMPLES = [
  'eventcore drill',
  'eventcore drill --only partial_restore --sample 20',
  'eventcore drill --target postgres://drill@db.example/postgres --full',
  'eventcore drill --select random --keep-on-failure',
  'eventcore drill --region us-west-2        # with what that region has',
  'eventcore drill list',
  'eventcore drill show 3f2a9c1e',
];

const DRILLABLE: readonly DrillTestName[] = [...DRILL_TESTS, CANARY];

function collectTest(text: string, earlier: readonly DrillTestName[] = []): DrillTestName[] {
  const known: DrillTestName | undefined = DRILLABLE.find((name) => name === text);
  if (known !== undefined) return [...earlier, known];
  throw new InvalidArgumentError(`Tests are ${DRILL_TESTS.join(', ')}.`);
}

function readPercentage(text: string): number {
  const value = Number(text.replace(/%$/, ''));
  if (text !== '' && value >= 0 && value <= 100) return value;
  throw new InvalidArgumentError('It must be a number from 0 to 100.');
}

function readDeadline(text: string): number {
  const ms = parseSpan(text, 'minutes');
  if (ms !== null) return ms;
  throw new InvalidArgumentError('It must be a span of time, as 30m (minutes) or 12h.');
}

/** So many evidences are looked through for the last full restore that passed. */
const PAST_READ = 60;

async function drill(context: CommandContext, flags: DrillFlags): Promise<number> {
  const settings = await context.settings();
  const keys = await loadKeys(settings, flags, context);
  const place = chooseDrillPlace({
    ...{ flag: flags.target, settings, cwd: context.cwd },
    binDir: await findDrillPrograms(context.env),
  });
  const limit = chooseLimit(flags, settings, context.signal);
  const address = vaultToRead(context, settings, flags);
  const targets = await openDrillTargets(place);
  return withVault(address, { create: false }, async (bare) => {
    const vault = limit === null ? bare : limitVault(bare, limit);
    const store = await openProtected(context, settings);
    try {
      await targets.refuseStore(store.identity);
      const past = await readPast(context, vault, keys);
      const ports: Omit<DrillPorts, 'fileRunner' | 'loadRunner'> = {
        ...{ store: store.opened, vault, targets, keys, clock: systemClock, writers: systemWriters },
        regions: otherRegions(settings, address, limit),
        checks: await loadDrillChecks(settings.drill.checks ?? [], folderOf(settings, context)),
        ...{ scratchVault: emptyVault, random: Math.random },
      };
      const chosen = drillSettings(context, settings, flags, past);
      const asked = {
        purpose: 'drill',
        what: `drill with ${vault.address}`,
        parallel: flags.parallel,
      } as const;
      const report = await withHands(context, { flags, settings }, asked, (hands) =>
        runDrill({ ...ports, ...runners(hands) }, chosen, context.signal, {
          onStep: (test, step) => beginStep(context, `${test}: ${step}`),
        }),
      );
      context.progress.end();
      const evidence = await leaveEvidence(context, vault, report, { settings, flags, keys, past });
      return await conclude(
        context,
        flags.only === undefined ? settings.drill.heartbeat_url : undefined,
        report,
        evidence,
      );
    } finally {
      await targets.close();
      await store.opened?.close();
    }
  });
}

function runners({ files, loads }: Hands): Pick<DrillPorts, 'fileRunner' | 'loadRunner'> {
  return { fileRunner: files, loadRunner: loads };
}

function folderOf({ file }: Settings, { cwd }: CommandContext): string {
  return file === null ? cwd : dirname(file);
}

/** The store may be what is lost: then the vault alone is drilled, and nothing is compared with it. */
async function openProtected(
  context: CommandContext,
  { store: address }: Settings,
): Promise<{ opened: EventStore | null; identity: ProtectedStore }> {
  const unknown = { systemIdentifier: null, database: null };
  if (address === null) return { opened: null, identity: { address: '', ...unknown } };
  const opened = await openStore(address);
  try {
    const snapshot = await opened.openSnapshot();
    const { systemIdentifier, database } = snapshot.cursor;
    await snapshot.close();
    return {
      opened,
      identity: { address, systemIdentifier: textOrNull(systemIdentifier), database: textOrNull(database) },
    };
  } catch (error) {
    await opened.close();
    if (!isBackupError(error)) throw error;
    context.log.warn(`the store cannot be asked, and nothing is compared with it: ${error.message}`);
    return { opened: null, identity: { address, ...unknown } };
  }
}

function textOrNull(value: string | number | null | undefined): string | null {
  return value == null ? null : String(value);
}

async function readPast(
  { log }: CommandContext,
  vault: Vault,
  { trust }: ReadKeys,
): Promise<readonly FoundEvidence[]> {
  try {
    return (await readEvidence(vault, trust, PAST_READ)).found;
  } catch (error) {
    // That the vault cannot be read is for the tests to say.
    if (!isBackupError(error)) throw error;
    log.warn(`earlier drills cannot be read: ${error.message}`);
    return [];
  }
}

function otherRegions(settings: Settings, own: string, limit: ThrottleOptions | null): DrillRegion[] {
  const all = settings.policy === null ? [] : regionsOf(settings.policy);
  return all
    .filter(({ storage }) => !isSameVault(storage, own))
    .map(({ region, kind, storage }) => ({
      ...{ name: region, kind },
      open: async () => {
        const vault = limit === null ? openVault(storage) : limitVault(openVault(storage), limit);
        await vault.open({ create: false });
        return vault;
      },
    }));
}

function drillSettings(
  context: CommandContext,
  settings: Settings,
  flags: DrillFlags,
  past: readonly FoundEvidence[],
): DrillSettings {
  const { drill, policy } = settings;
  const due = {
    lastPassedAtMs: lastPassedAtMs(past, 'full_restore'),
    frequencyMs: drill.full_restore_test_frequency ?? null,
    nowMs: systemClock.now(),
  };
  const { rtoMs, rpoMs, regionRpoMs } = policy?.objectives ?? {};
  return {
    ...{ only: flags.only ?? null, select: flags.select, backup: flags.backup ?? null },
    samplePercentage: flags.sample ?? drill.sample_restore_percentage ?? DEFAULT_SAMPLE,
    fullNotDue: flags.full === true ? null : whyNotDue(due),
    keepOnFailure: flags.keepOnFailure === true,
    cleanup: drill.cleanup_test_data ?? true,
    objectives: {
      ...(rtoMs === undefined ? {} : { rtoMs }),
      ...(rpoMs === undefined ? {} : { rpoMs }),
      ...(regionRpoMs === undefined ? {} : { regionRpoMs }),
    },
    parallel: chooseParallel(flags.parallel, settings),
    ...pick(chooseFormat({}, settings.backup)),
    ...{ software: context.software, deadlineMs: flags.deadline },
  };
}

function pick({
  format,
  compression,
}: ReturnType<typeof chooseFormat>): Pick<DrillSettings, 'format' | 'compression'> {
  return { format, compression };
}

interface Proving {
  readonly settings: Settings;
  readonly flags: DrillFlags;
  readonly keys: ReadKeys;
  readonly past: readonly FoundEvidence[];
}

/** Null where the vault does not take it: the drill stands all the same, and is told. */
async function leaveEvidence(
  context: CommandContext,
  vault: Vault,
  report: DrillReport,
  { settings, flags, keys, past }: Proving,
): Promise<NamedDigest | null> {
  const { backup, region, select } = flags;
  const what = backup === undefined ? `the ${select} backup` : `backup ${backup}`;
  const about = {
    ...{ software: context.software, vault: redactAddress(vault.address) },
    store: settings.store === null ? null : redactAddress(settings.store),
    selection: region === undefined ? what : `${what} of region ${region}`,
  };
  try {
    return await writeEvidence(vault, report, about, { signer: keys.signer, past });
  } catch (error) {
    if (!isBackupError(error)) throw error;
    context.log.warn(`no evidence was left: ${error.message}`);
    return null;
  }
}

/** All passed; only the word of it that others were to find is missing. */
const WITHOUT_EVIDENCE = 10;

/** With what a drill that failed ends. A vault without any backup is a proof that failed; one that was named is what was asked for. */
function failureOf({ tests }: DrillReport): ErrorCode {
  const codes = tests.flatMap(({ state, code }) => (state === 'failed' ? [code] : []));
  const isNotThere = codes.length > 0 && codes.every((code) => code === 'backup_not_found');
  return isNotThere ? 'backup_not_found' : 'verification_failed';
}

async function conclude(
  { output, log }: CommandContext,
  url: string | undefined,
  report: DrillReport,
  evidence: NamedDigest | null,
): Promise<number> {
  const { overallSuccess, tests } = report;
  const heartbeat = url === undefined || !overallSuccess ? null : await callHeartbeat(url, log);
  output.document({ ...report, evidence, heartbeat });
  const failed = tests.filter(({ state }) => state === 'failed').map(({ name }) => name);
  if (output.isQuiet && !overallSuccess) {
    throw new BackupError(
      failureOf(report),
      `the drill failed: ${failed.join(', ') || 'nothing was proven'}`,
      {
        hint: 'run `eventcore drill` without --quiet, or `eventcore drill show`, to see why',
      },
    );
  }
  const where = evidence === null ? [] : [`Evidence: ${evidence.name} and .html in the vault.`];
  output.account([...drillLines(report, output.paint), ...where]);
  if (!overallSuccess) return ERROR_CODES[failureOf(report)].exitCode;
  return evidence === null ? WITHOUT_EVIDENCE : 0;
}
