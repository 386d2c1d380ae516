import {
  type JsonSchema,
  type KeyDefinition,
  sectionsOf,
  sharedOf,
} from '../../src/reference/configuration.ts';
import { VARIABLES } from '../../src/reference/environment.ts';
import { sentence, table } from '../runbooks/table.ts';
import { GENERATED } from './generated.ts';

/** Pages that tell the story of a section. */
const GUIDES: Readonly<Record<string, string>> = {
  encryption: 'keys',
  drill: 'drill',
  serve: 'serve',
  disaster: 'disaster-recovery',
  layouts: 'layouts',
  primary: 'policy',
  replicas: 'policy',
  archive: 'policy',
  objectives: 'status',
  monitor: 'monitor',
  notify: 'notifications',
  retention: 'retention',
  fence: 'fencing',
};

/** docs/reference/configuration.md: every key of eventcore.config.yaml. */
export function configurationPage(root: JsonSchema): string {
  const sections = sectionsOf(root);
  return [
    '# Configuration',
    GENERATED,
    'The file is `eventcore.config.yaml` in the working directory, or what `--config` or `EVENTCORE_CONFIG` names. `eventcore init` writes one with comments. Flags beat the environment, the environment beats the file. Relative paths are seen from the file’s folder. Unknown keys are refused. A ConfigMap of Kubernetes with the text under `backup-policy.yaml` is read as well.',
    'A span of time is `30s`, `15m`, `12h`, `30d`, `12w` or `7y`; `m` means months where something is kept, and minutes everywhere else. Sizes are `500MB`, rates `50MB/s`. A secret never stands in the file: it is named by where it is, as `file:PATH`, `env:NAME` or `command:LINE`.',
    'Editors that know JSON Schema complete and check keys with `# yaml-language-server: $schema=PATH` in the first line, where `PATH` leads to [eventcore.config.schema.json](eventcore.config.schema.json).',
    '## At the top',
    keyTable(sections.map(({ key }) => key)),
    ...sections
      .filter(({ below }) => below.length > 0)
      .flatMap(({ key, below }) => section(key.path, key.description, below)),
    ...sharedOf(root).flatMap(({ name, description, below }) => section(name, description, below)),
    '## Environment',
    table(
      ['variable', 'is'],
      VARIABLES.map(({ name, description }) => [`\`${name}\``, sentence(description)]),
    ),
    'The client of PostgreSQL reads `PG*` and `~/.pgpass`, the SDK of AWS its variables, profiles and roles, as they do everywhere.',
    '',
  ].join('\n\n');
}

function section(name: string, description: string, keys: readonly KeyDefinition[]): string[] {
  const guide = GUIDES[name];
  const more = guide === undefined ? '' : ` More: [${guide}](../${guide}.md).`;
  return [`## ${name}`, `${sentence(description)}${more}`, keyTable(keys)];
}

function keyTable(keys: readonly KeyDefinition[]): string {
  return table(
    ['key', 'is', 'what may stand there', 'when left out'],
    keys.map((key) => [`\`${key.path}\``, describeKey(key), typeOf(key), leftOut(key)]),
  );
}

/** What is left out is told in its own column, so not twice. */
function describeKey({ description }: KeyDefinition): string {
  return sentence(description.replace(LEFT_OUT, ''));
}

const LEFT_OUT = /(?:;|\.) left out: (.*)$/i;

function leftOut({ description, fallback, required }: KeyDefinition): string {
  if (required) return 'needed';
  if (fallback !== undefined) return `\`${Array.isArray(fallback) ? '[]' : String(fallback)}\``;
  return LEFT_OUT.exec(description)?.[1] ?? '';
}

function typeOf({ type, shared }: KeyDefinition): string {
  return shared === null ? type : `[${type}](#${shared})`;
}
