/** What the container file says, without building it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { validate } from 'dockerfile-utils';
import { isInContext, parseContainerfile } from './containerfile.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const TEXT = read('deploy/container/Containerfile');

/** What is wrong with a container file, by our rules and by those of the language. */
function findFaults(text: string): string[] {
  const stages = parseContainerfile(text);
  const final = stages.at(-1)?.steps ?? [];
  const last = (keyword: string) => final.findLast((step) => step.keyword === keyword);
  const [uid = '', gid = ''] = last('USER')?.text.split(':') ?? [];
  const tags = [...text.matchAll(/^ARG \w+_IMAGE=(\S+)/gm)].map(([, tag]) => tag!);
  const faults: [boolean, string][] = [
    ...validate(text).map(({ message }): [boolean, string] => [true, String(message)]),
    [
      ![uid, gid].every((id) => /^[1-9]\d*$/.test(id)),
      'runs as root, or as a user whose number is not known',
    ],
    [
      final.some(({ keyword }) => ['RUN', 'ADD'].includes(keyword)),
      'the image runs something when it is built',
    ],
    [last('ENTRYPOINT')?.words?.[0] !== 'eventcore', 'signals would go to a shell'],
    [last('CMD')?.words == null || last('HEALTHCHECK')?.words == null, 'CMD and HEALTHCHECK need a shell'],
    [
      !tags.every((tag) => /^docker\.io\/library\/\w+:\d*[\w.-]+$/.test(tag) && !tag.endsWith(':latest')),
      'an image is not named in full',
    ],
    [!stages.every(({ image }) => /^\$\{\w+_IMAGE\}$/.test(image)), 'an image cannot be pinned from outside'],
    [
      /\b(?:password|secret|token)\b/i.test(final.map((step) => step.text).join('\n')),
      'it may hold a secret',
    ],
  ];
  return faults.filter(([isFault]) => isFault).map(([, fault]) => fault);
}

describe('the container file', () => {
  it('is sound, runs as a number that is not root, and starts without a shell', () => {
    assert.deepEqual(findFaults(TEXT), []);
  });

  it('with a fault in it is told from that', () => {
    for (const [from, to] of [
      ['USER 10001:10001', 'USER root'],
      ['USER 10001:10001', 'USER node'],
      ['ENTRYPOINT ["eventcore"]', 'ENTRYPOINT eventcore'],
      ['USER 10001', 'RUN ["apt-get", "update"]\nUSER 10001'],
      ['debian:trixie-slim', 'debian:latest'],
      ['ENV TMPDIR=/tmp', 'ENV PASSWORD=x TMPDIR=/tmp'],
      ['STOPSIGNAL', 'STOPSIGNL'],
    ] as const) {
      assert.equal(findFaults(TEXT.replace(from, to)).length, 1, to);
    }
  });

  it('names no file of the repository that its builder does not get', () => {
    const ignore = read('.dockerignore');
    const { files } = JSON.parse(read('package.json')) as { files: string[] };
    const needed = [
      ...files.filter((path) => path !== 'dist'),
      ...['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'src/cli/main.ts'],
      ...['scripts/container-root.mjs', 'deploy/container/healthcheck.mjs'],
    ];
    assert.deepEqual(
      needed.filter((path) => !isInContext(ignore, path)),
      [],
    );
  });

  it('gives its builder no keys, configurations, vaults or histories that lie about', () => {
    const ignore = read('.dockerignore');
    const sent = [
      'eventcore.config.yaml',
      '.git/config',
      '.env',
      'backups/x',
      'node_modules/pg/index.js',
      'a.age-key',
    ];
    assert.deepEqual(
      sent.filter((path) => isInContext(ignore, path)),
      [],
    );
  });
});
