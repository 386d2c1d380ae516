/** A commit that is made beside the work tree: until it is whole, nothing that anybody looks at has changed. */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

/** Contents by path; null: the file goes. */
export type Files = ReadonlyMap<string, string | null>;

/** What it printed, without the last line end. Throws what it said when it fails. */
export type Git = (words: readonly string[], input?: string) => string;

export function gitIn(folder: string, env: Readonly<Record<string, string>> = {}): Git {
  return (words, input = '') => {
    const { status, stdout, stderr, error } = spawnSync('git', words, {
      ...{ cwd: folder, input, encoding: 'utf8', env: { ...process.env, ...env }, maxBuffer: 64 << 20 },
    });
    if (error !== undefined) throw error;
    if (status !== 0) throw new Error(`git ${words[0]}: ${stderr.trim()}`);
    return stdout.replace(/\n$/, '');
  };
}

/**
 * Commits the files onto HEAD, in one step; the work tree, which must be clean, follows: whoever dies between the two, or in the second, leaves a
 * work tree that `git reset --hard` makes whole. (A merge would write new files first, which no reset knows.) Gives the commit.
 */
export function commitFiles(folder: string, files: Files, message: string): string {
  const index = join(tmpdir(), `eventcore-release-${process.pid}.index`);
  try {
    const git = gitIn(folder, { GIT_INDEX_FILE: index });
    git(['read-tree', 'HEAD']);
    for (const [path, content] of files) {
      if (content === null) git(['update-index', '--force-remove', path]);
      else
        git([
          'update-index',
          '--add',
          '--cacheinfo',
          `100644,${git(['hash-object', '-w', '--stdin'], content)},${path}`,
        ]);
    }
    const parent = git(['rev-parse', 'HEAD']);
    const commit = git(['commit-tree', git(['write-tree']), '-p', parent, '-m', message]);
    git(['update-ref', '-m', message, 'HEAD', commit, parent]);
    gitIn(folder)(['reset', '--quiet', '--hard']);
    return commit;
  } finally {
    rmSync(index, { force: true });
  }
}
