export interface VariableDefinition {
  readonly name: string;
  readonly description: string;
}

/** Variables that this program reads by itself; drivers and SDKs read more: `PGPASSWORD`, `AWS_PROFILE` and the like. */
export const VARIABLES: readonly VariableDefinition[] = [
  { name: 'EVENTCORE_CONFIG', description: 'the configuration, where --config does not name one' },
  {
    name: 'EVENTCORE_STORE',
    description: 'where the events live; beats the configuration, --store beats it',
  },
  { name: 'EVENTCORE_VAULT', description: 'where backups live; beats the configuration, --vault beats it' },
  {
    name: 'EVENTCORE_QUEUE',
    description: 'where jobs for workers wait; beats the configuration, --queue and --no-queue beat it',
  },
  { name: 'PG_BIN', description: 'the folder of initdb and postgres, for drills into a server of their own' },
  { name: 'NO_COLOR', description: 'set to anything: no colours' },
  { name: 'TERM', description: '`dumb`: no colours' },
  { name: 'TRACEPARENT', description: 'the trace that this run belongs to (W3C Trace Context)' },
  { name: 'TRACESTATE', description: 'what goes with it' },
  {
    name: 'PATH',
    description:
      'where programs are looked for: those of PostgreSQL, git for the demo, commands of the configuration',
  },
];
