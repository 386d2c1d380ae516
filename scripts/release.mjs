/**
 * node scripts/release.mjs 1.2.3|major|minor|patch [--apply]
 *
 * Makes a release of what is committed: the version in package.json, its lock and the manifests of Kubernetes, CHANGELOG.md made of changelog/unreleased/, whose files move to
 * changelog/VERSION/, one commit of all of that, and a tag. Shows what it would do; --apply does it. The commit comes into being whole or not at all, and the same
 * command makes what is missing of a release that was begun. Nothing is pushed and nothing published: docs/release.md.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { addSection, findSection, readChange, sectionOf } from './release/changes.ts';
import { commitFiles, gitIn } from './release/commit.ts';
import { withImageVersion } from './release/manifests.ts';
import { nextVersion } from './release/version.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { apply: { type: 'boolean', default: false }, root: { type: 'string' } },
});
const root = resolve(values.root ?? join(import.meta.dirname, '..'));
const git = gitIn(root);
const [wanted] = positionals;
if (wanted === undefined || positionals.length > 1) {
  console.error('usage: node scripts/release.mjs 1.2.3|major|minor|patch [--apply]');
  process.exit(2);
}
try {
  release();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}

function release() {
  const { version: current } = JSON.parse(read('package.json'));
  // The version of a project that was never released is that of its first release.
  const version = current === wanted ? current : nextVersion(current, wanted);
  const isBegun = existsSync(join(root, 'changelog', version));
  const tag = `v${version}`;
  if (git(['tag', '--list', tag]) !== '') throw new Error(`${tag} is released: there is a tag of that name`);
  const dirty = git(['status', '--porcelain']);
  if (dirty !== '' && values.apply) {
    // It has its commit, and the work tree was to follow.
    const isKilled = git(['log', '-1', '--format=%s']) === `release: ${version}`;
    const wayOut = isKilled ? '\nthe release was killed: `git reset --hard` gives what it committed' : '';
    throw new Error(`there is what is not committed:\n${dirty}${wayOut}`);
  }
  if (!isBegun) {
    const files = filesOf(current, version);
    if (values.apply) commitFiles(root, files, `release: ${version}`);
    else show(files, version);
  }
  if (!values.apply) {
    console.log(
      `\nNothing was done. --apply commits this${dirty === '' ? '' : ', once all else is committed,'} and tags it ${tag}.`,
    );
    return;
  }
  git(
    ['tag', '--annotate', tag, '--file', '-', '--cleanup=verbatim'],
    findSection(read('CHANGELOG.md'), version) ?? version,
  );
  console.log(`${tag} is ready: git push --follow-tags has it published (docs/release.md)`);
}

function filesOf(current, version) {
  const unreleased = readdirSync(join(root, 'changelog/unreleased'))
    .filter((name) => name.endsWith('.md'))
    .sort();
  if (unreleased.length === 0) throw new Error('nothing to release: changelog/unreleased/ is empty');
  const texts = unreleased.map((name) => ({ name, text: read(`changelog/unreleased/${name}`) }));
  const section = sectionOf(
    version,
    today(),
    texts.map(({ name, text }) => readChange(name, text)),
  );
  const log = existsSync(join(root, 'CHANGELOG.md')) ? read('CHANGELOG.md') : '';
  return new Map([
    ['CHANGELOG.md', addSection(log, section)],
    ['package.json', withVersion('package.json', current, version, 1)],
    ['package-lock.json', withVersion('package-lock.json', current, version, 2)],
    ...manifests(current, version),
    ...texts.map(({ name, text }) => [`changelog/${version}/${name}`, text]),
    ...texts.map(({ name }) => [`changelog/unreleased/${name}`, null]),
    // Git keeps no empty folder.
    ['changelog/unreleased/.gitkeep', ''],
  ]);
}

/** As `npm run manifests` would make them with the new version. */
function manifests(current, version) {
  const paths = git(['ls-files', 'deploy/helm', 'deploy/kubernetes']).split('\n');
  return paths.flatMap((path) => {
    const changed = path === '' ? null : withImageVersion(read(path), current, version);
    return changed === null ? [] : [[path, changed]];
  });
}

/** The first times that the version stands there are the package's own; all else stays as it is. */
function withVersion(path, current, version, times) {
  let text = read(path);
  let from = 0;
  for (let time = 0; time < times; time++) {
    const old = `"version": "${current}"`;
    const at = text.indexOf(old, from);
    if (at < 0) throw new Error(`${path} does not say ${current}`);
    from = at + old.length;
    text = `${text.slice(0, at)}"version": "${version}"${text.slice(from)}`;
  }
  return text;
}

function show(files, version) {
  for (const [path, content] of files) console.log(`${content === null ? 'removes' : 'writes '} ${path}`);
  console.log(`\n${findSection(files.get('CHANGELOG.md'), version)}`);
}

function read(path) {
  return readFileSync(join(root, path), 'utf8');
}

function today() {
  return new Date().toISOString().slice(0, 10);
}
