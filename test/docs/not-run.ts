import type { CodeBlock, Page } from '../../scripts/site/markdown.ts';

/** Blocks of pages that are not run (or compiled) here, or not as they stand, each with the reason. One that is no longer there fails the tests. */

export interface NotRun {
  readonly page: string;
  /** How the block begins: enough of it to tell it from others. */
  readonly begins: string;
  readonly reason: string;
}

export const NOT_RUN: readonly NotRun[] = [
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
