import { configSchema } from '../../src/cli/config/file.ts';
import { defineProgram } from '../../src/cli/program.ts';
import { describeProgram } from '../../src/reference/command-line.ts';
import { schemaOfConfiguration } from '../../src/reference/configuration.ts';
import { commandsPage } from './commands-page.ts';
import { configurationPage } from './configuration-page.ts';
import { errorsPage, exitCodesPage } from './failure-pages.ts';
import { configurationManPage, programManPage } from './man-pages.ts';

/** All that is made of the command line, the configuration and the tables of codes, by their paths. */
export async function makePages(): Promise<ReadonlyMap<string, string>> {
  const program = describeProgram(await defineProgram());
  const configuration = schemaOfConfiguration(configSchema);
  return new Map([
    ['docs/reference/commands.md', commandsPage(program)],
    ['docs/reference/configuration.md', configurationPage(configuration)],
    ['docs/reference/eventcore.config.schema.json', `${JSON.stringify(configuration, null, 2)}\n`],
    ['docs/reference/errors.md', errorsPage()],
    ['docs/reference/exit-codes.md', exitCodesPage(program)],
    ['man/eventcore.1', programManPage(program)],
    ['man/eventcore.config.yaml.5', configurationManPage(configuration)],
  ]);
}
