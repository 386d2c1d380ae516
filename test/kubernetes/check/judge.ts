import { checkManifests, type JudgePolicy } from '../../../src/kubernetes/check/check.ts';
import type { ManifestFinding } from '../../../src/kubernetes/check/finding.ts';
import { readManifests } from '../../../src/kubernetes/check/manifest.ts';

/** All findings in texts that are given together, by the names of their files; of policies only where somebody judges them. */
export function judge(
  files: Readonly<Record<string, string>>,
  judgePolicy: JudgePolicy = () => [],
): ManifestFinding[] {
  const reads = Object.entries(files).map(([file, text]) => readManifests(text, file));
  return [
    ...reads.flatMap(({ findings }) => findings),
    ...checkManifests(
      reads.flatMap(({ manifests }) => manifests),
      judgePolicy,
    ),
  ];
}

/** As `error schedule_five_fields spec.schedule`. */
export function briefly({ severity, rule, path }: ManifestFinding): string {
  return `${severity} ${rule}${path === '' ? '' : ` ${path}`}`;
}
