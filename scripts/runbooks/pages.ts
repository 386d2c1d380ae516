import { DISASTER_TRIGGERS } from '../../src/core/disaster.ts';
import { specPage } from './spec-page.ts';
import { bullets, GENERATED } from './table.ts';
import { triggerPage } from './trigger-page.ts';
import { TRIGGER_WORDS } from './words.ts';

/** All pages that are made of the tables, by their paths. */
export function makePages(): ReadonlyMap<string, string> {
  const triggers = DISASTER_TRIGGERS.map(
    (trigger) => [`docs/runbooks/${trigger}.md`, triggerPage(trigger)] as const,
  );
  return new Map([
    ['src/disaster/SPEC.md', specPage()],
    ['docs/runbooks/README.md', indexPage()],
    ...triggers,
  ]);
}

function indexPage(): string {
  return [
    '# Runbooks',
    GENERATED,
    'What has happened?',
    bullets(
      DISASTER_TRIGGERS.map((trigger) => {
        const { title, isIt } = TRIGGER_WORDS[trigger];
        return `**[${title}](${trigger}.md)** (\`${trigger}\`). ${isIt[0]}`;
      }),
    ),
    'Not sure? `eventcore dr assess` changes nothing and says what it sees. How all of this is set up: [disaster recovery](../disaster-recovery.md).',
    '',
  ].join('\n\n');
}
