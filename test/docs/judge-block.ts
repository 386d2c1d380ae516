import type { CodeBlock } from '../../scripts/site/markdown.ts';
import { isRun } from './not-run.ts';
import { isRunPage, nameOfFile, readFixtures } from './run-page.ts';

/** What a block may be called, and who looks at it. */
const CHECKED: ReadonlySet<string> = new Set([
  // Run, or named in not-run.ts and held against the command line's definition.
  ...['console', 'sh', 'sql'],
  // Read or compiled: blocks.test.ts, typescript.test.ts, commands.test.ts; js is run.
  ...['yaml', 'json', 'jsonl', 'ts', 'ini', 'js'],
  // What is no code: drawings, layouts of folders, addresses.
  'text',
]);

const PROGRAMS = [
  ...[
    'eventcore',
    'npm',
    'npx',
    'node',
    'git',
    'gh',
    'psql',
    'sqlite3',
    'pg_\\w+',
    'age',
    'jq',
    'curl',
    'aws',
    'nats',
  ],
  ...[
    'docker',
    'podman',
    'buildah',
    'kubectl',
    'kustomize',
    'helm',
    'systemctl',
    'runuser',
    'sudo',
    'install',
    'man',
  ],
  ...[
    'cp',
    'rm',
    'cat',
    'cd',
    'export',
    'shred',
    'find',
    'openssl',
    'tsig-keygen',
    'oauth2-proxy',
    'apt-get',
  ],
];
/** A prompt, a program with words behind it, or any word with a flag behind it. */
const COMMAND = new RegExp(
  `^\\s*(?:\\$ \\S|(?:\\w+=\\S+ )*(?:\\S*/)?(?:${PROGRAMS.join('|')})(?: \\S|$)|[a-z][\\w./-]* (?:\\S+ )*--?[a-z])`,
);

/** Where a block shows what nobody would notice to be wrong: the line in the page, and why. Null: all of it is looked at. */
export function judgeBlock(
  path: string,
  text: string,
  block: CodeBlock,
): { line: number; fault: string } | null {
  const { language, isFenced, line } = block;
  if (!isFenced || language === 'text') {
    const at = block.text.split('\n').findIndex((one) => COMMAND.test(one));
    return at === -1 ? null : { line: line + at, fault: 'a command, in a block that nobody runs' };
  }
  if (!CHECKED.has(language)) {
    return { line, fault: language === '' ? 'a fence without a language' : `nobody checks ${language}` };
  }
  if (!isRun(path, block)) return null;
  if (language === 'sql' && !readFixtures(path, text).fixtures.includes('postgres')) {
    return { line, fault: 'SQL, and the page does not run with postgres' };
  }
  if (language === 'js' && (nameOfFile(block) === null || !isRunPage(path))) {
    return { line, fault: 'JavaScript that is no file of a page that runs' };
  }
  return null;
}
