import type { CodeBlock, Page } from '../../scripts/site/markdown.ts';

/** Blocks of pages that are not run (or compiled) here, or not as they stand, each with the reason. One that is no longer there fails the tests. */

export interface NotRun {
  readonly page: string;
  /** How the block begins: enough of it to tell it from others. */
  readonly begins: string;
  readonly reason: string;
}

/** Blocks that one reason holds for, as `page: how it begins`. */
function each(reason: string, blocks: Readonly<Record<string, readonly string[]>>): NotRun[] {
  return Object.entries(blocks).flatMap(([page, all]) => all.map((begins) => ({ page, begins, reason })));
}

export const NOT_RUN: readonly NotRun[] = [
  ...each('what the tests themselves begin with: .ci/run', {
    'README.md': ['npm ci'],
    'CONTRIBUTING.md': ['npm ci'],
  }),
  ...each(
    'asks a cluster of Kubernetes; what is applied is judged by test/kubernetes/, test/cloudnative-pg/',
    {
      'deploy/helm/eventcore-backup/README.md': ['helm install'],
      'docs/cloudnative-pg.md': ['kubectl apply', 'kubectl exec', 'kubectl get', 'kustomize build'],
      'docs/kubernetes.md': ['kubectl -n shop', 'kubectl create', 'helm install', 'openssl rand'],
      'docs/fencing.md': ['kubectl annotate'],
    },
  ),
  ...each('needs an engine of containers: test/deploy/ carries the steps out without one', {
    'docs/container.md': ['docker build', 'docker run -d', 'docker run --rm'],
  }),
  ...each('needs systemd as the first process: test/deploy/systemd.int.test.ts holds the units against it', {
    'docs/systemd.md': ['npm install', 'runuser', 'cp -r'],
  }),
  ...each('takes minutes to hours; that these scripts are there is checked', {
    'docs/operating/scale.md': ['npm run bench:scale'],
    'docs/benchmarks.md': ['npm run bench  ', 'npm run bench:capture', 'npm run bench -- --only verify'],
    'docs/disaster-lab.md': ['npm run dr:lab'],
    'docs/laboratory.md': ['npm run test:long'],
  }),
  ...each('makes a commit and a tag (test/scripts/ has releases), or asks a registry', {
    'docs/release.md': ['npm run release', 'npm audit'],
    'docs/guides/library.md': ['npm install'],
    'docs/s3.md': ['npm install'],
    'docs/completion.md': ['man ./node_modules/'],
  }),
  ...each('on a server that has these databases: test/cli/fleet/found.int.test.ts does it', {
    'docs/fleets.md': ['ALTER DATABASE shop'],
  }),
  ...each('a program of somebody else, with an account somewhere', { 'docs/access.md': ['oauth2-proxy'] }),
  ...each('two weeks of backups: test/policy/ and test/upkeep/ let such time go by', {
    'docs/retention.md': ['$ eventcore prune'],
  }),
  ...each('sends mail: docs/notifications.md and docs/serve.md run the same against what is there', {
    'docs/guides/first-backup.md': ['eventcore serve'],
  }),
  ...each(
    'needs packages of OpenTelemetry that are no dependencies: test/harness/tracing-sdk.ts is the same with those that are',
    {
      'docs/serve.md': ['// otel.mjs', 'NODE_OPTIONS='],
    },
  ),
  ...each('stays until it is stopped: the page runs beside one', { 'docs/serve.md': ['eventcore serve\n'] }),
  ...each('asks for programs of others: test/rescue/age.int.test.ts runs what is about age, from this page', {
    'docs/rescue.md': ['node rescue/rescue.mjs VAULT --age', 'find VAULT', 'jq -r', 'psql -c', 'sqlite3 '],
  }),
  ...each('stays for as long as its server does: test/disaster/guard.int.test.ts', {
    'docs/guard.md': ['eventcore dr guard'],
  }),
  ...each(
    'needs two servers of which one dies: test/disaster-lab/ has that disaster, and deploy/postgres/disaster.sql these grants',
    {
      'docs/disaster-recovery.md': ['eventcore dr', '$ eventcore dr', 'GRANT pg_monitor'],
    },
  ),
  ...each('writes for the name server of the host: test/actions/ changes names in a real BIND', {
    'docs/public-name.md': ['tsig-keygen'],
  }),
  ...each(
    'psql is no program of this project: test/cli/roles.int.test.ts runs these scripts, on PostgreSQL 14 to 18',
    {
      'docs/roles.md': ['psql -d shop'],
    },
  ),
  ...each('made of the command line’s definition, which each line is held against', {
    'docs/reference/commands.md': ['eventcore ', 'source <('],
  }),
  ...each('choices of one night, in regions that have failed: test/disaster-lab/ runs them', {
    'docs/runbooks/data_corruption.md': ['eventcore '],
    'docs/runbooks/database_failure.md': ['eventcore '],
    'docs/runbooks/manual_trigger.md': ['eventcore '],
    'docs/runbooks/region_outage.md': ['eventcore '],
    'docs/runbooks/security_breach.md': ['eventcore '],
  }),
  {
    page: 'docs/layouts.md',
    begins: 'eventcore backup full --store postgres://backup_login@db.example/shop  ',
    reason: 'alternatives, against stores of three kinds; test/layouts/ takes backups of each',
  },
  {
    page: 'docs/layouts.md',
    begins: '$ eventcore restore --to sqlite:./shop.db --dry-run',
    reason: 'needs a backup of message-db: test/layouts/ has these conversions',
  },
  ...[
    'CREATE SCHEMA shop;',
    'eventcore backup full\n',
    "eventcore restore --to 'postgres://restore_login@new.example/",
  ].map((begins) => ({
    ...{ page: 'docs/layouts.md', begins },
    reason: 'needs a server of its own: test/layouts/ has stores of one’s own',
  })),
  ...['npm install --global eventcore-backup', 'npm install --global @aws-sdk/client-s3'].map((begins) => ({
    ...{ page: 'docs/quick-start.md', begins },
    reason: 'asks a registry; test/package.int.test.ts installs the package, and runs the page with it',
  })),
  { page: 'docs/nats-jetstream.md', begins: 'nats stream backup', reason: 'needs a server of NATS' },
  {
    page: 'docs/implementing-a-store.md',
    begins: 'import { eventStoreContract }',
    reason: 'two of its functions are the reader’s own; examples/store-contract is all of it, and is run',
  },
];

export function isRun(path: string, block: CodeBlock): boolean {
  return !NOT_RUN.some(({ page, begins }) => page === path && block.text.startsWith(begins));
}

/** Entries whose block is gone. */
export function findStale(pages: ReadonlyMap<string, Page>): NotRun[] {
  return NOT_RUN.filter(
    ({ page, begins }) => !pages.get(page)?.blocks.some(({ text }) => text.startsWith(begins)),
  );
}
