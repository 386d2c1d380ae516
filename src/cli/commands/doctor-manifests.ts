import { plural, printable } from '../../core/units.ts';
import { bad, type Check, exitCodeOf, good, skipped, warn } from '../../doctor/check.ts';
import { checkManifests, inOrder } from '../../kubernetes/check/check.ts';
import type { ManifestFinding } from '../../kubernetes/check/finding.ts';
import { type Manifest, readManifests } from '../../kubernetes/check/manifest.ts';
import type { CommandContext } from '../context.ts';
import { judgePolicy } from '../manifests/policy.ts';
import { type ManifestSource, readSources } from '../manifests/read.ts';
import { manifestLines } from '../render/checks.ts';

/** What of a finding a program may want beside what every check has. */
interface ManifestCheck extends Check {
  readonly rule?: ManifestFinding['rule'];
  readonly resource?: string | null;
  readonly file?: string;
  readonly document?: number;
  readonly line?: number;
  readonly path?: string;
}

/** Judges manifests of Kubernetes, without a configuration, a store, a vault or a cluster. */
export async function examineManifests(context: CommandContext, names: readonly string[]): Promise<number> {
  const { cwd, signal, output } = context;
  const { sources, charts } = await readSources(names, { cwd, signal, stdin: process.stdin });
  const { manifests, findings, others } = read(sources);
  const found = [...findings, ...checkManifests(manifests, judgePolicy)].sort(inOrder);
  const checks: ManifestCheck[] = [
    summary(manifests, sources.length, charts.length > 0),
    ...found.map(checkOf),
    ...others.map((file) => skipped(file, 'no manifest of Kubernetes')),
    ...charts.map((folder) => skipped(folder, 'a Helm chart', helmHint(folder))),
  ];
  const exitCode = exitCodeOf(checks);
  const kinds = [...new Set(manifests.map(({ kind }) => kind))].sort();
  output.document({
    healthy: exitCode === 0,
    manifests: { files: sources.length, resources: manifests.length, kinds },
    checks,
  });
  report(context, checks, found);
  return exitCode;
}

interface ReadAll {
  readonly manifests: readonly Manifest[];
  readonly findings: readonly ManifestFinding[];
  /** Of folders, which may hold other files too. */
  readonly others: readonly string[];
}

function read(sources: readonly ManifestSource[]): ReadAll {
  const reads = sources.map(({ file, text, isNamed }) => ({ file, isNamed, ...readManifests(text, file) }));
  const isOther = (isNamed: boolean, { rule }: ManifestFinding): boolean =>
    !isNamed && rule === 'not_a_manifest';
  return {
    manifests: reads.flatMap(({ manifests }) => manifests),
    findings: reads.flatMap(({ isNamed, findings }) =>
      findings.filter((finding) => !isOther(isNamed, finding)),
    ),
    others: reads
      .filter(({ isNamed, findings }) => findings.some((finding) => isOther(isNamed, finding)))
      .map(({ file }) => file),
  };
}

function summary(manifests: readonly Manifest[], files: number, hasCharts: boolean): Check {
  const name = 'manifests';
  if (manifests.length === 0 && !hasCharts) {
    const hint = 'name files of YAML or JSON, folders with such files, or - for stdin';
    return bad(name, 'config_invalid', 'there is no manifest in what was given', hint);
  }
  const counts = new Map<string, number>();
  for (const { kind } of manifests) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const kinds = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([kind, count]) => `${count} ${kind}`);
  return good(
    name,
    `${plural(manifests.length, 'resource')} in ${plural(files, 'file')}: ${kinds.join(', ')}`,
  );
}

function checkOf(finding: ManifestFinding): ManifestCheck {
  const { severity, rule, resource, file, document, line, path, hint } = finding;
  const name = printable(`${file}:${line}`);
  const message = resource === null ? finding.message : `${resource}: ${finding.message}`;
  const check = severity === 'error' ? bad(name, 'config_invalid', message, hint) : warn(name, message, hint);
  return { ...check, rule, resource, file, document, line, path };
}

function helmHint(folder: string): string {
  return `render it: helm template ${folder} | eventcore doctor --manifests -`;
}

function report(
  { output }: CommandContext,
  checks: readonly Check[],
  found: readonly ManifestFinding[],
): void {
  const { paint } = output;
  const bads = checks.filter(({ verdict }) => verdict === 'bad').length;
  const headline =
    bads > 0
      ? paint('bad', `${plural(bads, 'fault')} in these manifests`)
      : found.length > 0
        ? paint('warning', `Nothing is wrong; worth a look: ${plural(found.length, 'thing')}`)
        : paint('good', 'All is well');
  if (output.isQuiet && bads === 0) return;
  output.answer(output.isQuiet ? [headline] : [headline, ...manifestLines(checks, paint)]);
}
