#!/usr/bin/env node
// Brings a clone to a built tree; does nothing when nothing changed. Called by `npm start` and `npm test` as well.
import { parseArgs } from 'node:util';
import { mayInstallByEnvironment, runMain, setUp } from './setup/all.mjs';

const HELP = `Usage: node scripts/setup.mjs [options]

Checks the tools, installs npm packages, brings native headers, builds the addon and the TypeScript, makes test models.
Only what changed is done again.

  --build-only      build only: no look at the tools, no test models
  --install-tools   as root, install missing tools with apt-get (also with CI=true or SLUICE_SETUP_INSTALL=1)
  --with-gpu        also download ONNX Runtime's CUDA 12 and TensorRT providers (needs access to NuGet)
  --verbose         show what the steps print
  --help            show this

Environment: CXX (compiler), ONNXRUNTIME_ROOT, SIMDJSON_ROOT, FLATBUFFERS_ROOT (folders to use instead of the system's).
Exit codes: 0 done, 1 a step failed, 2 something is missing on this machine.
`;

const { values } = parseArgs({
  options: {
    'build-only': { type: 'boolean' },
    'install-tools': { type: 'boolean' },
    'with-gpu': { type: 'boolean' },
    verbose: { type: 'boolean', short: 'v' },
    help: { type: 'boolean', short: 'h' },
  },
});

if (values.help) {
  process.stdout.write(HELP);
} else {
  await runMain(() =>
    setUp({
      buildOnly: values['build-only'],
      verbose: values.verbose,
      withGpu: values['with-gpu'],
      mayInstallTools: values['install-tools'] ?? mayInstallByEnvironment(),
    }),
  );
}
