import { z } from 'zod';

/** `verify --json`, as far as pages need it. */
export const verifyReport = z.object({
  overallValid: z.boolean(),
  backups: z
    .array(
      z.object({
        backupId: z.string(),
        problems: z.array(z.object({ code: z.string(), message: z.string(), file: z.string().nullish() })),
      }),
    )
    .default([]),
});

export type VerifyReportDocument = z.infer<typeof verifyReport>;
