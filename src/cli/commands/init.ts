import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { BackupError } from '../../core/errors.ts';
import type { StoreDescription } from '../../core/event-store.ts';
import { formatTime, timeFromUnixMs } from '../../core/time.ts';
import { plural, printable } from '../../core/units.ts';
import { readCatalog } from '../../format/catalog.ts';
import { redactAddress, resolveStoreAddress, resolveVaultAddress } from '../address.ts';
import { configPath } from '../config/config.ts';
import { configTemplate, type TemplateKeys } from '../config/template.ts';
import { type CommandContext, type Start, withStore, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { IDENTITY_FILE, refuseExisting, SIGN_KEY_FILE, writePrivateFile } from '../keys/key-files.ts';
import { type KubernetesFlags, readName, readSecretKey, readVolume } from '../kubernetes/flags.ts';
import { renderPairs } from '../render/table.ts';
import { loadKeysRoom, systemClock } from '../wire.ts';

interface InitFlags extends KubernetesFlags {
  readonly kubernetes?: true;
  readonly keys?: true;
  readonly createStore?: true;
}

const DEFAULT_STORE = 'sqlite:./events.db';
const DEFAULT_VAULT = 'file:./backups';

export function addInitCommand(program: Command, start: Start): void {
  program
    .command('init')
    .description('write a commented configuration, then check the store and the vault')
    .option('--create-store', 'create the tables of an event store where there are none')
    .option('--keys', 'make an identity and a key that signs, beside the configuration, and name them in it')
    .option('--force', 'overwrite the configuration, or the manifests, that are there')
    .option(
      '--kubernetes',
      'write manifests that run the configuration on Kubernetes instead (docs/kubernetes.md)',
    )
    .option('--to <folder>', 'where manifests go, or - for stdout (default: kubernetes)')
    .option('--namespace <name>', 'of all that is made (default: eventcore)', readName)
    .option('--name <name>', 'of all that is made (default: eventcore-backup)', readName)
    .option('--image <image>', 'with registry and version (default: eventcore-backup and this version)')
    .option('--cron-jobs', 'a CronJob for each job, in place of the daemon')
    .option('--volume <folder=claim>', 'mount a PersistentVolumeClaim that is there (repeatable)', readVolume)
    .option(
      '--password-from <secret/key>',
      "where the store's password is (default: eventcore-backup/PGPASSWORD)",
      readSecretKey,
    )
    .option('--prometheus-operator', "a PodMonitor and the alerts, for Prometheus's operator")
    .option('--keda', 'a ScaledObject for KEDA, which has as many workers as the queue has work for')
    .option('--dry-run', 'say which manifests would be written, and write none')
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore init',
          'eventcore init --store postgres://backup_login@db.example/shop --vault file:/mnt/backups',
          "eventcore init --vault 's3://backups/shop?region=eu-central-1'",
          'eventcore init --store sqlite:./events.db --create-store',
          'eventcore init --kubernetes --namespace shop --image registry.example.com/eventcore-backup:0.1.0',
          'eventcore init --kubernetes --cron-jobs --to - | kubectl apply -f -',
          'eventcore init --keys                # backups are sealed and signed from the first one on',
        ],
        [0, 2, 5, 6, 9],
      ),
    )
    .action((flags: InitFlags) =>
      start(async (context) => {
        if (flags.kubernetes) return (await import('../kubernetes/init.ts')).initKubernetes(context, flags);
        refuseKubernetes(flags);
        return init(context, flags);
      }, 'what was done so far stays'),
    );
}

const KUBERNETES_ONLY = {
  ...{ to: '--to', namespace: '--namespace', name: '--name', image: '--image', cronJobs: '--cron-jobs' },
  ...{
    volume: '--volume',
    passwordFrom: '--password-from',
    prometheusOperator: '--prometheus-operator',
    keda: '--keda',
    dryRun: '--dry-run',
  },
} as const;

function refuseKubernetes(flags: InitFlags): void {
  const given = Object.entries(KUBERNETES_ONLY).find(([key]) => Object.hasOwn(flags, key));
  if (given === undefined) return;
  throw new BackupError('usage', `${given[1]} is for manifests`, { hint: 'pass --kubernetes as well' });
}

async function init(context: CommandContext, flags: InitFlags): Promise<number> {
  const { env, cwd, output } = context;
  const { path } = configPath({ flags: context.flags, env, cwd });
  const store = context.flags.store ?? (env.EVENTCORE_STORE || DEFAULT_STORE);
  const vault = context.flags.vault ?? (env.EVENTCORE_VAULT || DEFAULT_VAULT);
  const addresses = addressesForFile(store, vault, { cwd, folder: dirname(path) });
  const keys = flags.keys === true ? await makeKeys(path, flags.force === true) : null;
  await writeConfig(path, configTemplate(...addresses, keys), flags.force === true);
  const passwordLeftOut = redactAddress(store) !== store;
  output.account([
    `${output.paint('good', 'Wrote')} ${printable(path)}${passwordLeftOut ? PASSWORD_NOTE : ''}`,
  ]);
  if (keys !== null) output.account(keyLines(keys));
  const found = {
    store: await checkStore(store, flags.createStore === true),
    vault: await checkVault(vault),
  };
  output.document({ config: path, passwordLeftOut, ...found, keys });
  output.account(initLines(found, output.paint));
  return 0;
}

