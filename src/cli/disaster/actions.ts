import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Fence, Hook, PublicName, Scaler } from '../../core/disaster-ports.ts';
import { hostsOf, readPostgresUri } from '../../core/postgres-address.ts';
import { folderOf, type ReadSecret, secretReader } from '../keys/secrets.ts';
import { loadActionsRoom, loadNamesRoom } from '../wire.ts';
import type { DisasterSettings } from './config.ts';
import type { FenceSettings, ScaleSettings } from './schema.ts';
import type { DisasterWork } from './work.ts';

/** What a recovery does to the world, as the configuration names it, with secrets read when they are needed. */

export interface ActionPlaces {
  /** Commands run there, and paths are seen from there. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly read: ReadSecret;
}

export async function actionPlaces({
  settings,
  context,
}: Pick<DisasterWork, 'settings' | 'context'>): Promise<ActionPlaces> {
  const folder = folderOf(settings, context);
  return { folder, env: context.env, read: await secretReader(folder, context.env) };
}

const DNS_PORT = 53;

/** Null where no name is switched. The key is read now. Throws `key_refused` and `config_invalid`. */
export async function openPublicName(
  { name, public: address }: Pick<DisasterSettings, 'name' | 'public'>,
  places: ActionPlaces,
): Promise<PublicName | null> {
  if (name === null) return null;
  const room = await loadNamesRoom();
  if (name.rfc2136 !== undefined) {
    const { server, key, ...record } = name.rfc2136;
    return room.rfc2136Name({
      ...record,
      server: nameServer(server),
      key: room.parseTsigKey(await places.read(key)),
    });
  }
  if (name.route53 !== undefined) {
    const { zone_id: zoneId, ...record } = name.route53;
    return room.route53Name({ ...record, zoneId });
  }
  return room.commandName({
    ...commandOf(name.command!, places),
    name: hostsOf(readPostgresUri(address!))[0]?.host ?? '',
  });
}

/** The values of records as they are compared: in the form that their name servers give them. */
export async function canonicalValues(
  { name }: Pick<DisasterSettings, 'name'>,
  values: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  const type = (name?.rfc2136 ?? name?.route53)?.type;
  if (type === undefined) return values;
  const { canonicalValue } = await loadNamesRoom();
  return new Map([...values].map(([server, value]) => [server, canonicalValue(type, value)]));
}

function nameServer(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(text)!;
  return { host: (bracketed ?? plain)!, port: port === undefined ? DNS_PORT : Number(port) };
}

function commandOf(argv: readonly string[], { folder, env }: ActionPlaces) {
  return { argv, cwd: folder, env };
}

/** A fence that goes around the server; null for the server's own and the lease, which the recovery itself has. */
export async function openOutsideFence(
  settings: FenceSettings,
  places: ActionPlaces,
  /** Who is to be fenced, for the command. */
  facts: { readonly region: string; readonly server: string },
): Promise<Fence | null> {
  const { command, check, kubernetes } = settings;
  const room = await loadActionsRoom();
  if (command !== undefined) {
    const options = { ...commandOf(command, places), facts };
    return room.commandFence(check === undefined ? options : { ...options, check });
  }
  if (kubernetes === undefined) return null;
  return room.kubernetesFence({ access: await accessOf(kubernetes, places), target: targetOf(kubernetes) });
}

export async function openScaler(
  region: string,
  settings: ScaleSettings,
  places: ActionPlaces,
): Promise<Scaler> {
  const { command, check, kubernetes, webhook } = settings;
  const room = await loadActionsRoom();
  if (command !== undefined) {
    const options = { ...commandOf(command, places), facts: { region } };
    return room.commandScaler(check === undefined ? options : { ...options, check });
  }
  if (kubernetes !== undefined) {
    const { instances } = kubernetes;
    return room.kubernetesScaler({
      access: await accessOf(kubernetes, places),
      target: targetOf(kubernetes),
      instances,
    });
  }
  const url = /^https?:/.test(webhook!.url) ? webhook!.url : await places.read(webhook!.url);
  const secret = webhook!.secret === undefined ? null : await places.read(webhook!.secret);
  return room.webhookScaler({ name: `scale of ${region}`, url, secret, facts: { region } });
}

export async function openMigrate(
  argv: readonly string[] | null,
  places: ActionPlaces,
): Promise<Hook | null> {
  return argv === null ? null : (await loadActionsRoom()).commandHook(commandOf(argv, places));
}

type ClusterSettings = NonNullable<FenceSettings['kubernetes']>;

async function accessOf({ api, token, ca, namespace }: ClusterSettings, { folder, env, read }: ActionPlaces) {
  if (api === undefined) return (await loadActionsRoom()).accessInPod(env, namespace);
  return {
    ...{ server: api, namespace, token: () => read(token!) },
    ca: async () => (ca === undefined ? null : readFile(resolve(folder, ca), 'utf8')),
  };
}

function targetOf({ cluster, workload }: ClusterSettings) {
  if (cluster !== undefined) return { cluster };
  const [kind, name] = workload!.split('/') as ['deployment' | 'statefulset', string];
  return { workload: { kind, name } };
}
