/** What a release says of itself, made of the files in `changelog/unreleased/`. */

export interface Change {
  readonly file: string;
  readonly kind: string;
  readonly title: string;
  readonly body: string;
}

const KINDS = ['Security', 'Added', 'Changed', 'Fixed', 'Removed'] as const;
const HEAD = `# Changes

What users of each version notice, the newest first. Each entry is a file under \`changelog/\` that came with the change itself.
`;

/** Throws where the file is not shaped like `changelog/TEMPLATE.md`. */
export function readChange(file: string, text: string): Change {
  const [, kind, title, body] = /^# (\w+): (.+)\n\n([\s\S]+)$/.exec(text) ?? [];
  if (kind === undefined || !(KINDS as readonly string[]).includes(kind)) {
    throw new Error(`changelog/unreleased/${file} is not shaped like changelog/TEMPLATE.md`);
  }
  return { file, kind, title: title!, body: body!.trim() };
}

/** One version's part of CHANGELOG.md: by kind, within it by the files' names. */
export function sectionOf(version: string, day: string, changes: readonly Change[]): string {
  const groups = KINDS.map((kind) => ({ kind, of: changes.filter((change) => change.kind === kind) }));
  const parts = groups
    .filter(({ of }) => of.length > 0)
    .map(({ kind, of }) => `### ${kind}\n\n${of.map(entryOf).join('\n')}`);
  return `## ${version} (${day})\n\n${parts.join('\n\n')}\n`;
}

function entryOf({ title, body }: Change): string {
  return `- **${title}.** ${body.replaceAll(/\n+/g, '\n  ')}`;
}

/** CHANGELOG.md with a section more. `text` is empty for the first one. */
export function addSection(text: string, section: string): string {
  const older = text === '' ? '' : text.slice(text.indexOf('\n## ') + 1);
  return `${HEAD}\n${section}${older === '' ? '' : `\n${older}`}`;
}

/** What CHANGELOG.md says of a version; null: nothing. */
export function findSection(text: string, version: string): string | null {
  const sections = text.split(/^(?=## )/m);
  return sections.find((section) => section.startsWith(`## ${version} (`))?.trim() ?? null;
}
