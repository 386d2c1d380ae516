import { BackupError } from '../../core/errors.ts';
import { databaseOf, hostsOf, readPostgresUri } from '../../core/postgres-address.ts';
import { CONFIG_FOLDER } from '../../kubernetes/render/pod.ts';
import type { QueuePlace, WantedWorkers } from '../../kubernetes/render/wanted.ts';
import type { Settings } from '../config/config.ts';
import type { KubernetesFlags } from './flags.ts';
import { needsOf, secretFiles } from './needs.ts';
import { queueVariables, secretVariables } from './variables.ts';

/** Workers of a configuration that names a queue, and what they need of it. */

const PORT = 5432;
const SCHEMA = 'eventcore_queue';
const SSL_MODE = 'prefer';
/** A number of processors is known on a node only, and a scaler wants to know what one worker takes. */
const CONCURRENCY = 4;
/** Sections that are of no concern to who does jobs of others: whom to tell, whom to let in, what to do in a disaster. */
const OTHERS = ['serve', 'notify', 'disaster'];

/** `value`: the configuration as it is written. Null where no queue is named. Throws `config_invalid` for one that pods could not reach. */
export function workersOf(
  { queue }: Settings,
  value: Readonly<Record<string, unknown>>,
  options: KubernetesFlags,
): WantedWorkers | null {
  if (queue.address === undefined) {
    if (options.keda !== true) return null;
    throw new BackupError('config_invalid', '--keda scales workers, and the configuration names no queue', {
      hint: 'write `address` and `key` into the section `queue` (docs/kubernetes.md)',
    });
  }
  const place = placeOf(queue.address);
  const shared = Object.fromEntries(Object.entries(value).filter(([key]) => !OTHERS.includes(key)));
  const needs = needsOf(shared, CONFIG_FOLDER);
  const own = needsOf({ queue: value.queue }, CONFIG_FOLDER);
  return {
    queue: place,
    concurrency: queue.concurrency ?? CONCURRENCY,
    // Of secrets only what opens jobs; keys and tokens of the rest stay where they are used.
    variables: [
      ...secretVariables({ ...needs, variables: own.variables }, options),
      ...queueVariables(queue.address),
    ],
    files: secretFiles(own.files, CONFIG_FOLDER),
    endpoints: needs.endpoints,
  };
}

function placeOf(address: string): QueuePlace {
  const uri = readPostgresUri(address);
  const [first] = hostsOf(uri);
  const database = databaseOf(uri);
  if (uri.user === null || first === undefined || first.host.startsWith('/') || database === null)
    throw new BackupError('config_invalid', '`queue.address` must name a login, a host and a database', {
      hint: 'as postgres://queue_login@eventcore-postgres-rw:5432/eventcore_queue: a pod has no account whose name would be taken',
    });
  return {
    ...{ host: first.host, port: first.port === '' ? PORT : Number(first.port), database, user: uri.user },
    schema: uri.parameters.get('schema') ?? SCHEMA,
    sslMode: uri.parameters.get('sslmode') ?? SSL_MODE,
  };
}