const PASSWORD_NOTE = '; the password is not in it: PGPASSWORD or ~/.pgpass give it';

/** Beside the configuration, which names them by their names. */
async function makeKeys(config: string, overwritesConfig: boolean): Promise<TemplateKeys> {
  const [identity, signKey] = [IDENTITY_FILE, SIGN_KEY_FILE].map((name) => join(dirname(config), name));
  // Looked at before: keys that no configuration names would be left otherwise.
  if (!overwritesConfig && existsSync(config)) throw configExists(config);
  refuseExisting(identity!, signKey!);
  const { makeIdentityFile, makeSigningKeyFile } = await loadKeysRoom();
  const made = await makeIdentityFile(false, formatTime(timeFromUnixMs(systemClock.now()), 3));
  const signing = makeSigningKeyFile();
  await writePrivateFile(identity!, made.text);
  await writePrivateFile(signKey!, signing.text);
  return {
    ...{ recipient: made.recipient, signer: signing.signer },
    ...{ identity: `file:./${IDENTITY_FILE}`, signKey: `file:./${SIGN_KEY_FILE}` },
  };
}

function keyLines({ recipient, signer }: TemplateKeys): string[] {
  return [
    ...renderPairs([
      ['sealed for', `${recipient}, whose identity is in ${IDENTITY_FILE}`],
      ['signed by', `${signer}, whose key is in ${SIGN_KEY_FILE}`],
    ]),
    `Keep a copy of ${IDENTITY_FILE} off this machine: without it, no backup can be opened.`,
  ];
}

/**
 * The addresses as they go into the file: without a password, and, where the file lies elsewhere, with relative paths
 * that are seen from there. Throws `usage` for what is no address.
 */
function addressesForFile(
  store: string,
  vault: string,
  { cwd, folder }: { cwd: string; folder: string },
): [store: string, vault: string] {
  const resolved = [resolveStoreAddress(store, cwd), resolveVaultAddress(vault, cwd)] as const;
  const [storeShown, vaultShown] = folder === cwd ? [store, vault] : resolved;
  return [redactAddress(storeShown), redactAddress(vaultShown)];
}

/** Never replaces a file unasked. */
async function writeConfig(path: string, text: string, overwrite: boolean): Promise<void> {
  try {
    await writeFile(path, text, { flag: overwrite ? 'w' : 'wx', flush: true });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw configExists(path);
    throw new BackupError('usage', `cannot write the configuration ${path} (${code ?? 'unknown'})`, {
      hint: 'check the folder and its rights, or name another file with --config',
      cause,
    });
  }
}

function configExists(path: string): BackupError {
  return new BackupError('would_overwrite', `the configuration ${path} exists`, {
    hint: 'edit it, or pass --force to overwrite it',
    facts: { flag: '--force' },
  });
}

interface FoundStore extends StoreDescription {
  readonly address: string;
  readonly created: boolean;
}

interface FoundVault {
  readonly address: string;
  readonly backups: number;
  readonly unfinished: number;
  readonly damaged: number;
}

async function checkStore(address: string, create: boolean): Promise<FoundStore> {
  return withStore(address, async (store) => {
    const found = await store.inspect();
    if (found.state !== 'missing' || !create) return { address: store.address, created: false, ...found };
    await store.initialise();
    return { address: store.address, created: true, ...(await store.inspect()) };
  });
}

async function checkVault(address: string): Promise<FoundVault> {
  return withVault(address, { create: true }, async (vault) => {
    const { backups, unfinished, damaged } = await readCatalog(vault);
    const counts = { backups: backups.length, unfinished: unfinished.length, damaged: damaged.length };
    return { address: vault.address, ...counts };
  });
}

function initLines(
  { store, vault }: { store: FoundStore; vault: FoundVault },
  paint: CommandContext['output']['paint'],
): string[] {
  const kind = `${store.kind} ${store.serverVersion}, layout ${store.layout}`;
  const state = {
    missing: paint('warning', 'no event store there yet; --create-store makes an empty one'),
    empty: store.created ? `created, empty (${kind})` : `empty (${kind})`,
    filled: `holds events (${kind})`,
  }[store.state];
  const damaged = vault.damaged === 0 ? '' : paint('bad', `, ${vault.damaged} damaged`);
  return [
    ...renderPairs([
      ['store', printable(store.address)],
      ['', state],
      ['vault', printable(vault.address)],
      ['', `ready, ${plural(vault.backups, 'backup')}${damaged}`],
    ]),
    ...(store.state === 'missing' ? [] : [`Next: ${paint('strong', 'eventcore backup full')}`]),
  ];
}
