/**
 * Ends an npm script early, saying what to do, when its Node cannot run the sources. Written so that old versions of
 * Node can read it.
 */
import process from 'node:process';

const REQUIRED_MAJOR = 24;
const found = process.versions.node;

if (Number(found.split('.')[0]) < REQUIRED_MAJOR) {
  console.error(`EventCore Backup needs Node ${REQUIRED_MAJOR} or newer; this is Node ${found} (${process.execPath}).
hint: on Linux with glibc (x64, arm64) \`npm ci\` brings Node ${REQUIRED_MAJOR} along as an optional dependency, and npm scripts
      use it: run \`npm ci\` without --omit=optional. Elsewhere, install Node ${REQUIRED_MAJOR}.`);
  process.exit(1);
}
